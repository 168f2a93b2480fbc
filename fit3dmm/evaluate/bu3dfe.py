"""BU-3DFE: photos against scans with expressions."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from fit3dmm._errors import InputError
from fit3dmm.evaluate.landmark_files import find_landmarks, read_landmarks
from fit3dmm.evaluate.mesh_files import read_mesh_once
from fit3dmm.evaluate.predictions import read_mesh_and_landmarks
from fit3dmm.evaluate.protocol import Case, Score
from fit3dmm.evaluate.surface_error import sphere_score
from fit3dmm.evaluate.surface_protocol import SurfaceProtocol

LAYOUT = """\
  DATA/F0001/F0001_NE00WH_F3D.wrl     (the scan, mm) and F0001_NE00WH_F2D.bmp (or .jpg, .png)
  DATA/landmarks/F0001_NE00WH.txt     (8 lines `x y z` on the scan: NoW's seven, the nose tip)
  PREDICTIONS/F0001_NE00WH.obj        (or .ply) and F0001_NE00WH.npy (or .txt): the seven points"""

_EXPRESSIONS = {
    "NE": "neutral",
    "AN": "anger",
    "DI": "disgust",
    "FE": "fear",
    "HA": "happiness",
    "SA": "sadness",
    "SU": "surprise",
}


@dataclass(frozen=True)
class Bu3dfe(SurfaceProtocol):
    """BU-3DFE: similarity ICP and point-to-plane error within a sphere about the nose tip."""

    name: ClassVar[str] = "bu3dfe"

    radius_mm: float = 95.0
    """Of the sphere within which the scan counts. The papers do not say theirs."""

    def list_cases(self, data: Path) -> list[Case]:
        """One case a scan."""
        cases = []
        for scan in sorted(data.glob("*/*_F3D.wrl")):
            name = scan.name.removesuffix("_F3D.wrl")
            points = find_landmarks(data / "landmarks" / name)
            if points is None:
                raise InputError(
                    f"There are no landmarks of {name}; expected this layout:\n{LAYOUT}"
                )
            photos = (scan.with_name(f"{name}_F2D{s}") for s in (".bmp", ".jpg", ".png"))
            photo = next((p for p in photos if p.is_file()), None)
            code = name.partition("_")[2][:2].upper()
            cases.append(Case(name, (_EXPRESSIONS.get(code, code),), photo, (scan, points)))
        if not cases:
            raise InputError(f"There are no scans in {data}; expected this layout:\n{LAYOUT}")
        return cases

    def score(self, case: Case, files: tuple[Path, ...]) -> Score:
        """Errors within the sphere."""
        scan, points = read_mesh_once(case.truth[0]), read_landmarks(case.truth[1], 8)
        return sphere_score(
            scan, points, *read_mesh_and_landmarks(files), self.radius_mm, with_scale=True
        )
