"""Draw cumulative error curves with Pillow, which is installed anyway: a plotting library would be
fit3dmm's heaviest dependency, for one picture of axes and polylines.
"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from fit3dmm._files import atomic_path
from fit3dmm.evaluate.protocol import Curves
from fit3dmm.evaluate.statistics import cumulative_share

_WIDTH_PX, _HEIGHT_PX = 900, 600
_LEFT_PX, _RIGHT_PX, _TOP_PX, _BOTTOM_PX = 84, 30, 46, 72
# Drawn larger and scaled down, because Pillow's lines are not antialiased.
_OVERSAMPLING = 3
# Okabe and Ito's colours, which colour-blind readers can tell apart.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_INK, _GRID = "#222222", "#dddddd"


def write_curve(path: Path, curves: Curves, title: str) -> None:
    """Write the curves as PNG: horizontally the bound, vertically the share below it.

    Raises:
        InputError: the file can't be written.
    """
    image = draw_curve(curves, title)
    with atomic_path(path) as temporary:
        image.save(temporary)


def draw_curve(curves: Curves, title: str) -> Image.Image:
    """The picture of `write_curve`. Empty curves are left out."""
    k = _OVERSAMPLING
    image = Image.new("RGB", (_WIDTH_PX * k, _HEIGHT_PX * k), "white")
    draw = ImageDraw.Draw(image)
    right, bottom = _WIDTH_PX - _RIGHT_PX, _HEIGHT_PX - _BOTTOM_PX

    def x_px(value: float) -> float:
        return k * (_LEFT_PX + value / curves.limit * (right - _LEFT_PX))

    def y_px(share: float) -> float:
        return k * (bottom - share * (bottom - _TOP_PX))

    font, large = ImageFont.load_default(15 * k), ImageFont.load_default(18 * k)
    for share in np.linspace(0, 1, 6):
        draw.line([(x_px(0.0), y_px(share)), (x_px(curves.limit), y_px(share))], _GRID, k)
        at = (k * (_LEFT_PX - 10), y_px(share))
        draw.text(at, f"{100 * share:.0f} %", _INK, font, anchor="rm")
    for value in axis_ticks(curves.limit):
        draw.line([(x_px(value), y_px(0.0)), (x_px(value), y_px(1.0))], _GRID, k)
        draw.text((x_px(value), y_px(0.0) + 10 * k), f"{value:g}", _INK, font, anchor="ma")
    draw.line(
        [(x_px(0.0), y_px(1.0)), (x_px(0.0), y_px(0.0)), (x_px(curves.limit), y_px(0.0))],
        _INK,
        2 * k,
    )
    draw.text((x_px(0.0), 24 * k), title, _INK, large, anchor="lm")
    draw.text(
        ((x_px(0.0) + x_px(curves.limit)) / 2, k * (_HEIGHT_PX - 22)),
        curves.label,
        _INK,
        font,
        "mm",
    )

    bounds = np.linspace(0, curves.limit, 1000)
    shown = [(name, values) for name, values in curves.values.items() if len(values)]
    labels = [f"{name} (median {np.median(values):.3g})" for name, values in shown]
    widest = max((font.getlength(label) for label in labels), default=0.0)
    legend = k * (right - 10) - widest
    for place, (_, values) in enumerate(shown):
        colour = _COLOURS[place % len(_COLOURS)]
        share = cumulative_share(values, bounds)
        points = [(x_px(b), y_px(s)) for b, s in zip(bounds, share, strict=True)]
        draw.line(points, colour, 2 * k + 1, joint="curve")
        row = y_px(0.0) - k * 24 * (len(shown) - place)
        draw.line([(legend - 38 * k, row), (legend - 8 * k, row)], colour, 4 * k)
        draw.text((legend, row), labels[place], _INK, font, anchor="lm")
    return image.resize((_WIDTH_PX, _HEIGHT_PX), Image.Resampling.LANCZOS)


def axis_ticks(limit: float) -> list[float]:
    """From 0 to the limit in steps of 1, 2 or 5 times a power of ten, at most ten of them."""
    power = 10.0 ** np.floor(np.log10(limit / 10))
    step = next(s * power for s in (1, 2, 5, 10, 20) if limit / (s * power) <= 10)
    return [float(n * step) for n in range(int(limit / step + 1e-9) + 1)]
