"""The photos of `fit3dmm train --photos`, searched for faces."""

from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from fit3dmm.cli.inputs import find_photos
from fit3dmm.regress.photo_pool import PhotoPool, gather_photos


def searched_photos(photos: Path, folder: Path, size_px: int, console: Console) -> PhotoPool:
    """The crops of all photos in a folder and the folders in it, with a bar on the terminal.

    Args:
        photos: where they lie.
        folder: of the training, which keeps the crops.
        size_px: side of the crops.
        console: to show the bar on.

    Raises:
        InputError: there are none, or the folder can't be read.
    """
    found = find_photos([photos], recursive=True, out=folder)
    for _, error in found.failed:
        raise error
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        bar = progress.add_task("looking for faces", total=len(found.photos))

        def tell(done: int, of: int) -> None:
            progress.update(bar, completed=done)

        return gather_photos(found.photos, folder / "photos", size_px, tell)
