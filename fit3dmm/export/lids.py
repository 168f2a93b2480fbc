"""What lids do to the look of eyes: the shade that they cast, the dark line of their lashes, and
their crease, which a shut one is smooth without.

A mesh has no lashes and a viewer casts no shadows in eyes, and eyes without either stare.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm._kept import kept
from fit3dmm._settings import Settings, ranged
from fit3dmm.export.organs import organs
from fit3dmm.export.smoothing import ramp
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.observe.detection import MEDIAPIPE_POINTS
from fit3dmm.observe.white_references import EYES

_EYEBALLS = ("eye_right", "eye_left")
_BEHIND_MM = 1.5


@dataclass(frozen=True)
class LidSettings(Settings):
    """Shares of light, and lengths at rest: judgements by looking at avatars."""

    shade: float = ranged(0.45, 0.0, 1.0)
    """What the upper lid takes from the light on the eyeball at its edge."""
    reach: tuple[float, float] = ranged((0.0, 1.0), -2.0, 2.0)
    """Where that begins above the middle of the iris and where it is all, in radii of the iris."""
    corners: float = ranged(0.25, 0.0, 1.0)
    """What the corners of the eyes lose."""
    corners_from: tuple[float, float] = (1.2, 2.2)
    """Where that begins beside the middle of the iris and where it is all."""
    upper_lashes: float = ranged(0.75, 0.0, 1.0)
    """What the lashes of the upper lid take from the light on its edge."""
    lower_lashes: float = ranged(0.25, 0.0, 1.0)
    """The same of the lower lid."""
    lash_mm: tuple[float, float] = ranged((0.4, 1.4), 0.0)
    """Distance from the edge, as seen from the front, within which lashes hide it, and beyond which
    they don't."""
    ball_mm: float = ranged(9.0, 0.0)
    """No lash grows farther from the eyeball than this."""
    margin_mm: float = ranged(6.5, 0.0)
    """Depth of what counts as the edge: from the front a lid's whole margin is a line, and where a
    camera looks along it a bright seam between lashes and eye."""
    crease: float = ranged(0.4, 0.0, 1.0)
    """What is taken from the light in the crease of the upper lid, which no photo of an open eye
    shows."""
    crease_mm: float = ranged(6.0, 0.0)
    """Its height over the line between the corners in the middle of a shut eye; a third of that at
    the corners."""
    crease_width_mm: float = ranged(0.9, 0.1)
    """Standard deviation of its shade across, of a shut eye."""


@kept(most=2)
def under_lids(model: MorphableModel, settings: LidSettings) -> Float[Tensor, "vertices"]:
    """Share of the light that reaches each vertex of the eyeballs; 1 elsewhere.

    Args:
        model: at rest.
        settings: how much lids shade.
    """
    light = torch.ones_like(model.regions["face"])
    marks_mm = _marks(model)
    if marks_mm is None:
        return light
    rest_mm = model.shape_mm(model.zeros())
    for ball, (_, _, iris) in zip(_EYEBALLS, EYES, strict=True):
        rows = torch.nonzero(model.regions[ball] > 0.5)[:, 0]
        middle = marks_mm[iris][0]
        radius_mm = (marks_mm[iris][1:] - middle).norm(dim=1).mean()
        right, up = ((rest_mm[rows] - middle) / radius_mm)[:, :2].unbind(1)
        above = 1 - settings.shade * ramp(up, settings.reach)
        light[rows] = above * (1 - settings.corners * ramp(right.abs(), settings.corners_from))
    return light


