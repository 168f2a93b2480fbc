"""Train data/skin.h5: how likely a colour is skin's.

    python tools/train_skin.py --portraits FOLDER [--compare]

Colours are those of rendered people, as many of each Monk tone (fit3dmm.synthetic.fast), and of
photos of one face each, whose face a fit labels (skin_portraits). Of the pictures nothing is kept
but the two mixtures. --compare trains every setting on the same colours, and says how each does on
other renders. It takes a quarter of an hour on one core. The same files give the same model.
"""

import argparse
import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table

from fit3dmm.observe.skin import SkinModel
from fit3dmm.observe.skin.classifier import SkinClassifier
from fit3dmm.observe.skin.model import TRAINED, write_skin_model
from fit3dmm.observe.skin.pixels import LabelledPixels, even_sample
from fit3dmm.observe.skin.scores import mean_score, score_picture
from fit3dmm.observe.skin.spaces import COLOUR_SPACES
from fit3dmm.synthetic.fast.skin_pictures import (
    MONK_TONES,
    SkinPicture,
    monk_group,
    skin_pictures,
    skin_studio,
)
from skin_portraits import even_choice, label_portraits

DATA = Path(__file__).resolve().parents[1] / "data"
_SEED, _CHOICE_SEED = 10_000, 500_000
# A fit labels each, and takes a second or two. Each third stays for scoring.
_PHOTOS, _HELD_OUT = 60, 3
# Counted once, dark skin loses to dark hair and dark clothes, of which every picture has some: the
# area under the curve falls 0.03 below the published table's. Counted twice, it does not.
_TWICE = tuple(monk_group(tone) for tone in MONK_TONES[6:])
_COMPARED = ((1, 1), (4, 4), (8, 16), (16, 16), (16, 32))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--portraits", type=Path, help="folder of photos of one face each")
    parser.add_argument("--per-tone", type=int, default=60, help="renders; default: %(default)s")
    parser.add_argument("--pixels", type=int, default=2_500, help="a tone; default: %(default)s")
    parser.add_argument("--compare", action="store_true", help="all settings, and write nothing")
    parser.add_argument("--out", type=Path, default=DATA / TRAINED)
    options = parser.parse_args()
    torch.set_num_threads(1)
    studio = skin_studio()
    renders = skin_pictures(studio, options.per_tone, _SEED)
    total = options.per_tone * len(MONK_TONES)
    pictures = [one.pixels for one in track(renders, "renders", total)]
    photos: list[LabelledPixels] = []
    if options.portraits:
        kept = training_photos(options.portraits)
        photos = list(track(label_portraits(kept), "photos", len(kept)))
    colours, is_skin = even_sample(counted([*pictures, *photos]), options.pixels, seed=0)
    if options.compare:
        compare(colours, is_skin, list(skin_pictures(studio, 24, _CHOICE_SEED)))
        return
    write(SkinClassifier().fit(colours, is_skin).model_, len(pictures), len(photos), options.out)


def counted(pictures: Sequence[LabelledPixels]) -> list[LabelledPixels]:
    """The pictures, and those of dark skin once more as a group of their own."""
    dark = [one for one in pictures if one.group in _TWICE]
    return [*pictures, *(replace(one, group=f"{one.group} again") for one in dark)]


def write(model: SkinModel, n_pictures: int, n_photos: int, out: Path) -> None:
    """With what it was trained on."""
    told = (
        f"Trained by tools/train_skin.py on {n_pictures} rendered people, as many of each Monk "
        f"tone, and on {n_photos} public-domain portraits: {model.provenance}. No picture is in "
        "the file."
    )
    write_skin_model(replace(model, provenance=told), out)
    print(f"{out}: {out.stat().st_size / 1e3:.0f} kB. {told}")


def training_photos(folder: Path) -> list[Path]:
    """Those that are learned from."""
    return [path for place, path in enumerate(even_choice(folder, _PHOTOS)) if place % _HELD_OUT]


def held_out_photos(folder: Path) -> list[Path]:
    """Those that are not."""
    return even_choice(folder, _PHOTOS)[::_HELD_OUT]


def compare(colours: np.ndarray, is_skin: np.ndarray, renders: Sequence[SkinPicture]) -> None:
    """Print a row for the published table and for each space and numbers of Gaussians."""
    table = Table("space", "Gaussians", "AUC", "lowest of a tone", "Monk 9 and 10", "TPR", "FPR")
    table.add_row("published", "16 + 16", *_row(SkinModel.jones_rehg(), renders))
    for space, (n_skin, n_other) in itertools.product(COLOUR_SPACES, _COMPARED):
        classifier = SkinClassifier(space, n_skin, n_other).fit(colours, is_skin)  # pyright: ignore[reportArgumentType]
        table.add_row(space, f"{n_skin} + {n_other}", *_row(classifier.model_, renders))
    Console().print(table)


def _row(model: SkinModel, renders: Sequence[SkinPicture]) -> list[str]:
    found = [(one.monk, score_picture(model, one.pixels)) for one in renders]
    every = [score for _, score in found if score]
    tones = {
        tone: mean_score([score for of, score in found if score and of == tone]).auc
        for tone in MONK_TONES
    }
    mean, dark = mean_score(every), (tones[9] + tones[10]) / 2
    return [f"{v:.3f}" for v in (mean.auc, min(tones.values()), dark, mean.tpr, mean.fpr)]


if __name__ == "__main__":
    main()
