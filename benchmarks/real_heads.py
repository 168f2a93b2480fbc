"""Real people that are no part of the project: two scanned heads, and 51 people in two photos each.

They lie in `$FIT3DMM_SHARED/data`, else in `shared/data/` beside the repository:

- `jon/`, a man's consumer scan (MIT) in ten rendered photos whose cameras are known. Settings may
  be chosen by it.
- `lee_perry_smith/`, the scan "Infinite, 3D Head Scan by Lee Perry-Smith" (CC-BY 3.0) in fifteen.
  It is for reporting: no setting was chosen by it, but it was looked at while the detector's errors
  were modelled.
- `london/`, half of the Face Research Lab London Set (L. DeBruine, B. Jones, 2017, CC-BY 4.0): a
  neutral and a smiling photo of each person. Settings may be chosen by it.

No scan says how large its head is: sizes are the scanner's, or nominal.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from fit3dmm.evaluate.now_error import now_errors_mm
from report import REPOSITORY


@dataclass(frozen=True)
class View:
    """A photo of a scanned head."""

    photo: Path
    yaw_deg: float
    focal_px: float
    distance_mm: float | None
    """Depth of the mean of the four corners of the eyes; None where the scan's unit is nominal."""

    @property
    def name(self) -> str:
        """Of the case."""
        return self.photo.stem


@dataclass(frozen=True)
class ScannedHead:
    """A scan, and photos of it."""

    scan_mm: Float[np.ndarray, "vertices 3"]
    """The part of it that counts."""
    landmarks7_mm: Float[np.ndarray, "7 3"]
    """NoW's."""
    views: tuple[View, ...]

    def now_errors(
        self,
        vertices_mm: Float[np.ndarray, "vertices 3"],
        triangles: np.ndarray,
        landmarks7_mm: Float[np.ndarray, "7 3"],
    ) -> Mapping[str, float]:
        """NoW's median and mean distance of a neutral face, whole as it is."""
        errors = now_errors_mm(
            self.scan_mm, self.landmarks7_mm, vertices_mm, triangles, landmarks7_mm
        )
        return {"now_median_mm": float(np.median(errors)), "now_mean_mm": float(errors.mean())}


@dataclass(frozen=True)
class Person:
    """Two frontal photos from one sitting."""

    name: str
    neutral: Path
    smiling: Path
    points_px: Mapping[int, tuple[float, float]]
    """Points of iBUG's 68 in the neutral photo, set by hand: corners of eyes and mouth, the foot of
    the nose and the middle of the upper lip."""


def shared_folder() -> Path:
    """Where shared data would be."""
    return Path(os.environ.get("FIT3DMM_SHARED") or REPOSITORY.parent / "shared") / "data"


def find_jon() -> ScannedHead | None:
    """The man with a trombone, where this machine has him."""
    folder = shared_folder() / "jon"
    if not (folder / "scan.npz").is_file():
        return None
    with np.load(folder / "scan.npz", allow_pickle=False) as archive:
        scan, seven = archive["v"][archive["mask"]], archive["now7"]
    views = [
        View(folder / "photos" / f"{name}.jpg", view["yaw"], view["focal_px"], view["distance_mm"])
        for name, view in _cameras(folder).items()
    ]
    return ScannedHead(scan, seven, tuple(views))


def find_lee_perry_smith() -> ScannedHead | None:
    """Five directions, under one light through a long and a wide lens and under another."""
    folder = shared_folder() / "lee_perry_smith"
    if not (folder / "scan_visible.npz").is_file():
        return None
    with np.load(folder / "scan_visible.npz", allow_pickle=False) as archive:
        scan, seven = archive["v"].astype(float), archive["now7"].astype(float)
    views = [
        View(folder / f"{name}.png", view["yaw_deg"], view["focal_px"], None)
        for name, view in _cameras(folder).items()
    ]
    return ScannedHead(scan, seven, tuple(views))


def find_london() -> tuple[Person, ...] | None:
    """The people, where this machine has them."""
    folder = shared_folder() / "london"
    if not (folder / "list.json").is_file():
        return None
    return tuple(
        Person(
            entry["id"],
            folder / entry["neutral"],
            folder / entry["smiling"],
            {
                int(name.removeprefix("ibug")): tuple(place)
                for name, place in entry["points_px"].items()
                if name.startswith("ibug")
            },
        )
        for entry in json.loads((folder / "list.json").read_text(encoding="utf-8"))
    )


def _cameras(folder: Path) -> Mapping[str, Mapping[str, float]]:
    return json.loads((folder / "cameras.json").read_text(encoding="utf-8"))["views"]
