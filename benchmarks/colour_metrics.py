"""What the lightness of fitted skins says: slopes, errors by tone, and people in several photos."""

from collections.abc import Iterator, Mapping

import numpy as np

from monk_people import N_TONES
from paired import case_metric
from report import Metric

PUBLIC = ("obama", "biden")
"""Well-known people, as their photos' names begin."""


def slope(pairs: Mapping[str, tuple[float, float]]) -> tuple[float, float]:
    """Of the line through fitted over known lightness, and its standard error."""
    x, y = np.array(list(pairs.values()), dtype=float).T
    x, y = x - x.mean(), y - y.mean()
    value = float(x @ y / (x @ x))
    left = y - value * x
    return value, float(np.sqrt(left @ left / max(len(x) - 2, 1) / (x @ x)))


def render_metrics(
    pairs: Mapping[str, tuple[float, float]], tones: Mapping[str, int], group: str
) -> Iterator[Metric]:
    """Of photos whose truth is known.

    Args:
        pairs: true and fitted lightness by case.
        tones: of Monk's scale, by case.
        group: of the metrics.
    """
    yield Metric("faces", len(pairs), "faces", None, noise=0.0, group=group)
    yield _slope_metric(pairs, "slope of fitted over true lightness", group)
    errors = {name: abs(fitted - true) for name, (true, fitted) in pairs.items()}
    yield case_metric("error", "L*", errors, group=group)
    bias = {name: fitted - true for name, (true, fitted) in pairs.items()}
    yield case_metric("too light by", "L*", bias, lower_is_better=None, group=group)
    by_tone: dict[int, list[str]] = {}
    for name in pairs:
        by_tone.setdefault(tones[name], []).append(name)
    for tone, names in sorted(by_tone.items()):
        cases = {name: errors[name] for name in names}
        yield case_metric(f"error, Monk {tone} ({len(cases)})", "L*", cases, group=group)
        lean = {name: bias[name] for name in names}
        name = f"too light by, Monk {tone} ({len(cases)})"
        yield case_metric(name, "L*", lean, lower_is_better=None, group=group)
    if len(by_tone) == N_TONES:
        by_mean = [float(np.mean([errors[name] for name in names])) for names in by_tone.values()]
        yield Metric(
            "error, worst tone over best", max(by_mean) / min(by_mean), "times", group=group
        )


def person_metrics(pairs: Mapping[str, tuple[float, float]]) -> Iterator[Metric]:
    """Of one person's photos."""
    fitted = {name: pair[1] for name, pair in pairs.items()}
    yield case_metric("fitted", "L*", fitted, lower_is_better=None, group="one person, five places")
    middle = float(np.mean(list(fitted.values())))
    away = {name: abs(value - middle) for name, value in fitted.items()}
    yield case_metric("away from their mean", "L*", away, group="one person, five places")
    most = max(fitted.values()) - min(fitted.values())
    yield Metric("lightest less darkest", most, "L*", group="one person, five places")


def public_metrics(pairs: Mapping[str, tuple[float, float]]) -> Iterator[Metric]:
    """Of well-known people in several photos."""
    for person in PUBLIC:
        fitted = {name: pair[1] for name, pair in pairs.items() if name.startswith(person)}
        if fitted:
            group = "public people"
            yield case_metric(f"{person}, fitted", "L*", fitted, lower_is_better=None, group=group)
            most = max(fitted.values()) - min(fitted.values())
            yield Metric(f"{person}, lightest less darkest", most, "L*", group=group)


def london_metrics(pairs: Mapping[str, tuple[float, float]]) -> Iterator[Metric]:
    """Of real people under one light."""
    yield Metric("photos", len(pairs), "photos", None, noise=0.0, group="London")
    yield _slope_metric(pairs, "slope of fitted over the photo's lightness", "London")
    names = {name.partition(",")[0] for name in pairs}
    both = {n: (f"{n}, neutral", f"{n}, smiling") for n in sorted(names)}
    apart = {
        n: abs(pairs[a][1] - pairs[b][1]) for n, (a, b) in both.items() if a in pairs and b in pairs
    }
    yield case_metric("two photos of one person apart", "L*", apart, group="London")


def _slope_metric(pairs: Mapping[str, tuple[float, float]], name: str, group: str) -> Metric:
    value, error = slope(pairs)
    details = {"standard error": error}
    return Metric(name, value, "", False, error / abs(value), group=group, details=details)
