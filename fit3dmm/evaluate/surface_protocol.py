"""What MICC, FaceWarehouse and BU-3DFE have in common: expressive meshes, and six distances."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from fit3dmm.evaluate.fitter import FittedFace
from fit3dmm.evaluate.predictions import find_mesh_and_landmarks, save_expressive
from fit3dmm.evaluate.protocol import Case, Curves, Outcome, Row
from fit3dmm.evaluate.surface_error import HEADLINE, summarise_units, surface_curves


@dataclass(frozen=True)
class SurfaceProtocol:
    """The part of a protocol that does not depend on the set's files."""

    worst_by: ClassVar[str] = HEADLINE

    def find_prediction(self, case: Case, predictions: Path) -> tuple[Path, ...]:
        """Mesh and seven landmarks."""
        return find_mesh_and_landmarks(predictions, case.name)

    def save_face(self, face: FittedFace, case: Case, predictions: Path) -> None:
        """The expressive mesh, as Deng et al. do: scans may have the photos' expressions."""
        save_expressive(face, predictions, case.name)

    def summarise(self, outcomes: Sequence[Outcome]) -> list[Row]:
        """Mean and std over the cases."""
        return summarise_units(outcomes)

    def curves(self, outcomes: Sequence[Outcome]) -> Curves:
        """Of the cases."""
        return surface_curves(outcomes)
