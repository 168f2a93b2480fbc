"""Measure on photos what the smile units lack, and how activations spread and go together.

    python tools/commons/measure_expressions.py LONDON PORTRAITS [--rounds 2]

LONDON is a folder with `list.json` (`neutral` and `smiling`: files of one person) and its photos: a
part of the Face Research Lab London Set (L. DeBruine, B. Jones, figshare 5047666, 2017, CC-BY 4.0).
PORTRAITS holds official portraits of members of the US Congress (public domain). Both lie outside
the project, and nobody's face is in the result.

A fit explains a photo by a person and an expression. Where the neutral meshes of a person's two
photos differ, and differ alike for everybody, that is expression which the units lack. So, in
rounds: fit all photos; regress, over the people, the difference of the neutral meshes on the
difference of the activations of smile, upper lip and jaw; add what was found to the units; take the
second moments of the activations, with the fits' own uncertainty, for the next round's prior.

Photos are seen by MediaPipe and by the network of the model that the measuring begins with, as
`fit3dmm fit` sees them. The units that result are another model's: after `build_commons.py` the
detector's table and the network have to be made again (data/README.md).
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rich.progress import track

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from commons.expression_figures import TABLE, left_share
from commons.head import Head, cut_head
from commons.sources import fetch_sources, read_base_mesh
from fit3dmm.fitting.pipeline import fit_photo
from fit3dmm.fitting.prepared import prepare
from fit3dmm.fitting.result import FitResult
from fit3dmm.geometry.alignment import solve_similarity
from fit3dmm.model.files import load_model
from fit3dmm.model.morphable import Coefficients, MorphableModel
from fit3dmm.observe.detect import FaceDetector
from fit3dmm.regress.files import Regressor
from fit3dmm.regress.library import regressor_of

_UNITS = ("mouthSmile", "mouthUpperUp", "jawOpen")
# Units that hardly vary without a smile are held back more.
_RIDGE = (0.003, 0.045, 0.045)
_N_PORTRAITS = 200
# How much of a correlation that so few photos showed is believed.
_BELIEVED = 0.85
# Points on the left half that stand for what was found: where a smile moves the face; elsewhere.
_N_POINTS = (150, 60)
_MOVES = 0.02
_CORNER, _NOSE_TIP, _INNER_LIPS, _OUTER_EYES = 291, 4, (13, 14), (33, 263)


@dataclass(frozen=True)
class Fits:
    """What was found in some photos, in order."""

    neutral_mm: np.ndarray
    """(photos, base, 3)"""
    activations: np.ndarray
    """(photos, units)"""
    covariance: np.ndarray
    """(photos, units, units) of the activations, by Laplace."""

    def second_moments(self) -> np.ndarray:
        """(units, units) about rest."""
        squares = self.activations[:, :, None] * self.activations[:, None, :]
        return (squares + self.covariance).mean(axis=0)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("london", type=Path)
    parser.add_argument("portraits", type=Path)
    parser.add_argument("--model", default="commons")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--cache", type=Path, default=Path("build/sources"))
    arguments = parser.parse_args()
    people = json.loads((arguments.london / "list.json").read_text())
    pairs = [arguments.london / p[kind] for p in people for kind in ("neutral", "smiling")]
    portraits = sorted(arguments.portraits.glob("*.jpg"))
    portraits = portraits[:: max(1, len(portraits) // _N_PORTRAITS)]
    # First, because without it hours of fits could not be written down.
    head = cut_head(read_base_mesh(fetch_sources(arguments.cache)))
    model = load_model(arguments.model)
    regressor = regressor_of(model)
    lacking = np.zeros((len(_UNITS), *model.mean_mm.shape))
    for number in range(arguments.rounds):
        of_pairs = fit_all(pairs, model, "default", regressor)
        of_portraits = fit_all(portraits, model, "landmarks", regressor)
        found = lacking_mm(of_pairs, model)
        lacking += found
        moments = (of_pairs.second_moments() + of_portraits.second_moments()) / 2
        model = with_prior(with_units(model, found), moments)
        print(f"round {number + 1}: neutral meshes {leakage_mm(of_pairs, model):.3f} mm apart")
    write(model, lacking, moments, head)


def fit_all(
    photos: Sequence[Path], model: MorphableModel, preset: str, regressor: Regressor | None
) -> Fits:
    """Fit the largest face of each photo.

    Args:
        photos: of one face each.
        model: with the units as they are now.
        preset: name of the settings.
        regressor: of the model with the units as they were. Its points are the same ones on both.
    """
    prepared = prepare(model, regressor=regressor)
    with FaceDetector() as detector:
        results = [
            fit_photo(photo, prepared, preset, "largest", detector)[0]
            for photo in track(photos, f"{preset}, {len(photos)} photos")
        ]
    return Fits(
        np.stack([_neutral_mm(result, model) for result in results]),
        np.stack([r.scene.coefficients.expression.double().numpy() for r in results]),
        np.stack([_covariance(result) for result in results]),
    )


def _neutral_mm(result: FitResult, model: MorphableModel) -> np.ndarray:
    coefficients: Coefficients = result.scene.coefficients.neutral()
    return model.base_shape_mm(coefficients).double().numpy()


def _covariance(result: FitResult) -> np.ndarray:
    known = result.uncertainty
    at = known.names.index("expression")
    start = sum(known.sizes[:at])
    place = slice(start, start + known.sizes[at])
    return known.covariance[place, place].double().numpy()


def lacking_mm(pairs: Fits, model: MorphableModel) -> np.ndarray:
    """(units, base, 3) by which neutral meshes move with each of `_UNITS`, alike for everybody."""
    still, moving = _still_and_moving(model)
    mirror = model.surface.base_mirror.numpy()
    change = _change(pairs.activations, model.expression_names)
    moved = []
    for neutral, smiling in zip(pairs.neutral_mm[::2], pairs.neutral_mm[1::2], strict=True):
        # A head keeps its size.
        placed = solve_similarity(smiling[still], neutral[still], with_scale=False)
        moved.append(placed @ smiling - neutral)
    both = (np.array(moved) + np.array(moved)[:, mirror] * [-1, 1, 1]) / 2 * moving[:, None]
    normal = change.T @ change + np.diag(_RIDGE) * len(change)
    solved = np.linalg.solve(normal, change.T @ both.reshape(len(change), -1))
    return solved.reshape(len(_UNITS), -1, 3)


def _change(activations: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """(people, units) from the neutral to the smiling photo, the mean of both sides."""
    columns = []
    for unit in _UNITS:
        sides = [i for i, name in enumerate(names) if name.removeprefix(unit) in _SIDES]
        columns.append((activations[1::2] - activations[::2])[:, sides].mean(axis=1))
    return np.stack(columns, axis=1)


_SIDES = ("", "Left", "Right")


def _still_and_moving(model: MorphableModel) -> tuple[np.ndarray, np.ndarray]:
    """Base vertices that no smile moves (a mask), and how much of what was seen at each is a smile:
    1 around the mouth, on the cheeks and the nose, 0 on forehead, temples, chin and neck."""
    x, y, z = model.mean_mm.double().numpy().T
    point = model.landmarks_mm("mediapipe478", model.zeros()).double().numpy()
    eyes = point[list(_OUTER_EYES), 1].mean()
    lips = point[list(_INNER_LIPS), 1].mean()
    face = model.regions["face"][: len(x)].numpy() > 0.5
    bridge = (np.abs(x) < 12) & (y > point[_NOSE_TIP, 1] + 12)
    still = face & ((y > eyes + 3) | bridge)
    from_mouth = np.hypot(
        np.abs(x) - np.clip(np.abs(x), 0, point[_CORNER, 0] + 8),
        y - np.clip(y, lips - 4, eyes - 22),
    )
    moving = _smooth(from_mouth, 48, 12) * _smooth(y, lips - 62, lips - 22)
    return still, moving * _smooth(y, eyes + 14, eyes - 12) * _smooth(z, 0, 30)


def _smooth(x: np.ndarray, low: float, high: float) -> np.ndarray:
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def with_units(model: MorphableModel, lacking: np.ndarray) -> MorphableModel:
    """The model with its units corrected."""
    share = left_share(model.mean_mm.double().numpy())
    basis = model.expression_basis_mm.clone()
    for unit, whole in zip(_UNITS, lacking, strict=True):
        for side, part in (("", whole), ("Left", share * whole), ("Right", (1 - share) * whole)):
            if unit + side in model.expression_names:
                basis[model.expression_names.index(unit + side)] += torch.from_numpy(part).float()
    return model.replace(expression_basis_mm=basis)


def with_prior(model: MorphableModel, moments: np.ndarray) -> MorphableModel:
    """The model with these second moments as the prior of its activations."""
    sigma, correlation = symmetric_spread(moments, model.expression_names)
    factor = np.linalg.cholesky(correlation) * sigma[:, None]
    return model.replace(
        expression_sigma=torch.from_numpy(sigma).float(),
        expression_covariance_factor=torch.from_numpy(factor).float(),
    )


def symmetric_spread(moments: np.ndarray, names: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Sigmas and correlations, the same for left and right, and shrunk towards independence."""
    swap = {"Left": "Right", "Right": "Left"}
    others = [next((n.replace(a, b) for a, b in swap.items() if a in n), n) for n in names]
    at = np.array([names.index(other) for other in others])
    both = (moments + moments[np.ix_(at, at)]) / 2
    sigma = np.sqrt(np.diag(both))
    correlation = _BELIEVED * both / np.outer(sigma, sigma)
    np.fill_diagonal(correlation, 1.0)
    return sigma, correlation


