"""How near a fitted skin is to the person's own, from the darkest to the lightest.

    python benchmarks/run_colour.py [--on monk renders person london public] [--split validation]
        [--monk-cases 200] [--cases 24] [--people 51]

Lightness is L* of the albedo of both cheeks (CIE 1976). `monk` are generated people of all ten
tones of Monk's scale, as many of each (monk_people.py says what a tone is), in small photos whose
cameras expose by themselves: slope of fitted against true lightness, and the errors by tone. Photos
and what was fitted are kept in --out, so that a run that was stopped goes on. `renders` are photos
of the generated set (docs/evaluation.md), by the nearest tone; `person` is one of them in five
places. `london` are real people under one light, whose true albedo nobody knows: there the slope
is against the lightness of the photo. `public` are two men in two and three photos. Settings are
chosen by --split validation.
"""

import json
import sys
import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from colour_metrics import PUBLIC, london_metrics, person_metrics, public_metrics, render_metrics
from fit3dmm._content import content_key
from fit3dmm._files import atomic_path
from fit3dmm._parallel import available_cores, run_in_parallel
from fit3dmm.colour import luminance, srgb_to_linear
from fit3dmm.evaluate.preset_fitter import PresetFitter, observe_largest, prepared_model
from fit3dmm.evaluate.synthetic import Synthetic, make_set
from fit3dmm.fitting import FitConfig, fit_observation
from fit3dmm.fitting.prepared import PreparedModel
from fit3dmm.model.library import find_model
from fit3dmm.observe.observation import Observation
from fit3dmm.observe.photo import Photo, read_photo
from fit3dmm.synthetic.generate import generate_set, make_case
from fit3dmm.synthetic.probes import probe_names
from fit3dmm.synthetic.specification import VERSIONS, Specification, specify
from fit3dmm.synthetic.truth import read_truth
from harness import Metric, run
from monk_people import lightness, monk_cases, monk_tone, tones_of
from real_heads import find_london, shared_folder
from run_accuracy import add_set_arguments

Triple = tuple[str, float, float]
"""Name of a photo, lightness that is known, and fitted."""
SETS = ("monk", "renders", "person", "london", "public")
# MediaPipe's points in the middle of the cheeks, and how far about them skin counts.
_CHEEKS, _CHEEK_MM = (50, 280, 205, 425), 10.0
_PHOTOS_OF_PERSON, _PERSON_PX = 5, 320
_MONK_PX = 400
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
    if "monk" in options.on:
        yield from _monk(options, jobs)
    if "renders" in options.on:
        protocol = Synthetic(
            options.cases,
            options.seed,
            options.split,
            "held-out",
            options.photo_px,
            options.edition,
        )
        cases = protocol.list_cases(make_set(protocol, options.out / "held-out", jobs=jobs))
        tasks = [(case.name, case.photo, case.truth[0]) for case in cases]
        pairs = _pairs(rendered_pair, tasks, jobs)
        tones = {name: monk_tone(true) for name, (true, _) in pairs.items()}
        yield from render_metrics(pairs, tones, "renders")
    if "person" in options.on:
        tasks = [(k, options.seed) for k in range(_PHOTOS_OF_PERSON)]
        yield from person_metrics(_pairs(person_pair, tasks, jobs))
    if "london" in options.on:
        people = (find_london() or ())[: options.people]
        tasks = [(f"{p.name}, {k}", getattr(p, k)) for p in people for k in ("neutral", "smiling")]
        if tasks:
            yield from london_metrics(_pairs(london_pair, tasks, jobs))
    if "public" in options.on:
        tasks = [(one.stem, one) for one in _public_photos()]
        if tasks:
            yield from public_metrics(_pairs(london_pair, tasks, jobs))


def _monk(options: Namespace, jobs: int) -> Iterator[Metric]:
    cases = monk_cases(options.monk_cases, options.split, options.seed, _MONK_PX)
    made_by = content_key(VERSIONS[cases[0].edition], find_model("commons"))[:8]
    folder = options.out / f"monk-{_MONK_PX}-{options.seed}-{made_by}"
    folder.mkdir(parents=True, exist_ok=True)
    generate_set(cases, "commons", folder, jobs)
    fitted = folder / f"lightness-{content_key(PresetFitter().fingerprint)[:12]}"
    fitted.mkdir(exist_ok=True)
    tasks = [(case.name, folder, fitted) for case in cases]
    yield from render_metrics(_pairs(kept_pair, tasks, jobs), tones_of(cases), "all tones")


def _public_photos() -> list[Path]:
    folder = shared_folder() / "photos"
    return [one for name in PUBLIC for one in sorted(folder.glob(f"{name}*.jpg"))]


def _options(parser: ArgumentParser) -> None:
    parser.add_argument("--on", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--split", choices=("validation", "test"), default="test")
    parser.add_argument("--monk-cases", type=int, default=200, help="default: %(default)s")
    parser.add_argument("--cases", type=int, default=24, help="renders; default: %(default)s")
    parser.add_argument("--people", type=int, default=51, help="of London; default: %(default)s")
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


def kept_pair(name: str, folder: Path, kept: Path) -> Triple | None:
    """The same, kept in a folder of its own."""
    file = kept / f"{name}.json"
    if not file.is_file():
        found = rendered_pair(name, folder / f"{name}.jpg", folder / f"{name}.h5")
        with atomic_path(file) as temporary:
            temporary.write_text(json.dumps(found), encoding="utf-8")
    found = json.loads(file.read_text(encoding="utf-8"))
    return None if found is None else (found[0], found[1], found[2])


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


if __name__ == "__main__":
    sys.exit(run("colour", __doc__, measure, _options))
