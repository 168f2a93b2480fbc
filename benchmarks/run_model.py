"""How good the Commons face model is: expressiveness, mean, anthropometry, size and speed.

    python benchmarks/run_model.py [--ict FACEXMODEL] [--scan SCAN_NPZ]

--ict is ICT-FaceKit's FaceXModel folder; --scan an archive with a real scan's vertices `sv` (mm)
and NoW's seven points `sl`. What is not given is left out. Commons' prior was
calibrated on figures measured on ICT-FaceKit, so ICT's people are not held out for mean and spread;
the scan is.
"""

import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import scipy.sparse as sp
import torch

import harness
from fit3dmm._files import data_path
from fit3dmm.evaluate.now_error import now_errors_mm
from fit3dmm.geometry.alignment import solve_similarity
from fit3dmm.geometry.nearest import NearestSurface
from fit3dmm.geometry.registration import register
from fit3dmm.geometry.subdivision import quads_to_triangles
from fit3dmm.geometry.triangle_mesh import Mesh, vertex_normals
from fit3dmm.model import MorphableModel
from fit3dmm.model.files import load_model
from fit3dmm.model.formats import read_source
from fit3dmm.model.landmarks import NOW7_IN_IBUG68
from harness import Metric, ratio_metric, run

N_PEOPLE = 40
SEED = 7
_ROUNDS = 8
_MATCHED_MM = 1.0
_SIZE = "size, model over people"
_SKIN_REGIONS = ("face", "ears", "neck", "scalp", "lips", "nose")


@dataclass(frozen=True)
class People:
    """ICT's random people on vertices of Commons."""

    shapes_mm: np.ndarray
    """(people, points, 3)"""
    vertices: np.ndarray
    """Rows of Commons' base mesh that the points are."""
    own_mean_mm: np.ndarray
    own_modes_mm: np.ndarray


def measure(options: Namespace) -> Iterator[Metric]:
    """One table after the other."""
    model = load_model()
    yield from _grouped("size and speed", measure_speed(model, options.repeats))
    yield from _grouped("expression energy", measure_expression_energy(model))
    yield from _grouped("anthropometry", measure_anthropometry(model))
    if options.scan:
        yield from _grouped("mean face on the scan", measure_mean(options.scan))
    if options.ict:
        yield from _grouped("expressiveness", measure_expressiveness(model, options.ict))


def _grouped(group: str, metrics: Iterator[Metric]) -> Iterator[Metric]:
    for metric in metrics:
        yield replace(metric, group=metric.group or group)


def _options(parser: ArgumentParser) -> None:
    parser.add_argument("--ict", type=Path, metavar="FACEXMODEL")
    parser.add_argument("--scan", type=Path, metavar="NPZ")


def measure_speed(model: MorphableModel, repeats: int) -> Iterator[Metric]:
    """File size, load time, and a decode with its derivative: dense against base and lift.

    Times are the processor's.
    """
    timed = partial(harness.timed, clock=time.process_time)
    yield Metric("file", data_path("commons.h5").stat().st_size / 1e6, "MB")
    for level in (0, 1, 2):
        yield timed(f"load, level {level}", lambda level=level: load_model(level=level), 5, "ms")
    n = model.n_identity + model.n_detail + model.n_expression
    basis = torch.cat([model.identity_basis_mm, model.detail_basis_mm, model.expression_basis_mm])
    dense = model.surface.lift(basis).flatten(1)
    mean = model.surface.lift(model.mean_mm).flatten()
    vector = torch.zeros(n, requires_grad=True)
    weights = torch.ones(model.n_vertices, 3)

    def decode_dense() -> None:
        shape = (mean + vector @ dense).view(-1, 3)
        torch.autograd.grad((shape * weights).sum(), vector)

    def decode_base() -> None:
        base = model.mean_mm + (vector @ basis.flatten(1)).view(-1, 3)
        torch.autograd.grad((model.surface.lift(base) * weights).sum(), vector)

    slow = timed("decode and derivative, dense basis", decode_dense, repeats, "ms")
    fast = timed("decode and derivative, base and subdivision", decode_base, repeats, "ms")
    yield from (slow, fast, ratio_metric("ratio", slow, fast))


