"""How near a fitted skin is to the person's own, from the darkest to the lightest.

    python benchmarks/run_colour.py [--on renders person london] [--cases 24] [--people 12]

Lightness is L* of the albedo of both cheeks (CIE 1976). `renders` are the test split of the
generated photos (docs/evaluation.md), whose cameras expose by themselves: slope of fitted against
true lightness, and the errors by the nearest tone of Monk's scale. `person` is one of them in five
places. `london` are real people under one light, whose true albedo nobody knows: there the slope is
against the lightness of the photo. Settings are chosen by other photos (the validation split).
"""

import sys
import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from fit3dmm._parallel import available_cores, run_in_parallel
from fit3dmm.colour import luminance, srgb_to_linear
from fit3dmm.evaluate.preset_fitter import observe_largest, prepared_model
from fit3dmm.evaluate.synthetic import Synthetic, make_set
from fit3dmm.fitting import FitConfig, fit_observation
from fit3dmm.fitting.prepared import PreparedModel
from fit3dmm.observe.observation import Observation
from fit3dmm.observe.photo import Photo, read_photo
from fit3dmm.synthetic.generate import make_case
from fit3dmm.synthetic.probes import probe_names
from fit3dmm.synthetic.skin import MONK_LINEAR
from fit3dmm.synthetic.specification import Specification, specify
from fit3dmm.synthetic.truth import read_truth
from harness import Metric, run
from paired import case_metric
from real_heads import find_london
from run_accuracy import add_set_arguments

Triple = tuple[str, float, float]
"""Name of a photo, lightness that is known, and fitted."""
SETS = ("renders", "person", "london")
# MediaPipe's points in the middle of the cheeks, and how far about them skin counts.
_CHEEKS, _CHEEK_MM = (50, 280, 205, 425), 10.0
_PHOTOS_OF_PERSON, _PERSON_PX = 5, 320
# Of the tester, the camera and the place, and none of the person.
_OF_PHOTO = ("exposure", "sensor", "background")


@dataclass(frozen=True)
class OnePerson(Specification):
    """A case whose person is in several photos."""

    photo: int = 0

    def generator(self, purpose: str) -> np.random.Generator:
        """Random numbers of the person, or of this photo."""
        if purpose in _OF_PHOTO:
            return np.random.default_rng([self.seed, self.index, self.photo, *purpose.encode()])
        return super().generator(purpose)


def measure(options: Namespace) -> Iterator[Metric]:
    """Set by set."""
    jobs = options.jobs or available_cores()
    if "renders" in options.on:
        protocol = Synthetic(
            options.cases, options.seed, "test", "held-out", options.photo_px, options.edition
        )
        cases = protocol.list_cases(make_set(protocol, options.out / "held-out", jobs=jobs))
        tasks = [(case.name, case.photo, case.truth[0]) for case in cases]
        yield from render_metrics(_pairs(rendered_pair, tasks, jobs))
    if "person" in options.on:
        tasks = [(k, options.seed) for k in range(_PHOTOS_OF_PERSON)]
        yield from person_metrics(_pairs(person_pair, tasks, jobs))
    if "london" in options.on:
        people = (find_london() or ())[: options.people]
        tasks = [(f"{p.name}, {k}", getattr(p, k)) for p in people for k in ("neutral", "smiling")]
        if tasks:
            yield from london_metrics(_pairs(london_pair, tasks, jobs))


