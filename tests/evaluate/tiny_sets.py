"""Small data sets in the official layouts, made of analytic faces, and a fitter that knows them.

A face is a height field over a grid: every face has the same triangles, and each person's bumps
come from a seed. A photo is a flat grey whose level says who it shows; black shows nobody.
"""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from fit3dmm.evaluate.fitter import FittedFace
from fit3dmm.geometry.obj_files import write_obj
from fit3dmm.geometry.surface_points import SurfacePoints
from fit3dmm.geometry.triangle_mesh import Mesh

COLUMNS, ROWS = 31, 41
_X, _Y = np.meshgrid(np.linspace(-80, 80, COLUMNS), np.linspace(-100, 100, ROWS))

# Rough places (x, y) of iBUG's 68 points on the face, subject's right at negative x.
_JAW = [(75 * np.sin(a), 25 - 110 * np.cos(a)) for a in np.linspace(-1.4, 1.4, 17)]
_BROWS = [(x, 48 + 6 * np.sin((abs(x) - 15) / 15)) for x in (-60, -48, -36, -25, -15)]
_BROWS += [(-x, y) for x, y in reversed(_BROWS)]
_NOSE = [(0, y) for y in (30, 20, 9, -2)] + [(x, -14 + abs(x) / 4) for x in (-14, -7, 0, 7, 14)]
_EYE = [(-45, 30), (-37, 35), (-27, 35), (-17, 30), (-27, 26), (-37, 26)]
_EYES = _EYE + [(-_EYE[k][0], _EYE[k][1]) for k in (3, 2, 1, 0, 5, 4)]
_TURN = np.linspace(-np.pi / 2, 1.5 * np.pi, 13)[:-1]
_MOUTH = [(25 * np.sin(a), -45 + 9 * np.cos(a)) for a in _TURN]
_MOUTH += [(18 * np.sin(a), -45 + 4 * np.cos(a)) for a in np.linspace(-1.57, 3.93, 8)]
IBUG68_XY = np.array(_JAW + _BROWS + _NOSE + _EYES + _MOUTH)
_EXTRA_XY = np.random.default_rng(85).uniform(-40, 40, size=(17, 2))
SEVEN = (36, 39, 42, 45, 33, 48, 54)
NOSE_TIP = 30


def face(person: int, expression: float = 0.0) -> Mesh:
    """A person's face in mm: x to the subject's left, y up, z out of the face."""
    rng = np.random.default_rng(person)
    z = 40 - (_X / 16) ** 2 - (_Y / 22) ** 2
    z = z + 24 * np.exp(-((_X / 11) ** 2) - ((_Y - 3) / 20) ** 2)
    for sign in (-1, 1):
        z = z - 7 * np.exp(-(((_X - sign * 31) / 14) ** 2) - ((_Y - 30) / 9) ** 2)
    for _ in range(6):
        x0, y0, width = rng.uniform(-50, 50), rng.uniform(-60, 60), rng.uniform(18, 35)
        z = z + rng.normal(0, 2.5) * np.exp(-((_X - x0) ** 2 + (_Y - y0) ** 2) / width**2)
    z = z + expression * 8 * np.exp(-((_X / 25) ** 2) - ((_Y + 45) / 12) ** 2)
    return Mesh(np.stack([_X, _Y, z], axis=-1).reshape(-1, 3), _triangles())


def _triangles() -> np.ndarray:
    row, column = np.meshgrid(np.arange(ROWS - 1), np.arange(COLUMNS - 1), indexing="ij")
    a = (row * COLUMNS + column).ravel()
    b, c, d = a + 1, a + COLUMNS + 1, a + COLUMNS
    return np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)]).astype(np.int64)


def surface_points(xy: np.ndarray) -> SurfacePoints:
    """Where places (x, y) lie on the grid, the same for every face."""
    u = (xy[:, 0] + 80) / 160 * (COLUMNS - 1)
    v = (xy[:, 1] + 100) / 200 * (ROWS - 1)
    column, row = np.clip(u.astype(int), 0, COLUMNS - 2), np.clip(v.astype(int), 0, ROWS - 2)
    u, v = u - column, v - row
    cell, lower = row * (COLUMNS - 1) + column, u >= v
    n_cells = (ROWS - 1) * (COLUMNS - 1)
    weights = np.where(
        lower[:, None], np.stack([1 - u, u - v, v], 1), np.stack([1 - v, u, v - u], 1)
    )
    return SurfacePoints(np.where(lower, cell, cell + n_cells), weights)


