"""Writes tools/commons/landmark_table.json: where on the head the detector sees its points.

    python tools/measure_landmarks.py [--model commons] [--people 40] [--views 8]

People of the model are rendered under known pose and light, the detector looks at the pictures, and
each of its 468 points of the face is put where its detections agree best over people and views. The
points of its own canonical mesh, laid onto the head, are where the search begins. Other people show
how far detections lie from the points before and after. Then build data/commons.h5 again.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from commons.head import cut_head
from commons.landmarks import REGIONS, TABLE
from commons.register_mediapipe import (
    N_CANONICAL,
    read_canonical_face,
    register_canonical,
    search_start,
)
from commons.seen_points import Distances, distances, seen_where, take_pictures
from commons.sources import fetch_sources, read_base_mesh
from commons.surface_points import LEVEL, Points, head_surface
from fit3dmm._files import atomic_path, data_path
from fit3dmm.model.files import load_model, read_stored
from fit3dmm.model.library import find_model

_SEED_TO_FIT, _SEED_TO_CHECK = 1, 2
# The check takes fewer people than the fit.
_CHECK_SHARE = 0.4


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="commons")
    parser.add_argument("--cache", type=Path, default=Path("build/sources"))
    parser.add_argument("--people", type=int, default=40)
    parser.add_argument("--views", type=int, default=8)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    head = cut_head(read_base_mesh(fetch_sources(arguments.cache)))
    model = load_model(arguments.model, level=LEVEL)
    mean_mm = read_stored(find_model(arguments.model)).mean_mm.astype(np.float64)
    surface = head_surface(head, mean_mm)
    face = read_canonical_face(data_path("face_landmarker.task"))
    canonical = register_canonical(face, surface)

    pictures = list(take_pictures(model, arguments.people, arguments.views, _SEED_TO_FIT))
    surface, start, area = search_start(face, surface, canonical)
    seen = seen_where(pictures, surface, start, face.mirror, area)
    people = max(1, round(_CHECK_SHARE * arguments.people))
    others = list(take_pictures(model, people, arguments.views, _SEED_TO_CHECK))
    before, after = (distances(others, surface, points) for points in (canonical, seen))
    moved_mm = np.linalg.norm(surface.locate(seen) - surface.locate(canonical), axis=1)
    print(f"{len(pictures)} pictures to fit, {len(others)} of other people to check")
    report(before, after, moved_mm)
    write(seen, after, face.mirror)


def report(before: Distances, after: Distances, moved_mm: np.ndarray) -> None:
    """Distances in mm by region of the face, of people that the points were not fitted to."""
    heads = ("region", "moved", "median before", "rms", "median after", "rms")
    print("".join(f"{head:>14}" for head in heads))
    for name, rows in {**REGIONS, "all": range(N_CANONICAL)}.items():
        row = list(rows)
        was, now = before.length_mm[:, row], after.length_mm[:, row]
        figures = (moved_mm[row], was, now)
        moved, median_before, median_after = (float(np.nanmedian(f)) for f in figures)
        columns = (moved, median_before, _rms(was), median_after, _rms(now))
        print(f"{name:>14}" + "".join(f"{column:14.2f}" for column in columns))


def _rms(length_mm: np.ndarray) -> float:
    return float(np.sqrt(np.nanmean(length_mm**2)))


def write(points: Points, check: Distances, mirror: np.ndarray) -> None:
    """Level-0 triangles and barycentrics, and the spread an axis in people not fitted to."""
    squares = np.concatenate([check.length_mm, check.length_mm[:, mirror]]) ** 2
    spread_mm = np.sqrt(np.nanmean(squares, axis=0) / 2)
    table = {
        "triangle": points.triangle.tolist(),
        "barycentric": points.barycentric.round(4).tolist(),
        "spread_mm": spread_mm.round(2).tolist(),
    }
    lines = ",\n".join(f'"{name}": {json.dumps(values)}' for name, values in table.items())
    with atomic_path(TABLE) as path:
        path.write_text(f"{{\n{lines}\n}}\n")


if __name__ == "__main__":
    main()
