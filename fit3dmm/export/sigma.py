"""How sure a fit is of each vertex of the neutral face, as files and as colours."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from fit3dmm._files import atomic_path
from fit3dmm.export.mesh import neutral_mesh
from fit3dmm.export.ramp import ramp_srgb
from fit3dmm.fitting.result import FitResult
from fit3dmm.fitting.vertex_sigma import neutral_sigma_mm
from fit3dmm.geometry.ply_writing import write_ply
from fit3dmm.geometry.triangle_mesh import Mesh
from fit3dmm.model.morphable import MorphableModel

ARRAY, MESH = "neutral_sigma_mm.npy", "neutral_sigma.ply"
# Of the face's vertices: few of them shall decide the colours of all.
_PERCENTILES = (2, 98)


@dataclass(frozen=True)
class VertexSigma:
    """Of each vertex, with the range that colours are given to."""

    sigma_mm: Float[np.ndarray, "vertices"]
    """Root mean square distance from the truth after a rigid motion of the face."""
    low_mm: float
    high_mm: float

    def colours_srgb(self) -> Float[np.ndarray, "vertices 3"]:
        """In 0..1: bright where the fit is sure, dark where it is not."""
        return ramp_srgb(self.shares())

    def shares(self) -> Float[np.ndarray, "vertices"]:
        """Where each lies in the range, 0..1."""
        span_mm = max(self.high_mm - self.low_mm, 1e-6)
        return np.clip((self.sigma_mm - self.low_mm) / span_mm, 0, 1)


def vertex_sigma(result: FitResult, model: MorphableModel) -> VertexSigma:
    """Of the neutral face of a fit.

    Args:
        model: the one that was fitted.
    """
    along_axes = neutral_sigma_mm(model, result.uncertainty)
    sigma_mm = along_axes.norm(dim=1).detach().cpu().numpy()
    face = model.regions["face"].cpu().numpy() > 0.5
    low_mm, high_mm = np.percentile(sigma_mm[face] if face.any() else sigma_mm, _PERCENTILES)
    return VertexSigma(sigma_mm, float(low_mm), float(high_mm))


def write_sigma(result: FitResult, model: MorphableModel, folder: Path, found: VertexSigma) -> None:
    """Write the array and a coloured mesh.

    Args:
        result: of a fit.
        model: the one that was fitted.
        folder: must be there.
        found: how sure the fit is (`vertex_sigma`).

    Raises:
        InputError: the folder can't be written to.
    """
    with atomic_path(folder / ARRAY) as temporary, temporary.open("wb") as file:
        np.save(file, found.sigma_mm.astype(np.float32))
    mesh = neutral_mesh(model, result.scene)
    write_ply(
        folder / MESH,
        Mesh(mesh.vertices_mm, mesh.triangles),
        np.round(255 * found.colours_srgb()).astype(np.uint8),
        found.sigma_mm,
        f"fit3dmm: mm; {mesh.frame}; quality: standard deviation in mm, "
        f"bright {found.low_mm:.2f} to dark {found.high_mm:.2f}",
    )
