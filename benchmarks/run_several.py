"""What more photos of a person are worth.

    python benchmarks/run_several.py [--people 20] [--counts 1 2 3 5 10] [--on synthetic points ...]

`synthetic`: people whom the model can't represent, of the test half, each in photos as different as
those of the synthetic set: the first 2, 3, 5 and 10 of them fitted together, beside the mean of the
single fits of the same photos; and four of them with a stranger's. `lee-perry-smith`: two and five
of the views of a real head. `people`: whether two people's public photos are nearer within than
between. `points`: what the first five photos of the people of `synthetic` would give if detectors
erred less. Photos and scores are kept in --out and not made again.
"""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from fit3dmm._parallel import available_cores, run_in_parallel
from fit3dmm.evaluate.identity import shape_distances_mm
from harness import Metric, run
from known_points import POINTS
from paired import case_metric
from real_heads import find_lee_perry_smith, shared_folder
from run_accuracy import DEFAULT_OUT
from several_subjects import (
    STRANGER,
    Sitting,
    neutral_faces,
    score_head,
    score_points,
    score_sitting,
)

SETS = ("synthetic", "points", "lee-perry-smith", "people")
_OF_POINTS = 5
"""Photos of a person that are fitted together with points that err less."""
_LPS = {
    2: ("lps_f1600_yaw+00_light0", "lps_f1600_yaw+30_light0"),
    5: (
        "lps_f1600_yaw+00_light0",
        "lps_f1600_yaw+30_light0",
        "lps_f1600_yaw-30_light0",
        "lps_f1600_yaw+60_light0",
        "lps_f1600_yaw-60_light0",
    ),
}
_PEOPLE = {"obama": ("obama", "obama2", "obama3"), "biden": ("biden", "biden2")}


def measure(options: Namespace) -> Iterator[Metric]:
    """One set after the other."""
    if "synthetic" in options.on:
        yield from _synthetic(options)
    if "points" in options.on:
        yield from _points(options)
    if "lee-perry-smith" in options.on:
        yield from _lee_perry_smith()
    if "people" in options.on:
        yield from _people()


def _options(parser: ArgumentParser) -> None:
    parser.add_argument("--on", nargs="+", choices=SETS, default=SETS, help="default: all")
    parser.add_argument("--people", type=int, default=20, help="default: %(default)s")
    parser.add_argument("--counts", nargs="+", type=int, default=[1, 2, 3, 5, 10])
    parser.add_argument("--seed", type=int, default=7, help="of the set; default: %(default)s")
    parser.add_argument("--photo-px", type=int, default=440, help="default: %(default)s")
    parser.add_argument("--jobs", type=int, default=0, help="processes; default: one a core")
    parser.add_argument("--out", type=type(DEFAULT_OUT), default=DEFAULT_OUT, help="what is kept")


def _synthetic(options: Namespace) -> Iterator[Metric]:
    most, jobs = max(options.counts), options.jobs or available_cores()
    sittings = _sittings(options, most)
    tasks = [
        (one, tuple(options.counts), sittings[(k + 1) % len(sittings)] if most >= 5 else None)
        for k, one in enumerate(sittings)
    ]
    of_person: dict[str, Mapping[str, Any]] = {}
    for place, found in run_in_parallel(score_sitting, tasks, jobs):
        of_person[f"{sittings[place].person:04d}"] = found
    group = "synthetic"
    yield Metric("people", len(of_person), "people", None, 0.0, group)
    for name in ("mean face", "ceiling"):
        mm = {case: found[name] for case, found in of_person.items()}
        yield case_metric(f"{name}: now_median_mm", "mm", mm, lower_is_better=None, group=group)
    for n in options.counts:
        usable = {c: f for c, f in of_person.items() if n == 1 or str(n) in f}
        if not usable:
            continue
        single = {c: float(np.mean(f["single"][:n])) for c, f in usable.items()}
        together = {c: f[str(n)]["mm"] if n > 1 else f["single"][0] for c, f in usable.items()}
        yield case_metric(f"{n}: together", "mm", together, group=group)
        yield case_metric(f"{n}: single fits", "mm", single, lower_is_better=None, group=group)
        if n == 1:
            continue
        better = {c: float(together[c] < min(f["single"][:n])) for c, f in usable.items()}
        nearer = {c: float(together[c] < single[c]) for c in usable}
        left = {
            c: (together[c] - f["ceiling"]) / (single[c] - f["ceiling"]) for c, f in usable.items()
        }
        times = {c: f[str(n)]["seconds"] / np.mean(f["seconds"][:n]) for c, f in usable.items()}
        lost = {c: float(len(f[str(n)]["outliers"])) for c, f in usable.items()}
        yield case_metric(
            f"{n}: nearer than the best single fit", "share", better,
            lower_is_better=False, group=group,
        )  # fmt: skip
        yield case_metric(
            f"{n}: nearer than the mean single fit", "share", nearer,
            lower_is_better=False, group=group,
        )  # fmt: skip
        yield case_metric(f"{n}: excess left", "share", left, "median", group=group)
        yield case_metric(f"{n}: time", "single fits", times, "median", group=group)
        yield case_metric(f"{n}: own photos left out", "photos", lost, group=group)
    strangers = {c: f[STRANGER] for c, f in of_person.items() if STRANGER in f}
    if strangers:
        moved = {c: found["moved_mm"] for c, found in strangers.items()}
        found_out = {c: found["found"] for c, found in strangers.items()}
        yield case_metric("stranger: face moved", "mm", moved, group=group)
        yield case_metric("stranger: found", "share", found_out, lower_is_better=False, group=group)


