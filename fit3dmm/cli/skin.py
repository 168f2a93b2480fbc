"""`fit3dmm skin`: train a classifier of skin, apply it, and score it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import torch
import tyro
from rich.table import Table

from fit3dmm._errors import InputError
from fit3dmm.cli.console import console, say
from fit3dmm.export.picture import write_png
from fit3dmm.observe.photo import read_photo
from fit3dmm.observe.skin.folders import read_labelled_folder
from fit3dmm.observe.skin.model import SkinModel, write_skin_model
from fit3dmm.observe.skin.named import PUBLISHED, TRAINED, skin_model
from fit3dmm.observe.skin.pixels import LabelledPixels, even_sample
from fit3dmm.observe.skin.scores import SkinScore, mean_score, score_picture
from fit3dmm.observe.skin.spaces import ColourSpace


@dataclass(frozen=True)
class Train:
    """Learn what skin looks like from pictures and their masks.

    Masks have the pictures' names, and are white on skin, black elsewhere and grey where nobody
    knows. Subfolders are groups (of tones, of cameras) that count the same, however many pictures
    and pixels each has.
    """

    pictures: tyro.conf.Positional[Path]
    """Folder of the pictures."""
    masks: tyro.conf.Positional[Path]
    """Folder of their masks."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """The model's file (.h5)."""
    colour_space: ColourSpace = "rgb"
    """In which the mixtures lie."""
    n_skin: int = 16
    """Gaussians of skin."""
    n_other: int = 32
    """Gaussians of everything else."""
    prior: float = 0.5
    """Share of skin that is expected where the model is used."""
    per_group: int = 20_000
    """Pixels of skin of each group, and as many others."""
    seed: int = 0

    def run(self) -> None:
        # scikit-learn takes a second to load, and only this command needs it.
        from fit3dmm.observe.skin.classifier import SkinClassifier

        if self.per_group < 1:
            raise InputError(f"Expected --per-group 1 or more, got {self.per_group}.")
        pictures = read_labelled_folder(self.pictures, self.masks)
        colours, is_skin = even_sample(pictures, self.per_group, self.seed)
        classifier = SkinClassifier(
            self.colour_space, self.n_skin, self.n_other, self.prior, random_state=self.seed
        )
        try:
            model = classifier.fit(colours, is_skin).model_
        except ValueError as error:
            raise InputError(f"Nothing can be learned: {error}") from error
        told = f"Trained by `fit3dmm skin train` on {len(pictures)} pictures: {model.provenance}."
        write_skin_model(replace(model, provenance=told), self.out, licence="that of its pictures")
        console().print(_table({"its training pictures": _scores(model, pictures)}))
        say(str(self.out))


@dataclass(frozen=True)
class Apply:
    """Write how likely each pixel of some photos is skin: grey PNG files, 255 being certain."""

    photos: tyro.conf.Positional[tuple[Path, ...]]
    """Pictures."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """Folder for the maps, which are called like the photos."""
    model: str = TRAINED
    """`trained` is ours, `jones-rehg` the published table; or a file."""
    prior: float | None = None
    """Share of skin that is expected; the model's own if left out."""

    def run(self) -> None:
        if not self.photos:
            raise InputError("No photo was given: name at least one.")
        model = skin_model(self.model)
        targets = [self.out / f"{path.stem}.png" for path in self.photos]
        twice = {str(target) for target in targets if targets.count(target) > 1}
        if twice:
            raise InputError(f"Several photos would become {min(twice)}: rename one of them.")
        for path, target in zip(self.photos, targets, strict=True):
            if target.resolve() == path.resolve():
                raise InputError(f"The map would replace the photo {path}: give another folder.")
            image = read_photo(path).pixels_srgb
            # By rows, because a photo's colours take twelve times its bytes.
            rows = [model.probability(row.float() / 255, self.prior) for row in image.split(64)]
            grey = (255 * torch.cat(rows)).round().byte().numpy()
            write_png(grey, target)
            say(f"{target}: {100 * float((grey > 127).mean()):.1f} % is called skin")


@dataclass(frozen=True)
class Score:
    """Say how well skin is told from the rest in pictures with masks (as `train` takes them).

    Means over the pictures of each group: area under the ROC curve, and which shares of skin (TPR)
    and of everything else (FPR) are called skin.
    """

    pictures: tyro.conf.Positional[Path]
    """Folder of the pictures."""
    masks: tyro.conf.Positional[Path]
    """Folder of their masks."""
    model: str = TRAINED
    """`trained` is ours, `jones-rehg` the published table; or a file."""

    def run(self) -> None:
        pictures = read_labelled_folder(self.pictures, self.masks)
        names = dict.fromkeys((self.model, PUBLISHED))
        console().print(_table({name: _scores(skin_model(name), pictures) for name in names}))


def _scores(model: SkinModel, pictures: Sequence[LabelledPixels]) -> dict[str, list[SkinScore]]:
    """Of all pictures, and of each group where there are several.

    Raises:
        InputError: no picture shows skin and something else.
    """
    found: dict[str, list[SkinScore]] = {"all": []}
    groups = {picture.group for picture in pictures}
    for picture in pictures:
        score = score_picture(model, picture)
        if score is not None:
            found["all"].append(score)
            if len(groups) > 1:
                found.setdefault(picture.group or "no group", []).append(score)
    if not found["all"]:
        raise InputError("No picture has labelled pixels of skin and of something else.")
    return found


def _table(models: dict[str, dict[str, list[SkinScore]]]) -> Table:
    table = Table("model", "pictures of", "", "AUC", "TPR", "FPR", box=None, pad_edge=False)
    for name, groups in models.items():
        for group, scores in groups.items():
            mean = mean_score(scores)
            cells = (f"{value:.3f}" for value in (mean.auc, mean.tpr, mean.fpr))
            table.add_row(name, group, str(len(scores)), *cells)
    return table


COMMAND = {"train": Train, "apply": Apply, "score": Score}