def _options(parser: ArgumentParser) -> None:
    parser.add_argument("--on", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--cases", type=int, default=24, help="renders; default: %(default)s")
    parser.add_argument("--people", type=int, default=12, help="of London; default: %(default)s")
    add_set_arguments(parser)


def _pairs(
    work: Callable[..., Triple | None], tasks: list[tuple], jobs: int
) -> dict[str, tuple[float, float]]:
    """Known and fitted lightness by case; photos without a face are left out."""
    found = sorted(triple for _, triple in run_in_parallel(work, tasks, jobs) if triple)
    return {name: (known, fitted) for name, known, fitted in found}


# --- one photo ---


def rendered_pair(name: str, photo: Path, truth_file: Path) -> Triple | None:
    """True and fitted lightness of a generated face."""
    return _triple(name, _lightness_of(read_truth(truth_file).albedo_linear), photo)


def person_pair(k: int, seed: int) -> Triple | None:
    """The same of one person, in the k-th of five places."""
    plain = specify(seed, 1, photo_px=_PERSON_PX)
    known = {one.name: getattr(plain, one.name) for one in fields(plain)}
    names = probe_names()
    known |= {"probe": names[(3 * k + 1) % len(names)], "yaw_deg": 8.0 * (k - 2), "occluder": ""}
    photograph, truth = make_case(OnePerson(**known, photo=k))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "photo.jpg"
        path.write_bytes(photograph.jpeg)
        return _triple(f"photo {k}", _lightness_of(truth.albedo_linear), path)


def london_pair(name: str, photo: Path) -> Triple | None:
    """Lightness of the cheeks in the photo, and fitted."""
    picture = read_photo(photo)
    seen = _observed(picture)
    if seen is None:
        return None
    pixels = srgb_to_linear(picture.pixels_srgb.numpy() / 255)
    column, row = seen.face_points_px[list(_CHEEKS)].long().T.numpy()
    shown = [
        pixels[r - 6 : r + 7, c - 6 : c + 7].mean((0, 1)) for r, c in zip(row, column, strict=True)
    ]
    return _triple(name, float(lightness(luminance(np.mean(shown, 0)))), photo)


def _triple(name: str, known: float, photo: Path) -> Triple | None:
    fitted = fitted_lightness(photo)
    return None if fitted is None else (name, known, fitted)


def fitted_lightness(photo: Path) -> float | None:
    """Of the largest face's albedo; None where there is no face."""
    seen = _observed(read_photo(photo))
    if seen is None:
        return None
    prepared = _prepared()
    result = fit_observation(seen, prepared, FitConfig())
    albedo = prepared.model.albedo_linear(result.scene.coefficients).clamp_min(0)
    return _lightness_of(albedo.numpy())


def _observed(picture: Photo) -> Observation | None:
    return observe_largest(picture, _prepared(), FitConfig())


def _prepared() -> PreparedModel:
    return prepared_model("commons", FitConfig().photometric.n_samples)


def _lightness_of(albedo_linear: Float[np.ndarray, "vertices 3"]) -> float:
    """L* of the cheeks; a truth has the first of the model's vertices."""
    model = _prepared().model
    rest = model.zeros()
    middles = model.landmarks_mm("mediapipe478", rest)[list(_CHEEKS)]
    away_mm = torch.cdist(model.shape_mm(rest), middles).amin(1)
    weight = torch.exp(-0.5 * (away_mm / _CHEEK_MM) ** 2).numpy()[: len(albedo_linear)]
    return float(lightness(np.average(luminance(albedo_linear), weights=weight)))


def lightness(y: float | np.ndarray) -> np.ndarray:
    """L* of a relative luminance (CIE 15:2004, equation 8.1)."""
    y = np.asarray(y, dtype=float)
    return np.where(y > (6 / 29) ** 3, 116 * np.cbrt(y) - 16, (29 / 3) ** 3 * y)


# --- statistics ---


def slope(pairs: Mapping[str, tuple[float, float]]) -> tuple[float, float]:
    """Of the line through fitted over known lightness, and its standard error."""
    x, y = np.array(list(pairs.values()), dtype=float).T
    x, y = x - x.mean(), y - y.mean()
    value = float(x @ y / (x @ x))
    left = y - value * x
    return value, float(np.sqrt(left @ left / max(len(x) - 2, 1) / (x @ x)))


def monk_tone(l_star: float) -> int:
    """The nearest tone of Monk's scale, 1 (the lightest) to 10."""
    scale = lightness(luminance(MONK_LINEAR))[::-1]
    return int(np.abs(scale - l_star).argmin()) + 1


def render_metrics(pairs: Mapping[str, tuple[float, float]]) -> Iterator[Metric]:
    """Of photos whose truth is known."""
    yield Metric("faces", len(pairs), "faces", None, noise=0.0, group="renders")
    yield _slope_metric(pairs, "slope of fitted over true lightness", "renders")
    errors = {name: abs(fitted - true) for name, (true, fitted) in pairs.items()}
    yield case_metric("error", "L*", errors, group="renders")
    bias = {name: fitted - true for name, (true, fitted) in pairs.items()}
    yield case_metric("too light by", "L*", bias, lower_is_better=None, group="renders")
    by_tone: dict[int, dict[str, float]] = {}
    for name, (true, _) in pairs.items():
        by_tone.setdefault(monk_tone(true), {})[name] = errors[name]
    for tone, cases in sorted(by_tone.items()):
        yield case_metric(f"error, Monk {tone} ({len(cases)})", "L*", cases, group="renders")


def person_metrics(pairs: Mapping[str, tuple[float, float]]) -> Iterator[Metric]:
    """Of one person's photos."""
    fitted = {name: pair[1] for name, pair in pairs.items()}
    yield case_metric("fitted", "L*", fitted, lower_is_better=None, group="one person, five places")
    middle = float(np.mean(list(fitted.values())))
    away = {name: abs(value - middle) for name, value in fitted.items()}
    yield case_metric("away from their mean", "L*", away, group="one person, five places")
    most = max(fitted.values()) - min(fitted.values())
    yield Metric("lightest less darkest", most, "L*", group="one person, five places")


def london_metrics(pairs: Mapping[str, tuple[float, float]]) -> Iterator[Metric]:
    """Of real people under one light."""
    yield Metric("photos", len(pairs), "photos", None, noise=0.0, group="London")
    yield _slope_metric(pairs, "slope of fitted over the photo's lightness", "London")
    names = {name.partition(",")[0] for name in pairs}
    both = {n: (f"{n}, neutral", f"{n}, smiling") for n in sorted(names)}
    apart = {
        n: abs(pairs[a][1] - pairs[b][1]) for n, (a, b) in both.items() if a in pairs and b in pairs
    }
    yield case_metric("two photos of one person apart", "L*", apart, group="London")


def _slope_metric(pairs: Mapping[str, tuple[float, float]], name: str, group: str) -> Metric:
    value, error = slope(pairs)
    details = {"standard error": error}
    return Metric(name, value, "", False, error / abs(value), group=group, details=details)


if __name__ == "__main__":
    sys.exit(run("colour", __doc__, measure, _options))