def _points(options: Namespace) -> Iterator[Metric]:
    tasks = [(one, _OF_POINTS) for one in _sittings(options, _OF_POINTS)]
    of_person: dict[str, Mapping[str, Any]] = {}
    for place, found in run_in_parallel(score_points, tasks, options.jobs or available_cores()):
        of_person[f"{tasks[place][0].person:04d}"] = found
    for points in POINTS:
        for name, key in (("together", "mm"), ("single fits", "single")):
            mm = {case: found[points][key] for case, found in of_person.items()}
            yield case_metric(
                f"{points}: {_OF_POINTS} {name}", "mm", mm, lower_is_better=None, group="points"
            )


def _sittings(options: Namespace, photos: int) -> list[Sitting]:
    folder = options.out / f"sittings-{options.photo_px}-{options.seed}"
    return [
        Sitting(options.seed, 2 * k + 1, photos, options.photo_px, folder)
        for k in range(options.people)
    ]


def _lee_perry_smith() -> Iterator[Metric]:
    head = find_lee_perry_smith()
    if head is None:
        print("lee-perry-smith was left out: FIT3DMM_SHARED does not lead to it.")
        return
    for n, names in _LPS.items():
        found = score_head(head, names)
        # Reported, and nothing is chosen by it.
        values = {"together": found["mm"], "single fits": float(np.mean(found["single"]))}
        values["best single fit"] = min(found["single"])
        for name, mm in values.items():
            yield Metric(f"{n}: {name}", mm, "mm", None, 0.05, "lee-perry-smith")
        yield Metric(
            f"{n}: left out", len(found["outliers"]), "photos", None, 0.0, "lee-perry-smith"
        )


def _people() -> Iterator[Metric]:
    folder = shared_folder() / "photos"
    if not (folder / "obama.jpg").is_file():
        print("people was left out: FIT3DMM_SHARED does not lead to photos/.")
        return
    found = {
        name: neutral_faces([folder / f"{photo}.jpg" for photo in photos])
        for name, photos in _PEOPLE.items()
    }
    within, between = [], []
    faces = [(name, face) for name, (singles, _) in found.items() for face in singles]
    apart = shape_distances_mm([face for _, face in faces], [face for _, face in faces])
    for i, (a, _) in enumerate(faces):
        for j, (b, _) in enumerate(faces):
            if i < j:
                (within if a == b else between).append(float(apart[i, j]))
    joint = [face for _, face in found.values()]
    own = {
        name: float(shape_distances_mm(singles, [together]).mean())
        for name, (singles, together) in found.items()
    }
    group = "two public people"
    yield Metric("single fits: within", float(np.mean(within)), "mm", None, 0.05, group)
    yield Metric("single fits: farthest within", max(within), "mm", None, 0.05, group)
    yield Metric("single fits: between", float(np.mean(between)), "mm", None, 0.05, group)
    yield Metric("single fits: nearest between", min(between), "mm", None, 0.05, group)
    yield Metric(
        "together and their single fits: within", max(own.values()), "mm", None, 0.05, group
    )
    yield Metric(
        "together: between", float(shape_distances_mm(joint[:1], joint[1:])[0, 0]), "mm", None,
        0.05, group,
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(run("several", __doc__, measure, _options))
