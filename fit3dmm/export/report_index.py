"""`index.html` beside the folders of results: all of them on one page."""

import html
import json
import os
from collections.abc import Iterator
from pathlib import Path
from string import Template
from urllib.parse import quote

from fit3dmm._files import MARK, atomic_path
from fit3dmm._version import __version__
from fit3dmm.export.report import WEB

INDEX, REPORT = "index.html", "report.html"
_OURS = '<meta name="generator" content="fit3dmm">'
_HEAD_BYTES = 2000


def write_index(out: Path) -> Path | None:
    """Write the page of all results in a folder that have a report.

    Returns:
        The page; None where somebody else's `index.html` is in its place, or there is no report.

    Raises:
        InputError: the folder can't be written to.
    """
    page = out / INDEX
    if os.path.lexists(page) and not is_index(page):
        return None
    faces = sorted(_faces(out))
    if not faces:
        return None
    count = "1 face" if len(faces) == 1 else f"{len(faces)} faces"
    text = Template((WEB / "index.html").read_text(encoding="utf-8")).substitute(
        count=count,
        faces="\n".join(_entry(folder, out) for folder in faces),
        style=(WEB / "style.css").read_text(encoding="utf-8"),
        version=__version__,
    )
    with atomic_path(page) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")
    return page


def is_index(page: Path) -> bool:
    """Whether fit3dmm wrote it."""
    try:
        with page.open("rb") as file:
            return _OURS.encode() in file.read(_HEAD_BYTES)
    except OSError:
        return False


def _faces(out: Path) -> Iterator[Path]:
    for place in out.iterdir():
        if (place / MARK).is_file():
            yield from (one for one in (place, *place.glob("face*")) if (one / REPORT).is_file())


def _entry(folder: Path, out: Path) -> str:
    name = folder.relative_to(out).as_posix()
    # Bytes of a name that are no text are kept as they are in the address.
    link = quote(os.fsencode(name))
    verdict, remarks = _judgement(folder)
    picture = ""
    if (folder / "overlay.png").is_file():
        picture = f'<img src="{link}/overlay.png" loading="lazy" alt="">'
    badge = f'<span class="verdict {verdict}">{verdict}</span>' if verdict else ""
    sentences = html.escape(" ".join(remarks))
    return (
        f'<a href="{link}/{REPORT}">{picture}<p><b>{html.escape(name)}</b>{badge}</p>'
        f"<p>{sentences}</p></a>"
    )


def _judgement(folder: Path) -> tuple[str, list[str]]:
    """Nothing where the run was told to write no `fit.json`."""
    try:
        quality = json.loads((folder / "fit.json").read_text(encoding="utf-8"))["quality"]
        return html.escape(str(quality["verdict"])), [str(one) for one in quality["remarks"]]
    except (OSError, ValueError, KeyError, TypeError):
        return "", []
