"""The morphable model: linear synthesis of shape and albedo from coefficients."""

from dataclasses import dataclass, field
from functools import cached_property

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fit3dmm._tensors import TensorRecord
from fit3dmm.geometry.surface_points import SurfacePoints
from fit3dmm.model.rig import Rig
from fit3dmm.model.surface import Surface
from fit3dmm.model.tone import Tone, outer_face, tone_of


@dataclass(frozen=True)
class ModelInfo:
    """Where a model comes from and what may be done with it. Travels with every file and result."""

    name: str
    """Short name, such as `commons`."""
    family: str
    """Which reader made it: `commons`, `ict`, `gnm`, `flame`, `bfm2009`, `bfm2017`, `bfm2019`."""
    version: str
    licence: str
    """SPDX identifier, or the licence's name where it has none."""
    provenance: str
    """Sources, in sentences."""
    citation: str = ""
    notes: str = ""
    """What a user must know: what was converted how, what was not run on the real file."""


@dataclass(frozen=True)
class Coefficients(TensorRecord):
    """What is particular to a face. A vector space; short vectors use the first components only.

    Source: the linear model of V. Blanz, T. Vetter, "A morphable model for the synthesis of 3D
    faces", SIGGRAPH 1999, with expressions added as in Deng et al. 2019, equation 1.
    """

    identity: Float[Tensor, "*batch identity"]
    """Of the principal components of neutral heads, in sigmas."""
    detail: Float[Tensor, "*batch detail"]
    """Of the smooth deformations beyond them, in sigmas of their own prior."""
    expression: Float[Tensor, "*batch expression"]
    """Activations of named blendshapes within bounds, or sigmas of a PCA basis."""
    albedo: Float[Tensor, "*batch albedo"]
    """Of the colour components, in sigmas."""
    joints_rad: Float[Tensor, "*any turns"] = field(default_factory=lambda: torch.zeros(0))
    """Rotation vectors of the joints of a model that has any, joint after joint; no numbers leave
    them at rest."""

    def __add__(self, other: "Coefficients") -> "Coefficients":
        return self._combine(other, 1.0)

    def __sub__(self, other: "Coefficients") -> "Coefficients":
        return self._combine(other, -1.0)

    def __mul__(self, factor: float | Tensor) -> "Coefficients":
        return self.map(lambda values: values * factor)

    __rmul__ = __mul__

    def _combine(self, other: "Coefficients", sign: float) -> "Coefficients":
        def add(a: Tensor, b: Tensor) -> Tensor:
            n = max(a.shape[-1], b.shape[-1])
            return _padded(a, n) + sign * _padded(b, n)

        return Coefficients(
            add(self.identity, other.identity),
            add(self.detail, other.detail),
            add(self.expression, other.expression),
            add(self.albedo, other.albedo),
            add(self.joints_rad, other.joints_rad),
        )

    def neutral(self) -> "Coefficients":
        """The same person with the face at rest."""
        return self.replace(
            expression=torch.zeros_like(self.expression),
            joints_rad=torch.zeros_like(self.joints_rad),
        )


def _padded(values: Tensor, n: int) -> Tensor:
    return torch.nn.functional.pad(values, (0, n - values.shape[-1]))


