"""The points of a model: what moves them is the model's own matter."""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from fit3dmm.energy.points import LinearPoints
from fit3dmm.energy.skinned_points import FEATURES, JointTree, SkinnedPoints
from fit3dmm.geometry.sparse import sparse_matrix
from fit3dmm.geometry.surface_points import SurfacePoints
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.unknowns import DETAIL, EXPRESSION, IDENTITY

# Shares of a joint below this are none: a micrometre of a centimetre.
_NO_SHARE = 1e-4


def model_points(
    model: MorphableModel, places: SurfacePoints[Tensor], normals: LinearPoints | None = None
) -> LinearPoints | SkinnedPoints:
    """Gather what moves points on the surface; a set of candidate lines is flattened.

    Args:
        model: linear, or with joints.
        places: where the points are.
        normals: of the points before joints turn, linear in what `linear_fields` names.
    """
    flat = places.flat()
    return _moved(model, lambda fields: point_values(model, flat, fields), normals)


def base_points(model: MorphableModel, rows: Int[Tensor, "points"]) -> LinearPoints | SkinnedPoints:
    """Vertices of the mesh that the bases are stored on, which the surface hardly leaves."""
    return _moved(model, lambda fields: fields[:, rows].transpose(0, 1))


def _moved(
    model: MorphableModel,
    at: Callable[[Float[Tensor, "k base 3"]], Float[Tensor, "points k 3"]],
    normals: LinearPoints | None = None,
) -> LinearPoints | SkinnedPoints:
    """Points whose values of fields on the base mesh are given by a function."""
    linear = _linear(model, at)
    rest = linear if normals is None else linear.beside(normals)
    if model.rig is None:
        return rest
    shares = at(model.rig.skinning[..., None].expand(-1, -1, 3))[..., 0]
    rows, joints, carried = [], [], []
    for joint, skinning in enumerate(model.rig.skinning):
        (row,) = torch.nonzero(shares[:, joint] > _NO_SHARE, as_tuple=True)

        def weighted(fields: Tensor, skinning: Tensor = skinning, row: Tensor = row) -> Tensor:
            return at(skinning[:, None] * fields)[row]

        part = _linear(model, weighted)
        if normals is not None:
            part = part.beside(normals.select(row).times(shares[row, joint]))
        rows.append(row)
        joints.append(torch.full_like(row, joint))
        carried.append(part)
    row, joint = torch.cat(rows), torch.cat(joints)
    return SkinnedPoints(
        rest,
        carried[0].followed_by(*carried[1:]),
        row,
        joint,
        shares[row, joint],
        JointTree(model.rig.parents, _centres(model)),
    )


def vertex_places(model: MorphableModel, rows: Int[Tensor, "rows"]) -> SurfacePoints[Tensor]:
    """Vertices of the surface as points on it."""
    triangles = model.surface.triangles
    corner = torch.zeros(model.n_vertices, dtype=torch.long, device=triangles.device)
    corner[triangles.flatten()] = torch.arange(triangles.numel(), device=triangles.device)
    weights = torch.nn.functional.one_hot(corner[rows] % 3, 3).to(model.mean_mm)
    return SurfacePoints(corner[rows] // 3, weights)


def linear_fields(model: MorphableModel) -> dict[str, Float[Tensor, "k base 3"]]:
    """Fields on the base mesh that add up to the shape before joints turn, each row times a number,
    by the unknown (or what follows from one) that holds the numbers."""
    fields = {
        IDENTITY: model.identity_basis_mm,
        DETAIL: model.detail_basis_mm,
        EXPRESSION: model.expression_basis_mm,
    }
    return fields if model.rig is None else fields | {FEATURES: model.rig.correctives_mm}


def _linear(model: MorphableModel, at: Callable[[Tensor], Tensor]) -> LinearPoints:
    """Points whose values of fields on the base mesh are given by a function."""
    fields = linear_fields(model)
    basis = torch.cat([at(field) for field in fields.values()], dim=1)
    sizes = tuple(len(field) for field in fields.values())
    mean = at(model.mean_mm[None])[:, 0]
    return LinearPoints(mean, basis.mT.contiguous(), tuple(fields), sizes)


def _centres(model: MorphableModel) -> LinearPoints:
    """Of the joints. What correctives add does not move them."""
    assert model.rig is not None
    fields = {name: one for name, one in linear_fields(model).items() if name != FEATURES}
    weights = model.rig.centres
    basis = torch.cat([torch.einsum("jb,kbx->jkx", weights, one) for one in fields.values()], 1)
    sizes = tuple(len(field) for field in fields.values())
    return LinearPoints(weights @ model.mean_mm, basis.mT.contiguous(), tuple(fields), sizes)


def point_values(
    model: MorphableModel, places: SurfacePoints[Tensor], fields: Float[Tensor, "k base 3"]
) -> Float[Tensor, "points k 3"]:
    """Values at surface points of fields on the base vertices: rows of the surface's operator."""
    corners = model.surface.triangles[places.triangle]
    used, at = torch.unique(corners, return_inverse=True)
    on_vertices = _lifted_rows(model, used, fields)
    weights = places.barycentric.to(fields.dtype)
    return torch.einsum("pckx,pc->pkx", on_vertices[at], weights)


def _lifted_rows(
    model: MorphableModel, vertices: Int[Tensor, "used"], fields: Float[Tensor, "k base 3"]
) -> Float[Tensor, "used k 3"]:
    """`surface.lift` for some vertices only."""
    flat = fields.transpose(0, 1).flatten(1)
    operator = model.surface.operator
    if operator is None:
        return flat[vertices].unflatten(1, (-1, 3))
    start, column, weight = operator.crow_indices(), operator.col_indices(), operator.values()
    counts = (start[1:] - start[:-1])[vertices]
    row_start = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
    entry = torch.arange(int(row_start[-1]), device=vertices.device)
    entry = entry + (start[vertices] - row_start[:-1]).repeat_interleave(counts)
    values = weight[entry].to(flat.dtype)
    rows = sparse_matrix(row_start, column[entry], values, (len(vertices), flat.shape[0]))
    return torch.sparse.mm(rows, flat).unflatten(1, (-1, 3))
