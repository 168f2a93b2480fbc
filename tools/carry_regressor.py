"""Carries data/regressor.h5 over to another edition of its model whose named points are the same.

    python tools/carry_regressor.py data/regressor.h5 data/commons.h5

What the network sees stays: points, expression, albedo, pose, light, tone, cover. What it says of
the blocks that mean something else now becomes the mean face, with a sigma of one, until a training
tells it better (`fit3dmm train --start`).
"""

import argparse
from dataclasses import replace
from pathlib import Path

from fit3dmm.model.files import load_model
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.regress.files import Regressor, model_key, read_regressor, write_regressor
from fit3dmm.regress.outputs import SIGMAS

_OF_PEOPLE = ("identity", "detail")


def carried(regressor: Regressor, model: MorphableModel) -> Regressor:
    """The regressor for another edition of its model."""
    network, info = regressor.network, regressor.info
    sizes = {name: len(getattr(model.zeros(), name)) for name in network.settings.sizes()}
    points = sum(len(model.landmarks[name]) for name in info.point_sets)
    if sizes != network.settings.sizes() or points != network.settings.n_points:
        raise SystemExit("The model has other numbers of coefficients or points.")
    rows, weights = network.rest_rows(), network.say_rest.state_dict()
    first_sigma = rows["log_sigmas"].start
    for name in _OF_PEOPLE:
        for place in (rows[name], first_sigma + SIGMAS.index(name)):
            for tensor in weights.values():
                tensor[place] = 0
    edition = f"{model.info.name} {model.info.version}"
    return replace(
        regressor,
        info=replace(
            info,
            model=edition,
            model_key=model_key(model),
            provenance=f"{info.provenance} Carried over to {edition}, of whose people it says "
            "the mean.",
        ),
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("regressor", type=Path, help="is replaced")
    parser.add_argument("model", type=Path)
    arguments = parser.parse_args()
    regressor = carried(read_regressor(arguments.regressor), load_model(arguments.model))
    write_regressor(regressor, arguments.regressor)
    print(f"{arguments.regressor}: {regressor.info.provenance}")


if __name__ == "__main__":
    main()
