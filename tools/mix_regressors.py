"""Writes a network between two, one of which was trained on from the other.

    python tools/mix_regressors.py BEFORE.h5 AFTER.h5 OUT.h5 [--share 0.5]

Further training is nearer to what it was shown and farther from all else; weights between those
before and after are often better than either on both (M. Wortsman et al., "Robust fine-tuning of
zero-shot models", CVPR 2022). What only AFTER has, as a reader of the points, is taken as it is.
What the last layer should say and how the points err is not known of the mixture; one step that
changes nothing solves for the one and learns the other:

    fit3dmm train NEW.h5 --start OUT.h5 --pool 16384 --settings.fill 16000 --settings.steps 1 \\
        --settings.trains upper --settings.learning-rate 0 --settings.trunk-rate 0
"""

import argparse
from dataclasses import replace
from pathlib import Path

import torch

from fit3dmm._errors import InputError
from fit3dmm.regress.files import Regressor, read_regressor, write_regressor
from fit3dmm.regress.network import extended


def mixed(before: Regressor, after: Regressor, share: float) -> Regressor:
    """`before + share * (after - before)`; what only `after` has is taken from it.

    Raises:
        InputError: one was not trained on from the other.
    """
    network, built = after.network, after.network.settings
    own = before.network.state_dict().keys()
    first = extended(before.network, built.refiner, built.read)
    if first.settings != built or before.info.point_sets != after.info.point_sets:
        raise InputError(
            "Expected a network and one that was trained on from it, got networks that are built "
            "otherwise."
        )
    weights = network.state_dict()
    for name, value in first.state_dict().items():
        if name in own and value.is_floating_point():
            weights[name] = torch.lerp(value, weights[name], share)
    network.load_state_dict(weights)
    said = f"{after.info.provenance} Its weights lie at {share:g} of the way from those before."
    return replace(after, network=network, info=replace(after.info, provenance=said), errors=None)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--share", type=float, default=0.5, help="of the way; default: %(default)s")
    arguments = parser.parse_args()
    both = read_regressor(arguments.before), read_regressor(arguments.after)
    write_regressor(mixed(*both, arguments.share), arguments.out)
    print(arguments.out)


if __name__ == "__main__":
    main()
