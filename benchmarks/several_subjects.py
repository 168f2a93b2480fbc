"""People in several photos: each fitted alone and some together, held against what is true."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fit3dmm._content import content_key
from fit3dmm.evaluate.cache import load_note, store_note
from fit3dmm.evaluate.identity import NeutralFace
from fit3dmm.evaluate.preset_fitter import (
    face_of_scene,
    fingerprint,
    observe_largest,
    prepared_model,
)
from fit3dmm.evaluate.synthetic.scores import score_mesh
from fit3dmm.fitting import FitConfig, SeveralFit, fit_observation, fit_together
from fit3dmm.geometry.triangle_mesh import Mesh
from fit3dmm.model.files import load_model
from fit3dmm.model.landmarks import NOW7_IN_IBUG68
from fit3dmm.observe.observation import Observation
from fit3dmm.scene import Scene
from fit3dmm.synthetic.generate import generate_set
from fit3dmm.synthetic.specification import specify_sitting
from fit3dmm.synthetic.truth import Truth, read_truth
from known_points import POINTS, TRUE, prepared_for_true_points, seen_as
from real_fits import face_rows
from real_heads import ScannedHead

MODEL = "commons"
STRANGER = "stranger"
"""Five photos of which the last is of somebody else."""
_OF_STRANGER = 5


@dataclass(frozen=True)
class Sitting:
    """Photos of one synthetic person."""

    seed: int
    person: int
    photos: int
    photo_px: int
    folder: Path

    def made(self) -> list[Path]:
        """The photos, which are generated where they are not there yet."""
        cases = specify_sitting(self.seed, self.person, self.photos, photo_px=self.photo_px)
        generate_set(cases, MODEL, self.folder)
        return [self.folder / f"{case.name}.jpg" for case in cases]


def score_sitting(
    sitting: Sitting, counts: Sequence[int], stranger: Sitting | None
) -> dict[str, Any]:
    """NoW's medians of one person, and how long fits took; kept beside the photos.

    Args:
        sitting: of the person.
        counts: how many of the photos are fitted together.
        stranger: somebody whose first photo is put among five of the person's.
    """
    photos = sitting.made()
    others = [] if stranger is None else stranger.made()[:1]
    key = content_key("several", _fingerprint(), repr(tuple(counts)), *photos, *others)
    kept = load_note(sitting.folder / "scores", key)
    if kept is not None:
        return kept
    prepared = prepared_model(MODEL, FitConfig().photometric.n_samples)
    truth = read_truth(photos[0].with_suffix(".h5"))
    seen = _observed(photos)
    singles = [fit_observation(one, prepared) for one in seen]
    scene = singles[0].scene
    found: dict[str, Any] = {
        "photos": len(seen),
        "single": [_synthetic_mm(one.scene, truth) for one in singles],
        "seconds": [one.seconds for one in singles],
        "mean face": _synthetic_mm(scene.replace(coefficients=prepared.model.zeros()), truth),
        "ceiling": _synthetic_mm(_own_scene(scene, truth), truth),
    }
    for n in counts:
        if 2 <= n <= len(seen):
            together = fit_together(prepared, seen[:n])
            found[str(n)] = {
                "mm": _synthetic_mm(_person(together), truth),
                "seconds": together.seconds,
                "outliers": list(together.outliers),
                "contradict": together.contradict,
                "odds": list(together.same_person_log_odds),
                "shares": list(together.information_share),
            }
    if others and len(seen) >= _OF_STRANGER:
        found[STRANGER] = _with_stranger(seen[: _OF_STRANGER - 1], _observed(others))
    store_note(sitting.folder / "scores", key, found)
    return found


def score_points(sitting: Sitting, photos: int) -> dict[str, Any]:
    """NoW's medians of one person by points that err less; kept beside the photos.

    Args:
        sitting: of the person.
        photos: how many of them are fitted together.

    Returns:
        For each of `POINTS` the median together, and the mean of those of single fits.
    """
    files = sitting.made()[:photos]
    key = content_key("several by points", _fingerprint(), *files)
    kept = load_note(sitting.folder / "scores", key)
    if kept is not None:
        return kept
    config = FitConfig()
    prepared = prepared_model(MODEL, config.photometric.n_samples)
    seen = [observe_largest(photo, prepared, config) for photo in files]
    truths = [read_truth(photo.with_suffix(".h5")) for photo in files]
    pairs = [(one, truth) for one, truth in zip(seen, truths, strict=True) if one is not None]
    seen, truths = [one for one, _ in pairs], [truth for _, truth in pairs]
    found: dict[str, Any] = {}
    for points in POINTS:
        model = prepared
        if points == TRUE:
            model = prepared_for_true_points(prepared, config.photometric.n_samples)
        altered = seen_as(points, seen, truths, prepared, config)
        singles = [fit_observation(one, model).scene for one in altered]
        found[points] = {
            "single": float(np.mean([_synthetic_mm(one, truths[0]) for one in singles])),
            "mm": _synthetic_mm(_person(fit_together(model, altered)), truths[0]),
        }
    store_note(sitting.folder / "scores", key, found)
    return found


def _with_stranger(own: list[Observation], others: list[Observation]) -> dict[str, Any]:
    """How far a stranger's photo moves the face, and whether it is found."""
    prepared = prepared_model(MODEL, FitConfig().photometric.n_samples)
    without, with_one = fit_together(prepared, own), fit_together(prepared, [*own, *others])
    model, rows = prepared.model, torch.from_numpy(face_rows())
    before, after = (
        model.base_shape_mm(one.identity)[rows].double() for one in (without, with_one)
    )
    return {
        "moved_mm": float((before - after).norm(dim=1).mean()),
        "found": float(len(own) in with_one.outliers),
        "odds": list(with_one.same_person_log_odds),
    }


