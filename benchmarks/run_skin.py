"""How well skin is told by its colour: our mixtures beside the published table.

    python benchmarks/run_skin.py [--per-tone 24] [--portraits FOLDER]

Rendered people who were not trained on, as many of each tone of the Monk scale, in all lights: each
picture's area under the ROC curve (AUC), share of the skin that is called skin (TPR) and share of
everything else that is (FPR), then means over the pictures of a tone and of a colour of light. With
--portraits also photos of real people, of those that were not trained on, labelled by fits.
"""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from fit3dmm.observe.skin import SkinModel
from fit3dmm.observe.skin.pixels import LabelledPixels
from fit3dmm.observe.skin.scores import SkinScore, score_picture
from fit3dmm.synthetic.fast.skin_pictures import (
    LIGHT_COLOURS,
    MONK_TONES,
    skin_pictures,
    skin_studio,
)
from harness import Metric, run
from paired import case_metric
from report import REPOSITORY

_NUMBERS = {"auc": "AUC", "tpr": "TPR", "fpr": "FPR"}


def measure(options: Namespace) -> Iterator[Metric]:
    """Every picture by both, then the means."""
    models = {"trained": SkinModel.trained(), "table": SkinModel.jones_rehg()}
    renders = list(skin_pictures(skin_studio(), options.per_tone, options.seed))
    scores = _scored(models, [one.pixels for one in renders])
    yield from _means("renders", "all", scores)
    for tone in MONK_TONES:
        names = [one.pixels.name for one in renders if one.monk == tone]
        yield from _means("renders by tone", f"Monk {tone}", scores, names)
    for light in LIGHT_COLOURS:
        names = [one.pixels.name for one in renders if one.light == light]
        yield from _means("renders by light", f"{light} ({len(names)})", scores, names)
    if options.portraits:
        sys.path.insert(0, str(REPOSITORY / "tools"))
        from skin_portraits import label_portraits
        from train_skin import held_out_photos

        photos = list(label_portraits(held_out_photos(options.portraits)))
        yield from _means("portraits", f"{len(photos)} photos", _scored(models, photos))


def _options(parser: ArgumentParser) -> None:
    parser.add_argument("--per-tone", type=int, default=24, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=5_000_000, help="default: %(default)s")
    parser.add_argument("--portraits", type=Path, metavar="FOLDER")


Scores = Mapping[str, Mapping[str, SkinScore]]
"""By model and picture."""


def _scored(models: Mapping[str, SkinModel], pictures: Sequence[LabelledPixels]) -> Scores:
    found: dict[str, dict[str, SkinScore]] = {name: {} for name in models}
    for picture in pictures:
        for name, model in models.items():
            score = score_picture(model, picture)
            if score is not None:
                found[name][picture.name] = score
    return found


def _means(
    group: str, row: str, scores: Scores, names: Sequence[str] | None = None
) -> Iterator[Metric]:
    """A row of a table: the numbers of each model side by side."""
    for number, title in _NUMBERS.items():
        for model, of in scores.items():
            cases = {
                name: getattr(score, number)
                for name, score in of.items()
                if names is None or name in names
            }
            if cases:
                yield case_metric(
                    f"{row}: {title}, {model}",
                    "share",
                    cases,
                    lower_is_better=number == "fpr",
                    group=group,
                )


if __name__ == "__main__":
    sys.exit(run("skin", __doc__, measure, _options))
