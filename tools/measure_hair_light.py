"""Measure how far the light that is fitted to faces tells the light on their hair.

    python tools/measure_hair_light.py SET

SET is a folder of synthetic cases (`benchmarks/run_accuracy.py` makes one), whose light is known;
even ones are for choosing. What is printed is what `HairLightSettings` holds: the logarithm of the
light on the scalp over that on the face, true against fitted, over vertices that the photo shows;
each photo counts alike.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from fit3dmm.colour import luminance
from fit3dmm.fitting.pipeline import fit_photo
from fit3dmm.fitting.prepared import prepare
from fit3dmm.fitting.result import FitResult
from fit3dmm.geometry.harmonics import sh_basis
from fit3dmm.model.files import load_model
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.render.backend import choose_backend
from fit3dmm.render.depth import posed
from fit3dmm.synthetic.probes import Probe, SphereMap
from fit3dmm.synthetic.truth import read_truth

# Cosines between normal and view from which a place is seen.
_GRAZING = 0.1


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("set", type=Path)
    parser.add_argument("--most", type=int, default=48, help="photos that are fitted")
    options = parser.parse_args()
    model = load_model()
    prepared = prepare(model)
    pairs = []
    cases = sorted(one for one in options.set.glob("[0-9]*.h5") if int(one.stem) % 2 == 0)
    for truth in cases[: options.most]:
        fit = fit_photo(truth.with_suffix(".jpg"), prepared, "default", "largest")[0]
        probe = Probe(SphereMap(read_truth(truth).radiance))
        pairs.append(scalp_over_face(fit, model, probe))
    slope, offset, left = line_through(pairs)
    as_fitted, on_face = (mean_rms(pairs, share) for share in (1.0, 0.0))
    print(f"{len(pairs)} photos: true = {offset:.2f} + {slope:.2f} fitted, {left:.2f} left")
    print(f"as fitted {as_fitted:.2f} left, by the face's light alone {on_face:.2f}")


def scalp_over_face(
    fit: FitResult, model: MorphableModel, probe: Probe
) -> tuple[Float[np.ndarray, "n"], Float[np.ndarray, "n"]]:
    """Logarithm of the light on each seen vertex of the scalp over the face's median light: as
    fitted, and true."""
    points = posed(model, fit.scene)
    backend = choose_backend("auto", points.device)
    # Those of the base mesh are enough: the probe is summed for each normal.
    n = model.surface.n_base
    normals = backend.vertex_normals(points, model.surface.topology)[:n]
    facing = -(normals * torch.nn.functional.normalize(points[:n], dim=-1)).sum(-1)
    face = (model.regions["face"] * model.regions["skin"])[:n] > 0.5
    face = face & (facing > _GRAZING)
    scalp = (model.regions["scalp"][:n] > 0.5) & (facing > _GRAZING)
    fitted = sh_basis(normals) @ fit.scene.lighting.irradiance_sh
    true = torch.from_numpy(probe.irradiance(normals.double().numpy())).to(fitted)
    levels = [luminance(one).clamp_min(0.01).log() for one in (fitted, true)]
    of_fit, of_truth = ((one - one[face].median())[scalp].numpy() for one in levels)
    return of_fit, of_truth


def line_through(
    pairs: list[tuple[Float[np.ndarray, "n"], Float[np.ndarray, "n"]]],
) -> tuple[float, float, float]:
    """Slope and offset of the line of least squares, and the root mean square of what is left."""
    x, y = (np.concatenate(side) for side in zip(*pairs, strict=True))
    weight = np.concatenate([np.full(len(one), 1 / len(one)) for one, _ in pairs])
    weight /= weight.sum()
    x_mean, y_mean = float(weight @ x), float(weight @ y)
    slope = float(weight @ ((x - x_mean) * (y - y_mean)) / (weight @ (x - x_mean) ** 2))
    offset = y_mean - slope * x_mean
    return slope, offset, float(np.sqrt(weight @ (y - offset - slope * x) ** 2))


def mean_rms(
    pairs: list[tuple[Float[np.ndarray, "n"], Float[np.ndarray, "n"]]], share: float
) -> float:
    """Root mean square of the true logarithms less a share of the fitted ones."""
    return float(np.sqrt(np.mean([((true - share * fit) ** 2).mean() for fit, true in pairs])))


if __name__ == "__main__":
    main()
