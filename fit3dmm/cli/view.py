"""`fit3dmm view`: the report of a result, in the browser."""

import webbrowser
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from fit3dmm._errors import InputError
from fit3dmm.cli.console import say


@dataclass(frozen=True)
class View:
    """Open the report of a result in the browser: photo, fit, and the avatar with its sliders.

    The page needs no network and no server: it can be sent to anybody as a file.
    """

    result: Annotated[Path, tyro.conf.Positional] = Path("fit3dmm-out")
    """A result's folder, the folder of all results, or a report.html."""
    open: bool = True
    """Without it the place of the page is said, and that is all."""

    def run(self) -> None:
        page = find_page(self.result)
        say(str(page))
        if self.open and not webbrowser.open(page.resolve().as_uri()):
            say("fit3dmm: no browser was found here: open this file with one.", error=True)


def find_page(place: Path) -> Path:
    """The page that shows what is in a place.

    Raises:
        InputError: there is none.
    """
    from fit3dmm.export.report_index import INDEX, REPORT, is_index, write_index

    if not place.exists():
        raise InputError(
            f"There is no {place}: give the folder of a result, as `fit3dmm fit` prints it."
        )
    if place.is_file():
        if place.suffix.lower() in (".html", ".htm"):
            return place
        place = place.parent
    for page in (place / REPORT, place / INDEX):
        if page.is_file() and (page.name == REPORT or is_index(page)):
            return page
    below = sorted([*place.glob(f"*/{REPORT}"), *place.glob(f"*/face*/{REPORT}")])
    if not below:
        raise InputError(
            f"{place} holds no {REPORT}: run `fit3dmm fit` again with `--write all`, or give "
            "another folder."
        )
    if len(below) == 1:
        return below[0]
    return write_index(place) or below[0]


COMMAND = View
