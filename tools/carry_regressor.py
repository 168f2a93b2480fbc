"""Carries data/regressor.h5 over to another edition of its model whose named points are the same.

    python tools/carry_regressor.py data/regressor.h5 data/commons.h5
    python tools/carry_regressor.py data/regressor.h5 data/commons.h5 --same-people commons-2.1.h5

What the network sees stays: points, expression, albedo, pose, light, tone, cover. What it says of
the blocks that mean something else now becomes the mean face, with a sigma of one, until a training
tells it better (`fit3dmm train --start`). Where editions differ in teeth and gums alone, all that
it says still means the same, and `--same-people` keeps it.
"""

import argparse
from dataclasses import replace
from pathlib import Path

from fit3dmm.model.files import load_model
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.regress.files import Regressor, model_key, read_regressor, write_regressor
from fit3dmm.regress.outputs import SIGMAS

_OF_PEOPLE = ("identity", "detail")
_TEETH = ("teeth_upper", "teeth_lower", "gums_upper", "gums_lower")
_MEANT = (
    "mean_mm",
    "identity_basis_mm",
    "detail_basis_mm",
    "expression_basis_mm",
    "albedo_mean_linear",
    "albedo_basis_linear",
)
_ROUNDING = 1e-5
"""Of float32, in mm and in shares of the light."""


def carried(
    regressor: Regressor, model: MorphableModel, same_people: MorphableModel | None = None
) -> Regressor:
    """The regressor for another edition of its model.

    Args:
        model: the other edition.
        same_people: the regressor's own, which differs from the other in teeth and gums alone.

    Raises:
        SystemExit: the editions differ in more than is said.
    """
    network, info = regressor.network, regressor.info
    sizes = {name: len(getattr(model.zeros(), name)) for name in network.settings.sizes()}
    points = sum(len(model.landmarks[name]) for name in info.point_sets)
    if sizes != network.settings.sizes() or points != network.settings.n_points:
        raise SystemExit("The model has other numbers of coefficients or points.")
    edition = f"{model.info.name} {model.info.version}"
    if same_people is not None:
        if info.model_key != model_key(same_people):
            raise SystemExit(f"The regressor belongs to another edition: {info.model}.")
        _check_same_people(same_people, model)
        said = f"whose people are those of {info.model} with other teeth"
    else:
        _say_the_mean(regressor)
        said = "of whose people it says the mean"
    provenance = f"{info.provenance} Carried over to {edition}, {said}."
    return replace(
        regressor,
        info=replace(info, model=edition, model_key=model_key(model), provenance=provenance),
    )


def _say_the_mean(regressor: Regressor) -> None:
    network = regressor.network
    rows, weights = network.rest_rows(), network.say_rest.state_dict()
    first_sigma = rows["log_sigmas"].start
    for name in _OF_PEOPLE:
        for place in (rows[name], first_sigma + SIGMAS.index(name)):
            for tensor in weights.values():
                tensor[place] = 0


def _check_same_people(before: MorphableModel, after: MorphableModel) -> None:
    teeth = before.in_parts(*_TEETH)
    others = {"n_base": ~teeth[: before.surface.n_base], "n_vertices": ~teeth}
    for name in _MEANT:
        one, other = getattr(before, name), getattr(after, name)
        if one.shape != other.shape:
            raise SystemExit(f"The editions have other shapes of {name}.")
        kept = others["n_base" if one.shape[-2] == before.surface.n_base else "n_vertices"]
        if (one - other)[..., kept, :].abs().max() > _ROUNDING:
            raise SystemExit(f"The editions differ elsewhere than in teeth and gums: {name}.")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("regressor", type=Path, help="is replaced")
    parser.add_argument("model", type=Path)
    parser.add_argument(
        "--same-people", type=Path, metavar="MODEL", help="the regressor's own, but for teeth"
    )
    arguments = parser.parse_args()
    own = None if arguments.same_people is None else load_model(arguments.same_people)
    regressor = carried(read_regressor(arguments.regressor), load_model(arguments.model), own)
    write_regressor(regressor, arguments.regressor)
    print(f"{arguments.regressor}: {regressor.info.provenance}")


if __name__ == "__main__":
    main()