IBUG68 = surface_points(IBUG68_XY)
KEYPOINTS85 = surface_points(np.concatenate([IBUG68_XY, _EXTRA_XY]))


def points(mesh: Mesh, which: SurfacePoints = IBUG68) -> np.ndarray:
    return which.locate(mesh.vertices, mesh.triangles)


def seven(mesh: Mesh) -> np.ndarray:
    return points(mesh)[list(SEVEN)]


def photo_of(path: Path, person: int, size: int = 40) -> Path:
    """Write a photo; person 0 is nobody."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (size, size), 10 * person).save(path)
    return path


@dataclass(frozen=True)
class TinyFitter:
    """Recognises the person by the grey and answers with a flattened face of theirs.

    Each call is written to the file named by TINY_FITS, so that tests can count them.
    """

    flatten: float = 0.05

    @property
    def fingerprint(self) -> str:
        return f"tiny-{self.flatten}"

    def __call__(self, photo: Path) -> FittedFace | None:
        time.sleep(float(os.environ.get("TINY_SECONDS", "0")))
        if "TINY_FITS" in os.environ:
            with Path(os.environ["TINY_FITS"]).open("a") as log:
                log.write(f"{photo.name}\n")
        with Image.open(photo) as image:
            person = round(np.asarray(image.convert("L")).mean() / 10)
        if person == 0:
            return None
        shapes = [face(person, e).vertices * [1, 1, 1 - self.flatten] for e in (0.0, 0.5)]
        flat = points(Mesh(shapes[1], _triangles()))[:, :2] * [1, -1] + 225
        return FittedFace(shapes[0], shapes[1], _triangles(), IBUG68, flat, KEYPOINTS85)

    def together(self, photos: Sequence[Path]) -> FittedFace | None:
        """The first who is somebody, at rest."""
        found = [face for face in map(self, photos) if face is not None]
        return replace(found[0], expressive_mm=found[0].neutral_mm) if found else None


def write_points(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{x} {y} {z}\n" for x, y, z in values))


def now_set(data: Path) -> int:
    """Two subjects, two challenges; returns the number of photos. One photo shows nobody."""
    lines = []
    for person in (3, 4):
        subject = f"FaMoS_{person:03d}"
        scan = face(person)
        write_obj(data / "scans" / subject / "scan.obj", scan)
        picked = "\n".join(
            f' <point y="{y}" x="{x}" z="{z}" name="{k}" active="1"/>'
            for k, (x, y, z) in enumerate(seven(scan))
        )
        target = data / "scans_lmks_onlypp" / subject / "scan.pp"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(f"<!DOCTYPE PickedPoints>\n<PickedPoints>\n{picked}\n</PickedPoints>\n")
        for challenge in ("multiview_neutral", "selfie"):
            for k in range(2):
                name = f"{subject}/{challenge}/IMG_{person}{challenge[0]}{k}.jpg"
                nobody = person == 4 and challenge == "selfie" and k == 1
                photo_of(data / "iphone_pictures" / name, 0 if nobody else person)
                lines.append(f"/somewhere/{name}")
    (data / "imagepathsvalidation.txt").write_text("\n".join(lines) + "\n")
    return len(lines)


def realy_set(data: Path) -> int:
    """Two scans in tenths of mm, with one frontal and one side view each."""
    boxes = {  # region: x and y range in mm
        "nose": (-22, 22, -22, 30),
        "mouth": (-36, 36, -64, -30),
        "forehead": (-60, 60, 20, 70),
        "cheek": (-65, -20, -40, 15),
    }
    scales = [9.0, 8.0, 7.5]
    for person in (1, 3):
        scan, unit = face(person), scales[person - 1]
        for region, (left, right, low, high) in boxes.items():
            x, y = scan.vertices[:, 0], scan.vertices[:, 1]
            inside = (x >= left) & (x <= right) & (y >= low) & (y <= high)
            place = np.cumsum(inside) - 1
            kept = scan.triangles[inside[scan.triangles].all(axis=1)]
            part = Mesh(scan.vertices[inside] / unit, place[kept])
            write_obj(data / "REALY_scan_region" / str(person) / f"{region}.obj", part)
        keypoints = Mesh(points(scan, KEYPOINTS85) / unit, np.zeros((0, 3), dtype=np.int64))
        write_obj(data / "REALY_HIFI3D_keypoints" / f"{person}.obj", keypoints)
        photo_of(data / "images" / f"{person}.jpg", person)
        photo_of(data / "images" / f"{person}_2.jpg", person)
    (data / "metrical_scale.txt").write_text("\n".join(map(str, scales)))
    return 4


def micc_set(data: Path) -> int:
    """Two subjects, two videos; one of them has two frames."""
    for person in (5, 6):
        subject = f"subject_{person:02d}"
        scan = face(person)
        write_obj(data / subject / "Model" / "frontal1" / "obj" / "1109.obj", scan)
        eight = np.concatenate([seven(scan), points(scan)[[NOSE_TIP]]])
        write_points(data / "landmarks" / f"{subject}.txt", eight)
        for video in ("Cooperative", "Indoor"):
            for k in range(1 + (subject == "subject_05" and video == "Indoor")):
                photo_of(data / "frames" / subject / video / f"{k:04d}.jpg", person)
    return 5


def facewarehouse_set(data: Path) -> int:
    """One tester, two poses, meshes in metres."""
    for pose in range(2):
        scan = face(7, float(pose))
        folder = data / "Tester_1" / "TrainingPose"
        write_obj(folder / f"pose_{pose}.obj", Mesh(scan.vertices / 100, scan.triangles))
        photo_of(folder / f"pose_{pose}.png", 7)
    vertices = face(7).vertices
    wanted = IBUG68_XY[[*SEVEN, NOSE_TIP]]
    rows = [int(np.abs(vertices[:, :2] - xy).sum(axis=1).argmin()) for xy in wanted]
    (data / "landmark_vertices.txt").write_text("\n".join(map(str, rows)))
    mask = np.flatnonzero(np.abs(vertices[:, :2]).max(axis=1) < 60)
    (data / "mask.txt").write_text("\n".join(map(str, mask)))
    return 2


def bu3dfe_set(data: Path) -> int:
    """One subject, neutral and happy, as VRML."""
    for name, expression in (("F0001_NE00WH", 0.0), ("F0001_HA04WH", 1.0)):
        scan = face(8, expression)
        coordinates = ",\n".join(f"{x} {y} {z}" for x, y, z in scan.vertices)
        corners = ",\n".join(f"{a}, {b}, {c}, -1" for a, b, c in scan.triangles)
        (data / "F0001").mkdir(parents=True, exist_ok=True)
        (data / "F0001" / f"{name}_F3D.wrl").write_text(
            f"#VRML V2.0 utf8\nShape {{ geometry IndexedFaceSet {{ coord Coordinate {{\n"
            f"point [\n{coordinates}\n] }}\ncoordIndex [\n{corners}\n] }} }}\n"
        )
        photo_of(data / "F0001" / f"{name}_F2D.png", 8)
        eight = np.concatenate([seven(scan), points(scan)[[NOSE_TIP]]])
        write_points(data / "landmarks" / f"{name}.txt", eight)
    return 2


def stirling_set(data: Path) -> int:
    """One woman and one man, photos of both qualities."""
    for person, subject in ((9, "F1001"), (10, "M1002")):
        scan, folder = face(person), f"{subject[0]}_3D_N"
        write_obj(data / folder / f"{subject}_N.obj", scan)
        target = data / "annotations" / folder / f"{subject.lower()}_N.lnd"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text("".join(f"p{k} {x} {y} {z}\n" for k, (x, y, z) in enumerate(seven(scan))))
        for quality in ("HQ", "LQ"):
            photo_of(data / "Subset_2D_FG2018" / quality / f"{subject}_a.jpg", person)
    return 4


def aflw2000_set(data: Path) -> int:
    """Six pictures of 450 px, two in each bin of yaw."""
    data.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    flat = IBUG68_XY * [1, -1] + 225 + 0.5  # where the fitter's points are, in MATLAB's convention
    original = np.stack([flat + rng.normal(0, 2, size=(68, 2)) for _ in range(6)])
    np.save(data / "AFLW2000-3D-Reannotated.pts68.npy", original.transpose(0, 2, 1) + 1)
    with_depth = np.concatenate([original, np.zeros((6, 68, 1))], axis=2).transpose(0, 2, 1)
    np.save(data / "AFLW2000-3D.pts68.npy", with_depth.astype(np.float32))
    np.save(data / "AFLW2000-3D.pose.npy", np.array([0, -30, 30.1, -60, 61, -90], dtype=np.float32))
    for k in range(6):
        photo_of(data / "AFLW2000" / f"image{k:05d}.jpg", 11, size=450)
    return 6


def make_fitter() -> TinyFitter:
    """For --fit tests.evaluate.tiny_sets:make_fitter."""
    return TinyFitter()