def measure_expression_energy(model: MorphableModel) -> Iterator[Metric]:
    """Share of the units' squared displacement in their leading principal components."""
    values = np.linalg.svd(model.expression_basis_mm.flatten(1).numpy(), compute_uv=False) ** 2
    for count in (10, 20, 30, 40):
        yield Metric(
            f"in {count} components", float(values[:count].sum() / values.sum()), "share", None
        )


def measure_anthropometry(model: MorphableModel) -> Iterator[Metric]:
    """Each measure of men and women and its deviation, people's and the model's on its surface."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))
    from commons.measures import compare_points

    landmarks, triangles = model.landmarks["anthropometry"], model.surface.triangles
    components = model.surface.lift(torch.cat([model.identity_basis_mm, model.detail_basis_mm]))
    names = landmarks.names
    mean_mm = landmarks.locate(model.shape_mm(model.zeros()), triangles)
    ratios = []
    for found in compare_points(
        names,
        mean_mm.numpy().astype(float),
        landmarks.locate(components, triangles).numpy().astype(float),
    ):
        groups = {"men": found.men_mm, "women": found.women_mm, "sigma": found.sd_mm}
        for group, (people, ours) in groups.items():
            yield Metric(f"{found.name}: people, {group}", people, "mm", None)
            yield Metric(f"{found.name}: model, {group}", ours, "mm", None)
        ratios.append([found.men_mm[1] / found.men_mm[0], found.women_mm[1] / found.women_mm[0]])
    men, women = np.median(ratios, axis=0)
    for sex, ratio in (("men", men), ("women", women)):
        yield Metric(sex, float(ratio), "times", None, group=_SIZE)


def measure_mean(scan: Path) -> Iterator[Metric]:
    """NoW's error of the mean face on a scan that nothing was tuned on."""
    with np.load(scan, allow_pickle=False) as archive:
        vertices, points = archive["sv"].astype(float), archive["sl"].astype(float)
    coarse = load_model(level=1)
    shape = coarse.shape_mm(coarse.zeros())
    triangles = coarse.surface.triangles
    skin = torch.stack([coarse.regions[name] for name in _SKIN_REGIONS]).amax(0) > 0.5
    seven = coarse.landmarks["ibug68"].locate(shape, triangles)[list(NOW7_IN_IBUG68)]
    errors = now_errors_mm(
        vertices,
        points,
        shape.numpy().astype(float),
        triangles[skin[triangles].all(dim=1)].numpy(),
        seven.numpy().astype(float),
    )
    yield Metric("median", float(np.median(errors)), "mm")
    yield Metric("mean", float(np.mean(errors)), "mm")


def measure_expressiveness(model: MorphableModel, folder: Path) -> Iterator[Metric]:
    """Root mean square distance of the best fit to ICT's random people, in ICT's millimetres."""
    people = ict_people(model, folder)
    mean = model.mean_mm.numpy().astype(float)[people.vertices]
    basis = torch.cat([model.identity_basis_mm, model.detail_basis_mm]).numpy().astype(float)
    basis = basis[:, people.vertices]
    triangles = _face_triangles(model, people.vertices)
    k = model.n_identity
    sets = {"mean alone": 0, "20 components": 20, "40 components": 40, f"{k} components": k}
    sets |= {f"{k} and {d} detail modes": k + d for d in (50, model.n_detail)}
    for name, count in sets.items():
        yield from _residuals(f"Commons, {name}", mean, basis[:count], people.shapes_mm, triangles)
    for count in (20, 40, 80):
        own = people.own_modes_mm[:count]
        yield from _residuals(
            f"ICT's own {count}", people.own_mean_mm, own, people.shapes_mm, triangles
        )


