"""The last layer's best weights for what it says linearly: coefficients, light and tone.

Gradient steps spend themselves on the points. What a trained network's features tell of a person,
of the light and of the skin's tone is a linear least-squares problem, which is solved here at once;
its ridge is chosen on held-out pictures, which also say how sure the network is.
"""

from collections.abc import Iterable

import torch
from torch import Tensor

from fit3dmm.regress.batch import Batch
from fit3dmm.regress.network import BRIGHT, USUAL_LOG_TONE, FaceNetwork
from fit3dmm.regress.outputs import BLOCKS, SIGMAS

RIDGES = (1e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0, 3.0)
"""Of the curvature's mean: from a free fit to hardly any. Zero weights are tried, too."""


@torch.no_grad()
def refit(
    network: FaceNetwork, batches: Iterable[Batch], held_out: Iterable[Batch]
) -> dict[str, float]:
    """Solve for the rows of the last layer, in place.

    Args:
        network: a trained one.
        batches: pictures to fit to, at the size at which the network looks.
        held_out: others, by which the ridge of each target is chosen.

    Returns:
        By target, the share of its variance on the held-out pictures that is explained.
    """
    rows = network.rest_rows()
    of_model, of_all = _targets(network)
    told, values = _gathered(network, batches)
    seen, truth = _gathered(network, held_out)
    shares = {}
    for names, only_of_model in ((of_model, True), (of_all, False)):
        use = values["is_of_model"] if only_of_model else torch.ones_like(values["is_of_model"])
        check = truth["is_of_model"] if only_of_model else torch.ones_like(truth["is_of_model"])
        if not bool(use.any()) or not bool(check.any()):
            continue
        mean, scale = told[use].mean(0), told[use].std(0).clamp_min(1e-6)
        x = (told[use] - mean) / scale
        curvature = x.mT @ x
        unit = curvature.diagonal().mean()
        x_check = (seen[check] - mean) / scale
        identity = torch.eye(len(mean), dtype=x.dtype)
        factors = [torch.linalg.cholesky(curvature + ridge * unit * identity) for ridge in RIDGES]
        for name in names:
            y, y_check = values[name][use], truth[name][check]
            middle = y.mean(0)
            product = x.mT @ (y - middle)
            weights = [torch.cholesky_solve(product, factor) for factor in factors]
            weights.append(torch.zeros_like(product))
            # Each number of a target has the ridge that suits it: some are seen and most are not.
            errors = torch.stack(
                [(x_check @ w + middle - y_check).square().mean(0) for w in weights]
            )
            best = errors.argmin(0)
            chosen = torch.stack(weights)[best, :, torch.arange(len(best))]
            _put(network, rows[name], chosen / scale, middle - (chosen / scale) @ mean)
            _say_sigma(network, rows["log_sigmas"], name, errors.amin(0).mean())
            spread = (y_check - middle).square().mean()
            shares[name] = float(1 - errors.amin(0).mean() / spread)
    return shares


def _targets(network: FaceNetwork) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Those that mean something only of the model's own people, and the others."""
    sizes = network.settings.sizes()
    return tuple(name for name in BLOCKS if sizes[name]), ("light", "tone")


def _gathered(network: FaceNetwork, batches: Iterable[Batch]) -> tuple[Tensor, dict[str, Tensor]]:
    """What the last layer is told of all pictures, and what it should say. In double precision."""
    told: list[Tensor] = []
    values: dict[str, list[Tensor]] = {}
    for batch in batches:
        told.append(network.told(batch.image_srgb).double())
        light = batch.irradiance_sh.asinh().flatten(1)
        light[:, :3] -= BRIGHT
        wanted = {
            **batch.coefficients,
            "light": light,
            "tone": batch.tone.log()[:, None] - USUAL_LOG_TONE,
            "is_of_model": batch.is_of_model,
        }
        for name, value in wanted.items():
            values.setdefault(name, []).append(value if name == "is_of_model" else value.double())
    return torch.cat(told), {name: torch.cat(parts) for name, parts in values.items()}


def _put(network: FaceNetwork, rows: slice, weight: Tensor, bias: Tensor) -> None:
    state = network.say_rest.state_dict()
    state["weight"][rows] = weight.to(state["weight"])
    state["bias"][rows] = bias.to(state["bias"])


def _say_sigma(network: FaceNetwork, rows: slice, name: str, mean_square: Tensor) -> None:
    """The same for all pictures: how much they differ is not known."""
    row, state = rows.start + SIGMAS.index(name), network.say_rest.state_dict()
    state["weight"][row] = 0
    state["bias"][row] = 0.5 * mean_square.clamp_min(1e-8).log().to(state["bias"])