@kept(most=2)
def at_lashes(model: MorphableModel, settings: LidSettings) -> Float[Tensor, "vertices"]:
    """Share of a vertex's colour that lashes leave: less at the edges of the lids, else 1.

    Args:
        model: at rest.
        settings: how dark lashes are.
    """
    light = torch.ones_like(model.regions["face"])
    marks_mm = _marks(model)
    if marks_mm is None:
        return light
    rest_mm = model.shape_mm(model.zeros())
    skin_mask = (model.regions["face"] > 0) & (organs(model) == 0)
    on_base = model.mean_mm.shape[0]
    for ball, (upper, lower, _) in zip(_EYEBALLS, EYES, strict=True):
        # What lies farther off, as seen from the front, than lashes reach is left as it is.
        edges = marks_mm[[*upper, *lower]][:, :2]
        low, high = edges.amin(0) - settings.lash_mm[1], edges.amax(0) + settings.lash_mm[1]
        near = ((rest_mm[:, :2] > low) & (rest_mm[:, :2] < high)).all(1)
        skin = torch.nonzero(skin_mask & near)[:, 0]
        eye_mm = rest_mm[:on_base][model.regions[ball][:on_base] > 0.5]
        from_eye_mm = torch.cdist(rest_mm[skin], eye_mm).amin(1) if len(eye_mm) else 0.0
        far_mm = torch.as_tensor(from_eye_mm - settings.ball_mm).clamp_min(0)
        for edge, dark in ((upper, settings.upper_lashes), (lower, settings.lower_lashes)):
            line = marks_mm[list(edge)]
            away_mm, deep_mm = _distances(rest_mm[skin], line)
            away_mm = away_mm + far_mm + (deep_mm.abs() - settings.margin_mm).clamp_min(0)
            share = 1 - dark * (1 - ramp(away_mm, settings.lash_mm))
            light[skin] = torch.minimum(light[skin], share)
    return light


@kept(most=2)
def at_creases(model: MorphableModel, settings: LidSettings) -> Float[Tensor, "vertices"]:
    """Share of the light that reaches each vertex of the upper lids: less in their creases, else 1.

    Args:
        model: whose eyes shut by ARKit's names; without these lids have no creases.
        settings: how deep they are.
    """
    light = torch.ones_like(model.regions["face"])
    blinks = [name.startswith("eyeBlink") for name in model.expression_names]
    if _marks(model) is None or not any(blinks):
        return light
    shut = model.zeros()
    shut = shut.replace(expression=shut.expression + shut.expression.new_tensor(blinks))
    shut_mm = model.shape_mm(shut)
    marks_mm = model.landmarks[MEDIAPIPE_POINTS].locate(shut_mm, model.surface.triangles)
    skin = torch.nonzero((model.regions["face"] > 0) & (organs(model) == 0))[:, 0]
    points = shut_mm[skin]
    for upper, _, _ in EYES:
        line = marks_mm[list(upper)]
        _, deep_mm = _distances(points, line)
        first, last = line[0], line[-1]
        along = (points[:, 0] - first[0]) / (last[0] - first[0])
        across = 2 * along - 1
        # Behind the edge lies the lining, and beyond the corners the face.
        on_lid = (deep_mm > -_BEHIND_MM) & (across.abs() < 1)
        high_mm = points[:, 1] - torch.lerp(first[1], last[1], along)
        arc_mm = settings.crease_mm * (1 - 2 / 3 * across.square())
        off = (high_mm - arc_mm) / settings.crease_width_mm
        shade = settings.crease * (-0.5 * off.square()).exp() * (1 - across**4).clamp_min(0)
        light[skin] = torch.minimum(light[skin], 1 - shade * on_lid)
    return light


def _marks(model: MorphableModel) -> Float[Tensor, "478 3"] | None:
    known = model.landmarks.get(MEDIAPIPE_POINTS)
    if known is None or any(name not in model.regions for name in _EYEBALLS):
        return None
    return known.locate(model.shape_mm(model.zeros()), model.surface.triangles)


def _distances(
    points: Float[Tensor, "points 3"], line: Float[Tensor, "n 3"]
) -> tuple[Float[Tensor, "points"], Float[Tensor, "points"]]:
    """From the nearest place on a line of straight pieces, as seen from the front, to each point:
    how far that is across the view, and how far along it."""
    start, along = line[:-1], line[1:] - line[:-1]
    from_start = points[:, None] - start
    flat = along[:, :2]
    share = (from_start[..., :2] * flat).sum(-1) / flat.square().sum(-1).clamp_min(1e-9)
    off = from_start - share.clamp(0, 1)[..., None] * along
    away, piece = off[..., :2].norm(dim=-1).min(1)
    return away, off[torch.arange(len(points)), piece, 2]
