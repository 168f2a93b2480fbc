"""A track to be looked at: the video, and the head as it was followed, side by side."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from fit3dmm._video import VideoFile, writing_video
from fit3dmm.colour import srgb_to_linear
from fit3dmm.export.picture import srgb_bytes
from fit3dmm.fitting.tracking.track import Track
from fit3dmm.geometry.transform import Similarity
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.render.depth import posed
from fit3dmm.render.lights import named_lights
from fit3dmm.render.synthesise import render_mesh
from fit3dmm.scene import Scene

PANEL_PX = 480
"""Longer side of each of the two pictures."""
_CLAY_LINEAR, _SHARE = 0.45, 0.8
_SENTENCE = "no face is followed here"


def write_track_preview(
    track: Track,
    video: VideoFile,
    model: MorphableModel,
    path: Path,
    advance: Callable[[], None] = lambda: None,
) -> None:
    """Write an MP4: each frame on the left, and on the right with the shape over it in clay.

    Args:
        track: of the video.
        video: that was tracked.
        model: the one that it was tracked with, at any level: a low one draws quickly.
        path: of the file.
        advance: called after each frame.

    Raises:
        InputError: the folder can't be written to.
    """
    camera = track.camera
    scale = min(PANEL_PX / max(camera.width_px, camera.height_px), 1.0)
    # Encoders want even sides.
    width, height = (max(2 * round(scale * n / 2), 2) for n in (camera.width_px, camera.height_px))
    with torch.no_grad(), writing_video(path, 2 * width, height) as writer:
        for frame in video.frames():
            if frame.index >= len(track):
                break
            picture = Image.fromarray(frame.pixels_srgb).resize((width, height))
            left = np.asarray(picture)
            right = _without(picture)
            if track.found[frame.index]:
                scene = track.scene(frame.index)
                T = Similarity.in_plane(scale, (0.0, 0.0))
                scene = scene.replace(camera=scene.camera.cropped(T, width, height))
                right = srgb_bytes(_clay_over(model, scene, left))
            writer.add(np.concatenate([left, right], axis=1), frame.time_s)
            advance()


def _clay_over(
    model: MorphableModel, scene: Scene, picture: UInt8[np.ndarray, "height width 3"]
) -> Float[Tensor, "height width 3"]:
    behind = srgb_to_linear(torch.from_numpy(picture.copy()).float() / 255)
    points = posed(model, scene)
    clay = torch.full_like(points, _CLAY_LINEAR)
    light = named_lights()["studio"].to(points.device, points.dtype)
    topology = model.surface.topology
    drawn = render_mesh(points, clay, topology, scene.camera, light, silhouettes=False)
    fragments = drawn.fragments
    corners = model.surface.triangles[fragments.triangle[0].clamp_min(0).long()]
    face = (model.regions["face"][corners] * fragments.barycentric[0]).sum(-1)
    weight = _SHARE * (face * fragments.covered[0])[..., None]
    return behind + weight * (drawn.rgb_linear - behind)


def _without(picture: Image.Image) -> UInt8[np.ndarray, "height width 3"]:
    """The picture in grey, with a sentence."""
    grey = picture.convert("L").convert("RGB")
    place = (grey.width / 2, 0.92 * grey.height)
    font = ImageFont.load_default(size=max(grey.width / 24, 10))
    ImageDraw.Draw(grey).text(place, _SENTENCE, fill="white", font=font, anchor="mm")
    return np.asarray(grey)
