"""Put the teeth and gums of `tools/commons/teeth.py` into a model that is built already.

    python tools/renew_teeth.py data/commons.h5

A build would do more. What people's colours have in common is found over lips and gums by area, so
that other gums make other components of the lips; and on another machine the last digits of the
identity components differ. Here all but teeth and gums stays as it is, number by number, and with
it what fits, networks and tables of errors say of the model.
"""

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from build_commons import INFO
from commons.albedo import MEAN_STEP
from commons.mouth_light import mouth_light, under_lips
from commons.teeth import JAWS, dental_arch, gums
from commons.tongue import tongue
from fit3dmm.geometry.subdivision import composed_operator, quads_to_triangles, refine_levels
from fit3dmm.geometry.triangle_mesh import Mesh, vertex_normals
from fit3dmm.model.files import read_stored, write_stored
from fit3dmm.model.stored import StoredModel

_BASES = ("identity_basis_mm", "detail_basis_mm", "expression_basis_mm")


def renewed(stored: StoredModel) -> StoredModel:
    """The model with teeth and gums as they are made today.

    Raises:
        SystemExit: the model's teeth have other vertices.
    """
    # Nothing but the place tells the tongue of a model from one that is made now.
    origin_mm = (stored.mean_mm[_rows(stored, "tongue")] - tongue().thing.points_mm).mean(axis=0)
    mean = stored.mean_mm.copy()
    bases = {name: getattr(stored, name).copy() for name in _BASES}
    for jaw in JAWS:
        things = [make(jaw) for make in (dental_arch, gums)]
        rows = [_rows(stored, thing.part) for thing in things]
        if [len(row) for row in rows] != [len(thing.points_mm) for thing in things]:
            raise SystemExit(f"The model's {jaw} teeth have other numbers of vertices.")
        own = np.concatenate(rows)
        mean[own] = np.concatenate([thing.points_mm for thing in things]) + origin_mm
        carry = _carry(stored.mean_mm[own], mean[own])
        for basis in bases.values():
            basis[:, own] = carry @ basis[:, own]
    result = replace(stored, info=INFO, mean_mm=mean, **bases)
    return _with_colours(stored, result)


def _rows(stored: StoredModel, *parts: str) -> np.ndarray:
    return np.unique(stored.base_faces[np.concatenate([stored.parts[part] for part in parts])])


def _carry(before_mm: np.ndarray, after_mm: np.ndarray) -> np.ndarray:
    """(after, before) what makes displacements of the new points of those of the old ones: teeth
    and gums of a jaw are shifted, turned and scaled as one, so all that moves them is affine."""
    old, new = (np.column_stack([p, np.ones(len(p))]) for p in (before_mm, after_mm))
    return new @ np.linalg.pinv(old)


@dataclass(frozen=True)
class _Coloured:
    """The surface that has the colours."""

    quads: np.ndarray
    light: np.ndarray
    """(vertices,) of `mouth_light`."""
    unshaded: np.ndarray
    """(vertices,) where no lip takes of it."""


def _coloured(stored: StoredModel) -> _Coloured:
    n_base = len(stored.mean_mm)
    steps = refine_levels(stored.base_faces, n_base, stored.albedo_level)
    quads = steps[-1].quads
    points = composed_operator(steps, n_base) @ stored.mean_mm
    normals = vertex_normals(Mesh(points, quads_to_triangles(quads)))
    inside = {name: _mask(stored, quads, name) for name in ("skin", "mouth", "tongue")}
    teeth = _mask(stored, quads, "teeth_upper", "teeth_lower")
    lip_rim = inside["skin"] & inside["mouth"]
    light = mouth_light(points, normals, teeth, inside["tongue"], lip_rim)
    return _Coloured(quads, light, under_lips(points, teeth) == 1)


def _mask(stored: StoredModel, quads: np.ndarray, *parts: str) -> np.ndarray:
    """(vertices,) of parts, on the refined surface."""
    chosen = np.zeros(len(stored.base_faces), dtype=bool)
    chosen[np.concatenate([stored.parts[part] for part in parts])] = True
    mask = np.zeros(quads.max() + 1, dtype=bool)
    # Child quads are numbered such that the remainder is the base quad.
    mask[quads[np.resize(chosen, len(quads))]] = True
    return mask


def _with_colours(before: StoredModel, after: StoredModel) -> StoredModel:
    """The new model whose teeth and gums have, each, one colour in the light that is left there.

    So they are painted (`commons.people`), in every component. What the colour is, the model before
    says, by least squares over its vertices that no lip shades; up to 2.1 no lip shaded any.
    """
    old, new = _coloured(before), _coloured(after)
    mean, basis = before.albedo_mean_linear.copy(), before.albedo_basis_linear.copy()
    for kind in ("teeth", "gums"):
        own = _mask(before, old.quads, *(f"{kind}_{jaw}" for jaw in JAWS))
        seen = own & old.unshaded
        share = old.light[seen] / (old.light[seen] ** 2).sum()
        for colours in (mean[None], basis):
            one = np.einsum("v,kvc->kc", share, colours[:, seen])
            colours[:, own] = one[:, None] * new.light[own][:, None]
    mean = np.round(mean / MEAN_STEP) * MEAN_STEP
    return replace(after, albedo_mean_linear=mean, albedo_basis_linear=basis)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("model", type=Path, help="is replaced")
    arguments = parser.parse_args()
    write_stored(renewed(read_stored(arguments.model)), arguments.model)


if __name__ == "__main__":
    main()