@dataclass(frozen=True)
class MorphableModel(TensorRecord):
    """A linear model of faces: shape in mm in the `model` frame, albedo in linear RGB.

    Bases are coefficient-major and carry their sigmas (see docs/conventions.md). Shapes are decoded
    on the base mesh and lifted to the surface, which costs a fraction of a dense basis there.
    """

    info: ModelInfo
    surface: Surface
    mean_mm: Float[Tensor, "base 3"]
    identity_basis_mm: Float[Tensor, "identity base 3"]
    detail_basis_mm: Float[Tensor, "detail base 3"]
    """Smooth deformations that the principal components miss; no rows where a model has none."""
    expression_basis_mm: Float[Tensor, "expression base 3"]
    expression_names: tuple[str, ...]
    """ARKit's names where a blendshape means the same."""
    expression_sigma: Float[Tensor, "expression"]
    """Prior standard deviation of each coefficient around rest."""
    expression_bounds: Float[Tensor, "expression 2"]
    """Lowest and highest admissible coefficient; infinite for a PCA basis."""
    expression_covariance_factor: Float[Tensor, "expression expression"]
    """Lower triangular L: L L^T is the prior covariance of the coefficients around rest. Diagonal
    where a model knows no correlations; the rows' lengths are `expression_sigma`."""
    albedo_mean_linear: Float[Tensor, "vertices 3"]
    albedo_basis_linear: Float[Tensor, "albedo vertices 3"]
    landmarks: dict[str, SurfacePoints[Tensor]]
    """Point sets: `ibug68`, `mediapipe478`, `now7`."""
    contours: dict[str, SurfacePoints[Tensor]]
    """Candidate lines for points that slide along the visible contour: `jaw17`."""
    regions: dict[str, Float[Tensor, "vertices"]]
    """Weights 0..1: `face`, `skin`, `lips`, `eyes`, `mouth_interior`, `eye_left`, ..."""
    parts: dict[str, Bool[Tensor, "triangles"]]
    """Triangles of each thing: `skin`, `eye_left`, `teeth_upper`, `tongue`, ... Each triangle
    belongs to one."""
    joints: dict[str, Float[Tensor, "base"]]
    """Weights of the base vertices that give the centre about which a part turns: `eye_left`,
    `eye_right`, `jaw`; none where a model knows none."""
    rig: Rig | None = None
    """Joints that turn parts of the head; None where all that moves is linear."""

    @property
    def n_identity(self) -> int:
        return self.identity_basis_mm.shape[0]

    @property
    def n_detail(self) -> int:
        return self.detail_basis_mm.shape[0]

    @property
    def n_expression(self) -> int:
        return self.expression_basis_mm.shape[0]

    @property
    def n_albedo(self) -> int:
        return self.albedo_basis_linear.shape[0]

    @property
    def n_turns(self) -> int:
        """Numbers that say how its joints are turned."""
        return 0 if self.rig is None else self.rig.n_turns

    @property
    def n_vertices(self) -> int:
        return self.surface.n_vertices

    @cached_property
    def tone(self) -> Tone:
        """How light its faces are.

        Raises:
            KeyError: the model has no face region.
        """
        face = outer_face(self.regions).to(self.albedo_mean_linear)
        return tone_of(self.albedo_mean_linear, self.albedo_basis_linear, face)

    def zeros(self, *batch: int) -> Coefficients:
        """The mean face at rest."""

        def zero(n: int) -> Tensor:
            return self.mean_mm.new_zeros(*batch, n)

        return Coefficients(
            zero(self.n_identity),
            zero(self.n_detail),
            zero(self.n_expression),
            zero(self.n_albedo),
            zero(self.n_turns),
        )

    def sample(
        self,
        *batch: int,
        generator: torch.Generator,
        expression: bool = False,
        by_tone: bool = True,
    ) -> Coefficients:
        """Draw people from the prior.

        Expressions stay within their bounds: the size of a normal draw, on the admissible side.

        Args:
            batch: how many.
            generator: of random numbers.
            expression: whether they show any.
            by_tone: whether colours differ as skins of their tone do (`Tone.drawn`), or by the
                prior's own sigmas at every tone, which leaves blotches on very dark skin.
        """

        def normal(n: int) -> Tensor:
            draw = torch.randn(*batch, n, generator=generator, device=generator.device)
            return draw.to(self.mean_mm)

        drawn = Coefficients(
            normal(self.n_identity),
            normal(self.n_detail),
            normal(self.n_expression) @ self.expression_covariance_factor.mT,
            normal(self.n_albedo),
        )
        if by_tone and self.n_albedo and "face" in self.regions:
            drawn = drawn.replace(albedo=self.tone.drawn(drawn.albedo))
        if not expression:
            return drawn.replace(joints_rad=self.zeros(*batch).joints_rad).neutral()
        low, high = self.expression_bounds.unbind(-1)
        one_sided = torch.where(low >= 0, drawn.expression.abs(), drawn.expression)
        shown = drawn.replace(expression=torch.minimum(torch.maximum(one_sided, low), high))
        if self.rig is None:
            return shown.replace(joints_rad=self.zeros(*batch).joints_rad)
        least, most = self.rig.bounds_rad.unbind(-1)
        turned = normal(self.n_turns) * self.rig.sigma_rad
        return shown.replace(joints_rad=torch.minimum(torch.maximum(turned, least), most))

    def base_shape_mm(self, coefficients: Coefficients) -> Float[Tensor, "*batch base 3"]:
        """Positions of the base vertices."""
        rest_mm = (
            self.mean_mm
            + _combination(coefficients.identity, self.identity_basis_mm)
            + _combination(coefficients.detail, self.detail_basis_mm)
            + _combination(coefficients.expression, self.expression_basis_mm)
        )
        return rest_mm if self.rig is None else self.rig.moved(rest_mm, coefficients.joints_rad)

    def shape_mm(self, coefficients: Coefficients) -> Float[Tensor, "*batch vertices 3"]:
        """Positions of the surface vertices in the `model` frame."""
        return self.surface.lift(self.base_shape_mm(coefficients))

    def albedo_linear(self, coefficients: Coefficients) -> Float[Tensor, "*batch vertices 3"]:
        """Diffuse colour of the surface vertices. Not clipped, so that it stays linear."""
        return self.albedo_mean_linear + _combination(coefficients.albedo, self.albedo_basis_linear)

    def landmarks_mm(
        self, name: str, coefficients: Coefficients
    ) -> Float[Tensor, "*batch_points 3"]:
        """Positions of a point set, shape `(*batch, *points, 3)`."""
        return self.landmarks[name].locate(self.shape_mm(coefficients), self.surface.triangles)

    def joint_mm(self, name: str, coefficients: Coefficients) -> Float[Tensor, "*batch 3"]:
        """Where a joint of the head lies, in the `model` frame: expressions do not move it.

        Raises:
            KeyError: the model has no such joint.
        """
        if name not in self.joints:
            raise KeyError(f"The model has the joints {sorted(self.joints)}, not {name!r}.")
        rest = self.base_shape_mm(coefficients.neutral())
        return torch.einsum("b,...bc->...c", self.joints[name], rest)

    def in_parts(self, *names: str) -> Bool[Tensor, "vertices"]:
        """Vertices of the named parts; a rim between two parts belongs to both. A part that the
        model does not have is empty."""
        inside = torch.zeros(self.n_vertices, dtype=torch.bool, device=self.mean_mm.device)
        for name in names:
            if name in self.parts:
                inside[self.surface.triangles[self.parts[name]].flatten()] = True
        return inside

    def truncated(
        self, identity: int | None = None, detail: int | None = None, albedo: int | None = None
    ) -> "MorphableModel":
        """The model with its first components only."""
        return self.replace(
            identity_basis_mm=self.identity_basis_mm[:identity],
            detail_basis_mm=self.detail_basis_mm[:detail],
            albedo_basis_linear=self.albedo_basis_linear[:albedo],
        )


def _combination(
    coefficients: Float[Tensor, "*batch n"], basis: Float[Tensor, "k base c"]
) -> Float[Tensor, "*batch base c"]:
    n = coefficients.shape[-1]
    if n > basis.shape[0]:
        raise ValueError(
            f"The model has {basis.shape[0]} components of this kind, got {n} coefficients: "
            "pass at most as many (fewer use the first ones)."
        )
    combined = coefficients @ basis[:n].flatten(1)
    return combined.unflatten(-1, basis.shape[1:])
