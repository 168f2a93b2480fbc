"""A person as games draw one: meshes at rest, what blendshapes move, bones and speech.

The meshes are the coarser ones that avatars have, their vertices and normals those of the fine
surface.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from fit3dmm._kept import kept
from fit3dmm.export.hair_hanging import HANGING, HairMesh, HairShape, hanging_of, raised_of
from fit3dmm.export.hair_raised import raised
from fit3dmm.export.morphs import MorphTarget, Movement, morph_target, movements, vertex_normals
from fit3dmm.export.occlusion_roughness import occlusion_roughness_png
from fit3dmm.export.picture import png_bytes
from fit3dmm.export.skeleton import Bone, bone_weights, bones
from fit3dmm.export.split import HEAD, SplitVertices, drawn_surface, split_things
from fit3dmm.export.visemes import Viseme, visemes_of
from fit3dmm.model.morphable import Coefficients, ModelInfo, MorphableModel


@dataclass(frozen=True)
class AvatarPart:
    """One thing: the skin of the head, an eyeball, a row of teeth, the tongue."""

    name: str
    positions_mm: Float[np.ndarray, "split 3"]
    normals: Float[np.ndarray, "split 3"]
    uv: Float[np.ndarray, "split 2"]
    """0..1, origin at the bottom left."""
    triangles: Int[np.ndarray, "triangles 3"]
    bone_weights: Float[np.ndarray, "split bones"]
    """Shares of the avatar's bones, which add up to 1."""
    targets: tuple[MorphTarget, ...]
    """All of the model's blendshapes for the skin; for a thing those that move it."""


@dataclass(frozen=True)
class Avatar:
    """A person at rest in the `model` frame, ready to be animated."""

    info: ModelInfo
    """Of the model that it is an instance of."""
    parts: tuple[AvatarPart, ...]
    bones: tuple[Bone, ...]
    """Carriers come before what they carry."""
    visemes: Mapping[str, Viseme]
    """Activations that make the shapes of speech; none where the model can't."""
    occlusion_roughness_png: bytes
    """Occlusion and roughness; see `export.occlusion_roughness`."""
    normal_png: bytes | None = None
    """Fine relief of the skin in tangent space; see `export.normal_map`."""
    hair_png: bytes | None = None
    """Base colour of the part `hair`, which hangs; None where there is none."""


@dataclass(frozen=True)
class _Drawn:
    """What all parts take their rows of."""

    neutral_mm: Float[np.ndarray, "vertices 3"]
    normals: Float[np.ndarray, "vertices 3"]
    uv: Float[np.ndarray, "uv_points 2"]
    bone_weights: Float[np.ndarray, "vertices bones"]
    movements: tuple[Movement, ...]

    def part(self, name: str, split: SplitVertices) -> AvatarPart:
        targets = (morph_target(m, split.vertex, always=name == HEAD) for m in self.movements)
        return AvatarPart(
            name=name,
            positions_mm=self.neutral_mm[split.vertex],
            normals=_unit(self.normals[split.vertex]),
            uv=self.uv[split.uv_point],
            triangles=split.triangles,
            bone_weights=self.bone_weights[split.vertex],
            targets=tuple(target for target in targets if target is not None),
        )


def make_avatar(
    model: MorphableModel,
    coefficients: Coefficients,
    normal_png: bytes | None = None,
    rest: Float[Tensor, "expression"] | None = None,
    hair_shape: HairShape | None = None,
) -> Avatar:
    """The person that the coefficients say; their expression becomes the targets' weights.

    Args:
        model: the one that was fitted.
        coefficients: the person's.
        normal_png: fine relief of the skin, where it is known.
        rest: activations at rest (`export.resting`); zeros if left out.
        hair_shape: where hair stands off and hangs; it lies flat if left out.
    """
    surface = drawn_surface(model)
    n = surface.n_vertices
    rest = model.zeros().expression if rest is None else rest
    neutral_mm = model.shape_mm(coefficients.neutral().replace(expression=rest)).detach()
    neutral_mm = raised(model, neutral_mm, raised_of(hair_shape))
    skeleton = bones(model, coefficients)
    drawn = _Drawn(
        neutral_mm=neutral_mm[:n].cpu().numpy(),
        normals=vertex_normals(model, neutral_mm)[:n].cpu().numpy(),
        uv=surface.uv.cpu().numpy(),
        bone_weights=bone_weights(model, tuple(bone.name for bone in skeleton))[:n],
        movements=tuple(movements(model, coefficients, neutral_mm, n, rest)),
    )
    things = _things(model)
    parts = [drawn.part(name, split) for name, split in things.items()]
    hanging = hanging_of(hair_shape)
    if hanging is not None:
        parts.append(_hair_part(hanging, skeleton))
    return Avatar(
        info=model.info,
        parts=tuple(parts),
        bones=skeleton,
        visemes=visemes_of(model.expression_names),
        occlusion_roughness_png=occlusion_roughness_png(model),
        normal_png=normal_png,
        hair_png=None if hanging is None else png_bytes(hanging.srgb),
    )


def _hair_part(hanging: HairMesh, skeleton: tuple[Bone, ...]) -> AvatarPart:
    """It goes with the head, whatever the neck and the face do."""
    vertices = hanging.vertices_mm.numpy()
    weights = np.zeros((len(vertices), len(skeleton)))
    weights[:, [bone.name for bone in skeleton].index("head")] = 1.0
    return AvatarPart(
        name=HANGING,
        positions_mm=vertices,
        normals=_unit(hanging.normals.numpy()),
        uv=hanging.uv.numpy(),
        triangles=hanging.topology.triangles.numpy(),
        bone_weights=weights,
        targets=(),
    )


def avatar_vertices(model: MorphableModel) -> dict[str, Int[np.ndarray, "split"]]:
    """Which vertex of the model's surface each vertex of an avatar's parts is, by their names."""
    return {name: split.vertex for name, split in _things(model).items()}


@kept()
def _things(model: MorphableModel) -> dict[str, SplitVertices]:
    """The same for all people."""
    return split_things(model, drawn_surface(model))


def _unit(vectors: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
    """Unit vectors; one that is zero (a vertex of no area) points forward, as glTF wants length."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    forward = np.array([0.0, 0.0, 1.0], vectors.dtype)
    return np.where(length > 1e-6, vectors / np.maximum(length, 1e-6), forward)
