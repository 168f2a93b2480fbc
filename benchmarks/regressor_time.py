"""What the network's look costs: of a fit, and of a photo among many."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import torch

from fit3dmm.evaluate.preset_fitter import prepared_model
from fit3dmm.fitting import FitConfig, fit_photo
from fit3dmm.observe import FaceDetector, observe, read_photo
from fit3dmm.regress.prediction import predict_batch
from harness import Metric, ratio_metric, time_metric
from regressor_fits import BOTH, CONFIGS
from report import REPOSITORY

EXAMPLE = REPOSITORY / "data" / "examples" / "astronaut.png"
_GROUP = "time"
_BATCHES = (1, 4, 64)
_MANY = max(_BATCHES)
# Boxes of one face that differ somewhat, as a share of its size.
_SHIFT = 0.05


def times(repeats: int) -> Iterator[Metric]:
    """Whole fits of a photo that is read already, then looks."""
    photo = read_photo(EXAMPLE)
    prepared = prepared_model("commons", FitConfig().photometric.n_samples)
    assert prepared.regressor is not None
    network, size_px = prepared.regressor.network, prepared.regressor.info.size_px
    with FaceDetector() as detector:
        points_px = observe(photo, face="largest", detector=detector)[0].face_points_px

        def fit_by(method: str) -> Callable[[], object]:
            return lambda: fit_photo(photo, prepared, CONFIGS[method], "largest", detector)

        with_it, without = _in_turn({m: fit_by(m) for m in (BOTH, "MediaPipe")}, repeats)
    generator = torch.Generator().manual_seed(0)
    box_px = points_px.amax(0) - points_px.amin(0)
    shifts_px = _SHIFT * box_px * torch.randn(_MANY, 2, generator=generator)
    places_px = [points_px + shift for shift in shifts_px]
    crops = torch.rand(_MANY, 3, size_px, size_px, generator=generator)

    def look_at(n: int) -> Callable[[], object]:
        return lambda: predict_batch(network, [photo] * n, places_px[:n], size_px)

    def network_on(n: int) -> Callable[[], object]:
        return lambda: network(crops[:n])

    with torch.no_grad():
        looks = _in_turn({f"predict, {n} photos": look_at(n) for n in _BATCHES}, repeats)
        alone = _in_turn({f"network, {n} at once": network_on(n) for n in _BATCHES}, repeats)
    ratio = ratio_metric("fit with the network / without", with_it, without)
    found = [
        replace(with_it, name="fit, with the network"),
        replace(without, name="fit, without the network"),
        # Between rivals more of the other's time is better; this is our own.
        replace(ratio, lower_is_better=True),
        *(_each(one, n) for one, n in zip([*looks, *alone], _BATCHES * 2, strict=True)),
    ]
    for metric in found:
        yield replace(metric, group=_GROUP)


def _in_turn(actions: dict[str, Callable[[], object]], repeats: int) -> list[Metric]:
    """Times of actions that take turns, so that what else the machine does falls on all alike."""
    seconds: dict[str, list[float]] = {name: [] for name in actions}
    for repeat in range(repeats + 1):
        for name, action in actions.items():
            began = time.perf_counter()
            action()
            # The first round warms up.
            if repeat > 0:
                seconds[name].append(time.perf_counter() - began)
    return [time_metric(name, taken) for name, taken in seconds.items()]


def _each(metric: Metric, photos: int) -> Metric:
    """The time a photo."""
    return replace(
        metric, name=f"{metric.name}, each", value=1e3 * metric.value / photos, unit="ms"
    )
