"""An animation in a glTF document: tracks of morph weights, and of the head's place.

Source: Khronos Group, "glTF 2.0 specification", 2021, sections 3.11 (animations) and 3.10
(cameras, which look along their node's -z as those of fit3dmm do).
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pygltflib as gl

from fit3dmm.export.animation import Animation
from fit3dmm.export.gltf.buffer import Buffer

CAMERA = "camera"
_NEAR_M, _FAR_M = 0.01, 100.0


def clip(
    animation: Animation,
    buffer: Buffer,
    root: int,
    root_m: np.ndarray,
    targets: Mapping[int, Sequence[str]],
) -> gl.Animation:
    """The clip as glTF.

    Args:
        animation: what moves when.
        buffer: takes the numbers.
        root: node of the first bone, which carries the head.
        root_m: (3,) where that bone is at rest.
        targets: names of the morph targets of each node that has any.
    """
    times = buffer.keys(animation.times_s, bounds=True)
    samplers: list[gl.AnimationSampler] = []
    channels: list[gl.AnimationChannel] = []

    def add(node: int, path: str, values: np.ndarray) -> None:
        samplers.append(
            gl.AnimationSampler(input=times, output=buffer.keys(values), interpolation="LINEAR")
        )
        target = gl.AnimationChannelTarget(node=node, path=path)
        channels.append(gl.AnimationChannel(sampler=len(samplers) - 1, target=target))

    add(root, "rotation", animation.quaternions)
    add(root, "translation", animation.place_m(root_m))
    for node, names in targets.items():
        columns = [animation.target_names.index(name) for name in names]
        # All weights of a key stand one after another, as numbers of their own.
        add(node, "weights", animation.weights[:, columns].ravel())
    return gl.Animation(name=animation.name, channels=channels, samplers=samplers)


def pose_at_start(animation: Animation, root: gl.Node, root_m: np.ndarray) -> None:
    """Show the first key before anything is played."""
    root.rotation = [float(value) for value in animation.quaternions[0]]
    root.translation = [float(value) for value in animation.place_m(root_m)[0]]


def camera_of(animation: Animation) -> gl.Camera:
    """The one that filmed it; it stands at the origin."""
    perspective = gl.Perspective(
        yfov=animation.camera_yfov_rad,
        aspectRatio=animation.camera_aspect,
        znear=_NEAR_M,
        zfar=_FAR_M,
    )
    return gl.Camera(name=CAMERA, type="perspective", perspective=perspective, orthographic=None)
