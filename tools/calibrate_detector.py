"""Writes data/detector_errors.h5: how MediaPipe's points lie off the model's own, and why.

    python tools/calibrate_detector.py [--scenes 12000] [--model commons] [--jobs 2]

Heads are drawn from the model and rendered with known pose, light and expression; the detector
looks at the pictures. What it misses the true points by is split into what follows from the turn of
the head and from its shape, into what errors of different pictures have in common, and into noise
(`fit3dmm.energy.detected` says how they go together). No photo of anybody is used. Takes some ten
minutes; the same arguments give the same table.
"""

import argparse
from pathlib import Path

import torch
from rich.progress import Progress

from detector.pictures import N_POINTS, take_pictures
from fit3dmm.fitting.learn_errors import VIEWS_DEG, Seen, View, learn_errors, mirror_of, stack
from fit3dmm.model.files import load_model
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.observe.detector_errors import TABLE, write_errors

_FEWEST_SCENES = 500
DATA = Path(__file__).resolve().parents[1] / "data"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scenes", type=int, default=12000)
    parser.add_argument("--model", default="commons")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, default=DATA / TABLE)
    arguments = parser.parse_args()
    if arguments.scenes < _FEWEST_SCENES:
        parser.error(
            f"expected --scenes {_FEWEST_SCENES} or more, got {arguments.scenes}: "
            "every view needs more faces than it has modes"
        )
    model = load_model(arguments.model)
    seen = _look(arguments.model, arguments.scenes, arguments.seed, arguments.jobs)
    mean_mm = model.landmarks_mm("mediapipe478", model.zeros())[:N_POINTS].double().numpy()
    errors, views = learn_errors(seen, mean_mm, mirror_of(mean_mm))
    provenance = _provenance(model, len(seen.distance_mm), arguments.scenes)
    write_errors(arguments.out, errors, provenance=provenance, licence="CC0-1.0")
    report(views)
    print(f"{arguments.out}: {arguments.out.stat().st_size / 1e6:.1f} MB")


def report(views: list[View]) -> None:
    """How much of the errors is explained, in mm."""
    print("yaw      faces    errors   after turn and shape   noise")
    for yaw_deg, view in zip(VIEWS_DEG, views, strict=True):
        raw, rest, noise = view.rms_mm
        print(f"{yaw_deg:4.0f} {view.n_faces:9d} {raw:9.2f} {rest:22.2f} {noise:7.2f}")


def _look(model: str, n_scenes: int, seed: int, jobs: int) -> Seen:
    blocks: dict[int, list[Seen]] = {}
    with Progress() as progress:
        task = progress.add_task("pictures", total=n_scenes)
        for place, block in take_pictures(model, n_scenes, seed, jobs):
            blocks[place] = block
            progress.advance(task, len(block))
        progress.update(task, completed=n_scenes)
    seen = [one for place in sorted(blocks) for one in blocks[place]]
    print(f"{len(seen)} faces found in {n_scenes} pictures")
    return stack(seen)


def _provenance(model: MorphableModel, n_faces: int, n_scenes: int) -> str:
    return (
        f"tools/calibrate_detector.py: {n_faces} faces that were found in {n_scenes} renders of "
        f"{model.info.name} {model.info.version}"
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
