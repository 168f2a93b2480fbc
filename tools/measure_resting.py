"""Measure which blendshapes fits of resting people show: `data/resting.csv`.

    python tools/measure_resting.py LONDON

LONDON is a folder with `list.json` (`neutral`: a file of each person) and its photos: a part of the
Face Research Lab London Set (L. DeBruine, B. Jones, figshare 5047666, 2017, CC-BY 4.0). Every
second person counts, so that the others can tell how well the figures do. What is written are means
over people, the same for left and right; no photo and nobody's face is in them.
"""

import argparse
import json
from collections.abc import Iterable
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm._files import atomic_path
from fit3dmm.fitting.config import FitConfig
from fit3dmm.fitting.pipeline import as_prepared, fit_photo

TABLE = Path(__file__).parents[1] / "data" / "resting.csv"
# What hardly moves anything is left out.
_LEAST = 0.005


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("london", type=Path)
    folder = parser.parse_args().london
    people = json.loads((folder / "list.json").read_text(encoding="utf-8"))[::2]
    prepared = as_prepared("commons", FitConfig())
    model = prepared.model
    fits = [fit_photo(folder / one["neutral"], prepared, "default", "largest")[0] for one in people]
    shown = torch.stack([fit.scene.coefficients.expression for fit in fits])
    mean = of_both_sides(shown.mean(0), model.expression_names)
    rows = [f"{name},{float(value):.3f}" for name, value in mean.items() if value >= _LEAST]
    with atomic_path(TABLE) as temporary:
        temporary.write_text("\n".join(["blendshape,activation", *rows]) + "\n", encoding="ascii")
    print(f"{len(people)} people, {len(rows)} blendshapes -> {TABLE.name}")


def of_both_sides(values: Float[Tensor, "units"], names: Iterable[str]) -> dict[str, Tensor]:
    """Means of left and right."""
    by_name = dict(zip(names, values, strict=True))
    return {name: (value + by_name[_other_side(name)]) / 2 for name, value in by_name.items()}


def _other_side(name: str) -> str:
    swap = {"Left": "Right", "Right": "Left"}
    return next((name.replace(a, b) for a, b in swap.items() if a in name), name)


if __name__ == "__main__":
    main()
