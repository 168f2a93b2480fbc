"""What settings say, in words: terms with the units of their weights, unknowns, and stages."""

import re
from dataclasses import dataclass, fields
from typing import Any

from fit3dmm.fitting.config import FitConfig
from fit3dmm.fitting.evidence import Evidence
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.solve.first_order import LBFGS, Adam
from fit3dmm.unknowns import DETECTOR_MODES, LOG_FOCAL, UNKNOWNS, starts

# Of settings, by the ends of their names; the first that fits.
_UNITS = (
    ("_mm", "mm"), ("_px", "px"), ("_linear", "of linear white"), ("_srgb", "of sRGB white"),
    ("log_sigma", "as a logarithm"), ("robust_scale", "sigmas"), ("_scale", "times"),
    ("_floor", "of a point"), ("_share", "of the sigma"), ("sure_from", "probability"),
    ("emphasis", "times"), ("typical_to_side", "longer sides"), ("sigma_range", "of the light"),
    ("_slope", "of a logarithm"), ("n_samples", "points"), ("n_directions", "rows"),
    ("alike", "correlation"),
)  # fmt: skip


@dataclass(frozen=True)
class SettingLine:
    """One number of a term."""

    name: str
    value: int | float | tuple[int | float, ...]
    unit: str


@dataclass(frozen=True)
class TermLine:
    """What a term is."""

    name: str
    what: str
    """A sentence, without its full stop."""
    counts: float
    """How many times as much as its sigmas say."""
    settings: tuple[SettingLine, ...]
    stages: tuple[str, ...]
    """In which it counts."""


@dataclass(frozen=True)
class UnknownLine:
    """What a fit moves."""

    name: str
    per: str
    size: int | None
    """Numbers of it; None where a detector decides."""
    stages: tuple[str, ...]


@dataclass(frozen=True)
class StageLine:
    """One minimisation."""

    name: str
    solver: str
    blur_px: float
    unknowns: tuple[str, ...]
    terms: tuple[str, ...]


@dataclass(frozen=True)
class Explanation:
    """Settings in words."""

    preset: str
    camera: str
    crop: str
    terms: tuple[TermLine, ...]
    unknowns: tuple[UnknownLine, ...]
    stages: tuple[StageLine, ...]


def explain(config: FitConfig, model: MorphableModel) -> Explanation:
    """Say what a fit by these settings minimises, over what, and how.

    Args:
        config: the settings.
        model: whose coefficients are counted.
    """
    sizes = {name: start.numel() for name, start in starts(model).items()}
    used = dict.fromkeys(name for stage in config.stages for name in stage.terms)
    moved = dict.fromkeys(name for stage in config.stages for name in stage.free)
    if config.focal_px is not None or config.crop_focal_px is not None:
        moved.pop(LOG_FOCAL, None)
    return Explanation(
        config.preset,
        _camera(config),
        f"{config.size_px} px, by {config.crop}",
        tuple(_term(name, config) for name in used),
        tuple(
            UnknownLine(
                name,
                UNKNOWNS[name].per,
                None if name == DETECTOR_MODES else sizes[name],
                tuple(stage.name for stage in config.stages if name in stage.free),
            )
            for name in moved
        ),
        tuple(
            StageLine(
                stage.name,
                _solver(stage.solver),
                stage.blur_px,
                tuple(name for name in stage.free if name in moved),
                stage.terms,
            )
            for stage in config.stages
        ),
    )


def unit_of(evidence: Evidence, setting: str) -> str:
    """The unit of a setting: by its name, or else that of the evidence."""
    for end, unit in _UNITS:
        if setting.endswith(end):
            return unit
    return evidence.unit


def _term(name: str, config: FitConfig) -> TermLine:
    evidence = config.evidence()[name]
    first = re.sub(r"\s*\(`[^)]*`\)", "", (type(evidence).__doc__ or "").strip().split("\n\n")[0])
    what = " ".join(first.split()).split(". ")[0].rstrip(".")
    settings = tuple(
        SettingLine(one.name, value, unit_of(evidence, one.name))
        for one in fields(evidence)
        if _is_number(value := getattr(evidence, one.name))
    )
    stages = tuple(stage.name for stage in config.stages if name in stage.terms)
    return TermLine(name, what, config.share_of(name), settings, stages)


def _is_number(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(map(_is_number, value))
    return isinstance(value, int | float) and not isinstance(value, bool)


def _camera(config: FitConfig) -> str:
    if config.focal_px is not None:
        return f"focal length {config.focal_px:g} px, axis through the middle of the photo"
    if config.crop_focal_px is not None:
        return f"focal length {config.crop_focal_px:g} px in a crop of 224, through its middle"
    return "focal length by EXIF or estimated, axis through the middle of the photo"


def _solver(solver: Any) -> str:
    if isinstance(solver, Adam):
        return f"Adam, {solver.max_steps} steps"
    if isinstance(solver, LBFGS):
        return f"L-BFGS, up to {solver.max_steps} steps"
    return f"Levenberg-Marquardt, up to {solver.max_steps} steps"
