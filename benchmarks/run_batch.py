"""How long `fit3dmm fit` takes from the command to the last file, and where the time goes.

    python benchmarks/run_batch.py [PHOTO ...]

Without photos it takes the portrait in data/examples, turned a little for each photo of the batch:
what they show does not matter for time. Commands run as somebody would run them, each in a process
of its own, so `--threads` and the calibration are of the parts alone, and with the modules compiled
before, as an installation leaves them. Wall times tell what a user waits for and hold on an idle
machine; processor seconds hold on a busy one, too.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from PIL import Image

from fit3dmm.export.folder import write_face
from fit3dmm.export.outputs import ALL
from fit3dmm.fitting import FitConfig, FitResult, fit_observation, prepare
from fit3dmm.fitting.look import look
from fit3dmm.model.files import load_model
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.observe import Photo, read_photo
from fit3dmm.regress.library import regressor_of
from harness import Metric, run, time_metric, timed
from report import REPOSITORY

EXAMPLE = REPOSITORY / "data" / "examples" / "astronaut.png"
LARGE_PX = 4096
# Where this is set, modules of a checkout are compiled anew by each process.
_ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
_COMMAND = (sys.executable, "-m", "fit3dmm.cli.main")
_TEXTURE = """
import resource, sys, time
from fit3dmm.export.record import load_result
from fit3dmm.export.texture import bake_texture
from fit3dmm.model.files import load_model
from fit3dmm.observe import read_photo

result, photo, model = load_result(sys.argv[1]), read_photo(sys.argv[2]), load_model()
began = time.perf_counter(), time.process_time()
bake_texture(model, result.scene, photo, int(sys.argv[3]))
ended = time.perf_counter(), time.process_time()
peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(ended[0] - began[0], ended[1] - began[1], peak_kb / 1024)
"""


def measure(options: Namespace) -> Iterator[Metric]:
    """Commands first, then what a photo's files take one by one."""
    photos = options.photos or [EXAMPLE]
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        yield from _commands(photos[0], place, options.repeats)
        yield from _batch(_many(photos, options.batch, place / "photos"), place, options.jobs)
        yield from _large_texture(place / "one" / photos[0].stem / "fit.h5", photos[0])
        yield from _files(photos[0], place / "files", options.repeats)


def _options(parser: ArgumentParser) -> None:
    parser.add_argument("photos", nargs="*", type=Path)
    parser.add_argument("--batch", type=int, default=20, help="photos of the batch")
    parser.add_argument("--jobs", type=int, default=2, help="processes of the batch")


def _commands(photo: Path, place: Path, repeats: int) -> Iterator[Metric]:
    """One photo from a cold start, kernels compiled and the model's samples kept before."""
    fit = [*_COMMAND, "fit", str(photo), "--out", str(place / "one"), "--again"]
    yield from _taken("cold command", fit, repeats)
    yield from _taken("fit --help", [*_COMMAND, "fit", "--help"], repeats)


def _batch(photos: Sequence[Path], place: Path, jobs: int) -> Iterator[Metric]:
    fit = [*_COMMAND, "fit", *map(str, photos), "--out", str(place / "many"), "--jobs", str(jobs)]
    wall, processor = _seconds(fit)
    yield time_metric(f"batch of {len(photos)}, a photo", [wall / len(photos)])
    yield time_metric(f"batch of {len(photos)}, a photo, processor", [processor / len(photos)])


def _large_texture(result: Path, photo: Path) -> Iterator[Metric]:
    words = [sys.executable, "-c", _TEXTURE, str(result), str(photo), str(LARGE_PX)]
    printed = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    wall, processor, peak_mb = map(float, printed.split())
    yield time_metric(f"texture of {LARGE_PX} px", [wall])
    yield time_metric(f"texture of {LARGE_PX} px, processor", [processor])
    yield Metric(f"texture of {LARGE_PX} px, peak memory", peak_mb, "MB", noise=0.05)


def _files(path: Path, folder: Path, repeats: int) -> Iterator[Metric]:
    """What is written, each by itself: what textures are for counts with all that show them."""
    photo = read_photo(path)
    model, config = load_model(), FitConfig()
    prepared = prepare(model, config.photometric.n_samples, regressor=regressor_of(model))
    yield timed("look", lambda: look(photo, prepared, config, "largest"), repeats)
    seen = look(photo, prepared, config, "largest")[0]
    yield timed("fit", lambda: fit_observation(seen, prepared, config), repeats)
    result = fit_observation(seen, prepared, config)
    # As the command writes it, which has the model at hand.
    writer = partial(_writer, result, photo, model, folder)
    folder.mkdir()
    yield timed("write all", writer(ALL), repeats)
    for output in ALL:
        yield timed(f"write {output}", writer((output,)), repeats)
    size = sum(file.stat().st_size for file in folder.iterdir())
    yield Metric("all files", size / 2**20, "MB", noise=0.01)


def _writer(
    result: FitResult, photo: Photo, model: MorphableModel, folder: Path, write: tuple[str, ...]
) -> Callable[[], object]:
    return lambda: write_face(result, photo, folder, model, write=write)


def _many(photos: Sequence[Path], n: int, folder: Path) -> list[Path]:
    """As many photos as are asked for: those that are given, each turned by another angle."""
    folder.mkdir()
    made = []
    for k in range(n):
        picture = Image.open(photos[k % len(photos)]).convert("RGB")
        path = folder / f"{k:03}.png"
        picture.rotate(k / 2, Image.Resampling.BICUBIC).save(path, compress_level=1)
        made.append(path)
    return made


def _taken(name: str, words: Sequence[str], repeats: int) -> Iterator[Metric]:
    """Wall and processor seconds of a command, which is run once before, uncounted."""
    runs = [_seconds(words) for _ in range(repeats + 1)][1:]
    yield time_metric(name, [wall for wall, _ in runs])
    yield time_metric(f"{name}, processor", [processor for _, processor in runs])


def _seconds(words: Sequence[str]) -> tuple[float, float]:
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(words, capture_output=True, text=True, env=_ENVIRONMENT)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)} failed:\n{done.stderr}")
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    sys.exit(run("batch", __doc__, measure, _options, repeats=3))
