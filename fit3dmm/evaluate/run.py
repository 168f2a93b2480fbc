"""Run a protocol over a set: list, fit if asked, score, report. Interrupt it and run it again."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fit3dmm._content import content_key
from fit3dmm._errors import InputError
from fit3dmm._parallel import Progress, run_in_parallel
from fit3dmm.evaluate.cache import load_note, load_score, store_note, store_score
from fit3dmm.evaluate.fitter import Fitter, SeveralFitter
from fit3dmm.evaluate.own_folder import claim_folder
from fit3dmm.evaluate.protocol import (
    Case,
    EvaluationProtocol,
    FitKeeper,
    Outcome,
    Row,
    Score,
    Submittable,
)
from fit3dmm.evaluate.report import write_report

# Part of every cache key: raise it when a change of the code changes numbers.
_SCORING_VERSION = "2"


@dataclass(frozen=True)
class Evaluation:
    """A finished run."""

    outcomes: list[Outcome]
    table: list[Row]
    submission: str = ""
    """What to do with the submission folder, where one was asked for."""


def run_evaluation(
    protocol: EvaluationProtocol,
    data: Path,
    out: Path,
    *,
    predictions: Path | None = None,
    fitter: Fitter | None = None,
    submission: bool = False,
    jobs: int = 1,
    progress: Progress = lambda doing, done, total: None,
) -> Evaluation:
    """Score a set and write the results to `out`.

    Either `predictions` holds meshes that any system made, in the protocol's layout, or `fitter`
    makes them, and they are kept in `out/predictions`. Scores and fits that the same inputs gave
    before are taken from `out/cache`.

    Args:
        protocol: which benchmark, with its options.
        data: folder of the set, in its official layout.
        out: folder for everything that is written.
        predictions: folder of meshes to score.
        fitter: makes the meshes from the photos.
        submission: also write the folder that the benchmark's organisers take.
        jobs: processes at once.
        progress: called with what is being done, how much of it is done, and of how much.

    Raises:
        InputError: the set's layout is wrong, neither or both sources of predictions are given, the
            protocol takes no submissions, or `out` holds something else by a name to be written.
        RuntimeError: a worker process was killed.
    """
    if (predictions is None) == (fitter is None):
        raise InputError("Expected either --predictions or --fit; give exactly one.")
    if predictions is not None and not predictions.is_dir():
        raise InputError(f"Expected a folder of predictions, got {predictions}; check the path.")
    if submission and not isinstance(protocol, Submittable):
        raise InputError(f"{protocol.name} takes no submissions; leave --submission out.")
    cases = protocol.list_cases(data)
    names = ["cache", "cases.csv", "summary.json", "curve.png", "worst.png"]
    names += ["predictions"] if fitter is not None else []
    names += ["submission"] if submission else []
    claim_folder(out, protocol.name, names)
    notes: dict[str, Outcome] = {}
    if fitter is not None:
        predictions = out / "predictions"
        notes = fit_cases(protocol, cases, fitter, predictions, out / "cache", jobs, progress)
    assert predictions is not None
    outcomes = _score(protocol, cases, predictions, out / "cache", notes, jobs, progress)
    table = protocol.summarise(outcomes)
    write_report(protocol, outcomes, table, predictions, out)
    sentence = ""
    if submission and isinstance(protocol, Submittable):
        sentence = protocol.write_submission(outcomes, predictions, out / "submission")
    return Evaluation(outcomes, table, sentence)


def fit_cases(
    protocol: FitKeeper,
    cases: Sequence[Case],
    fitter: Fitter,
    predictions: Path,
    cache: Path,
    jobs: int,
    progress: Progress,
) -> dict[str, Outcome]:
    """Fit what is not fitted yet.

    Args:
        protocol: keeps the fits.
        cases: with their photos.
        fitter: makes the fits.
        predictions: folder of the fits.
        cache: folder of what is known of earlier ones.
        jobs: processes at once.
        progress: called with what is being done, how much of it is done, and of how much.

    Returns:
        Outcomes of the cases that have no fit, by name.

    Raises:
        InputError: a case has no photo.
    """
    without_photo = [
        case.name for case in cases if not case.photos or not all(p.is_file() for p in case.photos)
    ]
    if without_photo:
        raise InputError(
            f"{len(without_photo)} of {len(cases)} cases have no photo to fit, the first is "
            f"{without_photo[0]}; add the set's photos or score meshes with --predictions."
        )
    if any(case.more_photos for case in cases) and not isinstance(fitter, SeveralFitter):
        raise InputError(
            "The fitter takes one photo at a time: give it a method together(photos), or leave out "
            "--together."
        )
    tasks = [(protocol, case, fitter, predictions, cache / "fits") for case in cases]
    without_fit: dict[str, Outcome] = {}
    progress("fit", 0, len(cases))
    for done, (place, outcome) in enumerate(run_in_parallel(_fit_one, tasks, jobs), start=1):
        if outcome is not None:
            without_fit[cases[place].name] = outcome
        progress("fit", done, len(cases))
    return without_fit


def _fit_one(
    protocol: FitKeeper, case: Case, fitter: Fitter, predictions: Path, notes: Path
) -> Outcome | None:
    assert case.photo is not None
    key = content_key("fit", protocol.name, case.name, fitter.fingerprint, *case.photos)
    note = load_note(notes, key)
    if note is None or (note["status"] == "fitted" and not _is_current(case, predictions, key)):
        try:
            if case.more_photos and isinstance(fitter, SeveralFitter):
                face = fitter.together(case.photos)
            else:
                face = fitter(case.photo)
        # A fitter may be anybody's code and fail in any way. One photo must not end the run: the
        # case is counted as failed and shown with its reason, and tried again the next time.
        except Exception as error:
            reason = (
                str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
            )
            return Outcome(case, "failed", reason=reason)
        if face is not None:
            protocol.save_face(face, case, predictions)
            _mark(case, predictions, key)
        note = {"case": case.name, "status": "no face" if face is None else "fitted"}
        store_note(notes, key, note)
    if note["status"] == "no face":
        # An older fitter may have left a prediction here, which is not this one's.
        return Outcome(case, "no face", reason="the fitter found no face in the photo")
    return None


def _mark(case: Case, predictions: Path, key: str) -> None:
    """Say beside a prediction which fit it is, as a later fitter may overwrite it."""
    store_note(predictions / ".fits" / case.name, "fit", {"key": key})


def _is_current(case: Case, predictions: Path, key: str) -> bool:
    note = load_note(predictions / ".fits" / case.name, "fit")
    return note is not None and note["key"] == key


def _score(
    protocol: EvaluationProtocol,
    cases: Sequence[Case],
    predictions: Path,
    cache: Path,
    without_fit: dict[str, Outcome],
    jobs: int,
    progress: Progress,
) -> list[Outcome]:
    outcomes: list[Outcome | None] = [without_fit.get(case.name) for case in cases]
    open_places = [place for place, outcome in enumerate(outcomes) if outcome is None]
    tasks = [(protocol, cases[place], predictions, cache / "scores") for place in open_places]
    progress("score", 0, len(tasks))
    for done, (place, outcome) in enumerate(run_in_parallel(_score_one, tasks, jobs), start=1):
        outcomes[open_places[place]] = outcome
        progress("score", done, len(tasks))
    return [outcome for outcome in outcomes if outcome is not None]


def _score_one(
    protocol: EvaluationProtocol, case: Case, predictions: Path, scores: Path
) -> Outcome:
    files = protocol.find_prediction(case, predictions)
    if not files:
        return Outcome(case, "missing", reason=f"no prediction {case.name} in {predictions}")
    if not case.truth:
        return Outcome(case, "no truth", reason="the set keeps this scan to itself")
    key = content_key("score", _SCORING_VERSION, repr(protocol), case.name, *case.truth, *files)
    kept = load_score(scores, key)
    if kept is not None:
        return Outcome(case, "scored", kept, reused=True)
    try:
        score = protocol.score(case, files)
    except InputError as error:
        return Outcome(case, "failed", reason=str(error))
    store_score(scores, key, score)
    return Outcome(case, "scored", Score(score.numbers, score.errors))