def leakage_mm(pairs: Fits, model: MorphableModel) -> float:
    """Mean distance of the neutral meshes of a person's two photos on the face."""
    face = model.regions["face"][: len(model.mean_mm)].numpy() > 0.5
    return float(np.mean(list(_distances_mm(pairs.neutral_mm[:, face]))))


def _distances_mm(faces_mm: np.ndarray) -> Iterator[float]:
    for neutral, smiling in zip(faces_mm[::2], faces_mm[1::2], strict=True):
        placed = solve_similarity(smiling, neutral, with_scale=False) @ smiling
        yield float(np.linalg.norm(placed - neutral, axis=1).mean())


def write(model: MorphableModel, lacking: np.ndarray, moments: np.ndarray, head: Head) -> None:
    """Add what was found to the figures that the model was built with."""
    before = json.loads(TABLE.read_text()) if TABLE.exists() else {}
    rows = _points(model, head)
    if "vertices" in before:
        rows = np.array([int(np.flatnonzero(head.vertex == v)[0]) for v in before["vertices"]])
    sigma, correlation = symmetric_spread(moments, model.expression_names)
    table = {
        "vertices": head.vertex[rows].tolist(),
        "lacking_mm": {
            unit: (whole[rows] + np.array(before.get("lacking_mm", {}).get(unit, 0.0)))
            .round(2)
            .tolist()
            for unit, whole in zip(_UNITS, lacking, strict=True)
        },
        "names": list(model.expression_names),
        "sigma": sigma.round(3).tolist(),
        "correlation": correlation.round(3).tolist(),
    }
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in table.items()]
    TABLE.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(f"{len(rows)} points, {len(sigma)} units -> {TABLE.name}")


def _points(model: MorphableModel, head: Head) -> np.ndarray:
    """Rows of the base mesh, spread over the left half of the skin."""
    base_mm = model.mean_mm.double().numpy()
    _, moving = _still_and_moving(model)
    left = head.in_part("skin") & (base_mm[:, 0] > -1e-6)
    chosen = [int(np.flatnonzero(left & (moving > _MOVES))[0])]
    for count, candidates in zip(
        _N_POINTS, (left & (moving > _MOVES), left & (moving <= _MOVES)), strict=True
    ):
        among = np.flatnonzero(candidates)
        for _ in range(count):
            away = np.linalg.norm(base_mm[among, None] - base_mm[chosen], axis=2).min(axis=1)
            chosen.append(int(among[away.argmax()]))
    return np.unique(chosen)


if __name__ == "__main__":
    main()