def ict_people(model: MorphableModel, folder: Path) -> People:
    """Random people of ICT, N(0, 1) in its 100 modes, on face vertices of Commons' base mesh."""
    source = read_source([folder])
    stored = source.stored
    faces = np.asarray(stored.base_faces)
    triangles = quads_to_triangles(faces) if faces.shape[1] == 4 else faces
    inside = np.any(list(source.own_parts.values()), axis=0)
    triangles = triangles[~inside[triangles].any(axis=1)]
    coarse = load_model(level=0)
    base = coarse.mean_mm.numpy().astype(float)
    ours = coarse.landmarks["ibug68"]
    corners = coarse.surface.triangles[ours.triangle].numpy()[17:]
    weights = ours.barycentric.numpy()[17:].astype(float)
    anchors = sp.csr_matrix(
        (weights.ravel(), (np.repeat(np.arange(51), 3), corners.ravel())), (51, len(base))
    )
    skin = torch.stack([coarse.regions[name] for name in _SKIN_REGIONS]).amax(0).numpy() > 0.5
    target = NearestSurface(np.asarray(stored.mean_mm, dtype=float), triangles)
    ibug_mm = np.stack([source.anchors_mm[i] for i in range(17, 68)])
    laid = register(
        base, coarse.surface.triangles.numpy(), np.where(skin, 0, -1), target, anchors, ibug_mm
    )
    face = coarse.regions["face"].numpy() > 0.5
    vertices = np.flatnonzero(face & (laid.distance_mm < _MATCHED_MM))
    match = target.closest(laid.vertices_mm[vertices])
    at = triangles[match.triangle]
    mean = np.einsum("pkc,pk->pc", np.asarray(stored.mean_mm)[at], match.barycentric)
    modes = np.einsum(
        "mpkc,pk->mpc", np.asarray(stored.identity_basis_mm)[:, at], match.barycentric
    )
    draws = np.random.default_rng(SEED).normal(size=(N_PEOPLE, len(modes)))
    return People(mean + np.einsum("nm,mpc->npc", draws, modes), vertices, mean, modes)


def _face_triangles(model: MorphableModel, vertices: np.ndarray) -> np.ndarray:
    row = np.full(model.mean_mm.shape[0], -1)
    row[vertices] = np.arange(len(vertices))
    triangles = row[quads_to_triangles(model.surface.base_faces.numpy())]
    return triangles[(triangles >= 0).all(axis=1)]


def _residuals(
    name: str, mean: np.ndarray, basis: np.ndarray, shapes: np.ndarray, triangles: np.ndarray
) -> Iterator[Metric]:
    """Alternate the best similarity and the best coefficients; residuals in the source's mm."""
    flat = basis.reshape(len(basis), mean.size).T
    solve = np.linalg.pinv(flat) if len(basis) else None
    at_points, along_normals = [], []
    for shape in shapes:
        fitted = mean
        for _ in range(_ROUNDS if len(basis) else 1):
            placed = solve_similarity(shape, fitted)
            if solve is not None:
                change = (placed @ shape - mean).ravel()
                fitted = mean + (flat @ (solve @ change)).reshape(-1, 3)
        placed = solve_similarity(shape, fitted)
        gap = (placed @ shape - fitted) / float(placed.scale)
        at_points.append(np.sqrt((gap**2).sum(axis=1).mean()))
        normals = vertex_normals(Mesh(fitted, triangles))
        along_normals.append(np.sqrt(((gap * normals).sum(axis=1) ** 2).mean()))
    yield Metric(f"{name}: points", float(np.mean(at_points)), "mm")
    yield Metric(f"{name}: normals", float(np.mean(along_normals)), "mm")


if __name__ == "__main__":
    sys.exit(run("model", __doc__, measure, _options, repeats=15, seed=SEED))
