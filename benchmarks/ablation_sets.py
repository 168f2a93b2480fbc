"""The faces that the ablation is run on, and what each fit of them is measured by."""

import os
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from fit3dmm._errors import InputError
from fit3dmm.evaluate.preset_fitter import face_of_scene
from fit3dmm.evaluate.protocol import Case
from fit3dmm.evaluate.synthetic import Synthetic, make_set
from fit3dmm.evaluate.synthetic.scores import score_face
from fit3dmm.model.library import installed_models
from fit3dmm.synthetic.truth import read_truth
from real_fits import RealFit, fit_photo
from real_heads import ScannedHead, View, find_jon, find_lee_perry_smith
from regressor_subjects import OTHERS
from variants import VARIANTS, Trial, trial_of

GENERATED, ICT, LEE_PERRY_SMITH, JON = "generated", "ict", "lee-perry-smith", "jon"
SETS = (GENERATED, ICT, LEE_PERRY_SMITH, JON)
"""In the order of the report: the shared metrics' names mean the first."""
REPORTED_ONLY = (LEE_PERRY_SMITH,)
"""Nothing is chosen by these, so nothing is judged on them."""
NUMBERS = (
    "neutral_mm",
    "neutral_scaled_mm",
    "now_median_mm",
    "nme_percent",
    "rotation_deg",
    "distance_percent",
)
SECONDS = "seconds"
_HEADS = {JON: find_jon, LEE_PERRY_SMITH: find_lee_perry_smith}

Results = Mapping[str, Mapping[str, float]]
"""The numbers of one case by variant; a variant whose fit could not be scored is left out."""
Trials = Mapping[str, Callable[[Sequence[str]], Results]]
"""By case: what fits it by some variants."""


def trials_on(name: str, options: Namespace, jobs: int) -> Trials | None:
    """The cases of a set; None where this machine hasn't got it, which is said.

    Args:
        name: of `SETS`.
        options: how many, of which split, kind and size, and where photos are kept.
        jobs: processes that make photos.
    """
    if name in _HEADS:
        head = _HEADS[name]()
        if head is None:
            folder = name.replace("-", "_")
            print(f"{name} was left out: FIT3DMM_SHARED does not lead to data/{folder}/.")
            return None
        views = _spread(head.views, options.cases)
        return {view.name: partial(try_view, view, head) for view in views}
    identities = "commons" if name == GENERATED else _ict()
    if identities is None:
        print(
            f"{ICT} was left out: get the model by `fit3dmm model download ict`, or say in "
            f"{OTHERS} which file it is."
        )
        return None
    protocol = Synthetic(
        options.cases, options.seed, options.split, options.kind, options.photo_px, options.edition
    )
    # The folder of one set has one sheet of photos.
    out = options.out / (options.kind if name == GENERATED else f"{ICT}-{options.kind}")
    folder = make_set(protocol, out, identities, jobs=jobs)
    return {case.name: partial(try_case, case) for case in protocol.list_cases(folder)}


def try_case(case: Case, names: Sequence[str]) -> Results:
    """Photo, detection and truth are read once for all variants; nothing where no face is found."""
    default = load_trial(case)
    if default is None or default.truth is None:
        return {}
    results: dict[str, Mapping[str, float]] = {}
    for name in names:
        try:
            scene, seconds = VARIANTS[name].change(default).run()
            face = face_of_scene(scene, default.prepared.model, has_light=True)
            numbers, _ = score_face(default.truth, face)
        except InputError as error:
            print(f"case {case.name}, {name}: {error}")
            continue
        found = {number: float(numbers[number]) for number in NUMBERS} | {SECONDS: seconds}
        if np.isfinite(list(found.values())).all():
            results[name] = found
    return results


def load_trial(case: Case) -> Trial | None:
    """The default fit of a case before it is run; None where no face is found."""
    assert case.photo is not None
    truth = read_truth(case.truth[0])
    return trial_of(case.photo, truth, truth.focal_px)


def try_view(view: View, head: ScannedHead, names: Sequence[str]) -> Results:
    """The same of a photo of a scanned head, by the variants that need no more than its camera."""
    possible = [name for name in names if not VARIANTS[name].needs_truth]
    fits = fit_photo(view.photo, possible, head, view.focal_px)
    return {name: _numbers_of(fit, view) for name, fit in fits.items()}


def _numbers_of(fit: RealFit, view: View) -> Mapping[str, float]:
    """NoW's distances, and of the camera what is known without the size of the head."""
    numbers = {**fit.now, "focal_percent": _percent(fit.focal_px, view.focal_px)}
    if view.distance_mm is not None:
        numbers["distance_percent"] = _percent(fit.distance_mm, view.distance_mm)
    return numbers


def _percent(found: float, true: float) -> float:
    return 100 * abs(float(np.log(found / true)))


def _spread(views: Sequence[View], cases: int) -> list[View]:
    """As many as are asked for, evenly over the list, which goes by turn and distance."""
    places = np.linspace(0, len(views) - 1, min(cases, len(views)))
    return [views[place] for place in np.unique(places.round().astype(int))]


def _ict() -> str | None:
    """The file of ICT's model."""
    named = os.environ.get(OTHERS)
    if named and Path(named).is_file():
        return named
    installed = installed_models().get(ICT)
    return None if installed is None else str(installed)