def score_head(head: ScannedHead, names: Sequence[str]) -> dict[str, Any]:
    """NoW's medians of a scanned head by some of its photos, alone and together."""
    views = [view for view in head.views if view.name in names]
    seen = _observed([view.photo for view in views])
    prepared = prepared_model(MODEL, FitConfig().photometric.n_samples)
    found: dict[str, Any] = {
        "single": [_scan_mm(fit_observation(one, prepared).scene, head) for one in seen]
    }
    together = fit_together(prepared, seen)
    return {**found, "mm": _scan_mm(_person(together), head), "outliers": together.outliers}


def neutral_faces(photos: Sequence[Path]) -> tuple[list[NeutralFace], NeutralFace]:
    """Somebody's neutral face by each photo alone, and by all together."""
    prepared = prepared_model(MODEL, FitConfig().photometric.n_samples)
    seen = _observed(photos)
    singles = [_neutral(fit_observation(one, prepared).scene) for one in seen]
    return singles, _neutral(_person(fit_together(prepared, seen)))


def _observed(photos: Sequence[Path]) -> list[Observation]:
    prepared = prepared_model(MODEL, FitConfig().photometric.n_samples)
    seen = (observe_largest(photo, prepared, FitConfig()) for photo in photos)
    return [one for one in seen if one is not None]


def _person(together: SeveralFit) -> Scene:
    return together.scenes[0].replace(coefficients=together.identity)


def _own_scene(scene: Scene, truth: Truth) -> Scene:
    """The person as far as the model can have them: their deformation is orthogonal to it."""
    model = load_model(MODEL)
    seed = int(truth.case.generator("identity").integers(2**62))
    own = model.sample(generator=torch.Generator().manual_seed(seed))
    return scene.replace(coefficients=own.neutral())


def _synthetic_mm(scene: Scene, truth: Truth) -> float:
    numbers, _ = score_mesh(truth, *_mesh(scene))
    return float(numbers["now_median_mm"])


def _scan_mm(scene: Scene, head: ScannedHead) -> float:
    mesh, seven = _mesh(scene)
    return head.now_errors(mesh.vertices, mesh.triangles, seven)["now_median_mm"]


def _mesh(scene: Scene) -> tuple[Mesh, np.ndarray]:
    model = prepared_model(MODEL, FitConfig().photometric.n_samples).model
    face = face_of_scene(scene, model, has_light=False)
    points = face.ibug68.take(NOW7_IN_IBUG68)
    seven = points.locate(face.neutral_mm, face.triangles)
    return Mesh(face.neutral_mm, face.triangles), seven


def _neutral(scene: Scene) -> NeutralFace:
    model = prepared_model(MODEL, FitConfig().photometric.n_samples).model
    face = face_of_scene(scene, model, has_light=False)
    points = face.ibug68.locate(face.neutral_mm, face.triangles)
    return NeutralFace(face.neutral_mm[face_rows()], points)


def _fingerprint() -> str:
    return fingerprint(MODEL, str(FitConfig()))
