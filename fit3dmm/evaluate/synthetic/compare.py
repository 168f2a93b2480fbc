"""One run over the set: photos, every method's fits and scores, and the table of them all."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageOps

from fit3dmm._content import content_key
from fit3dmm._files import atomic_path
from fit3dmm._parallel import Progress
from fit3dmm.evaluate.fitter import Fitter
from fit3dmm.evaluate.own_folder import claim_folder
from fit3dmm.evaluate.protocol import Row
from fit3dmm.evaluate.run import Evaluation, run_evaluation
from fit3dmm.evaluate.synthetic.protocol import Synthetic
from fit3dmm.model.library import find_model
from fit3dmm.synthetic.generate import generate_set
from fit3dmm.synthetic.specification import VERSIONS

_TILE_PX, _COLUMNS = 240, 6


@dataclass(frozen=True)
class Comparison:
    """What every method did on the same photos."""

    evaluations: Mapping[str, Evaluation]
    table: list[Row]
    """A row a method, over all cases."""


def make_set(
    protocol: Synthetic,
    out: Path,
    identities: str = "commons",
    jobs: int = 1,
    progress: Progress = lambda doing, done, total: None,
) -> Path:
    """Generate what is missing of the set's photos and truths.

    Args:
        protocol: says which photos.
        out: folder of the set.
        identities: the model whose people they are: a name or a file.
        jobs: processes at once.
        progress: called with what is being done, how much of it is done, and of how much.

    Returns:
        Their folder in `out`, which is another one for another seed, kind or version of the set.

    Raises:
        InputError: the model can't be used, or the folder not be written to, or it holds something
            else by a name to be written.
    """
    model = content_key(find_model(identities))[:8]
    settings = f"{protocol.kind}-{protocol.photo_px}-{protocol.seed}"
    folder = out / f"set-{VERSIONS[protocol.edition]}-{settings}-{model}"
    specifications = protocol.specifications()
    if not folder.is_dir():
        # Nobody else's folder is called so: where it is, the run goes on.
        claim_folder(out, Synthetic.name, ("photos.jpg", "methods.json", "methods.md"))
    generate_set(specifications, identities, folder, jobs, progress)
    photos = [folder / f"{spec.name}.jpg" for spec in specifications]
    write_photo_sheet(out / "photos.jpg", photos)
    return folder


def compare_methods(
    protocol: Synthetic,
    folder: Path,
    out: Path,
    fitters: Mapping[str, Fitter],
    jobs: int = 1,
    progress: Progress = lambda doing, done, total: None,
) -> Comparison:
    """Fit and score with every method; each has its own folder in `out`, with all tables.

    Args:
        protocol: which photos, and how they are scored.
        folder: what `make_set` returned.
        fitters: by name.
        jobs: processes at once.
        progress: called with what is being done, how much of it is done, and of how much.

    Raises:
        InputError: the set is not complete or the folder can't be written to.
    """
    evaluations = {}
    for name, fitter in fitters.items():

        def report(doing: str, done: int, total: int, name: str = name) -> None:
            progress(f"{name}: {doing}", done, total)

        evaluations[name] = run_evaluation(
            protocol, folder, out / _folder(name), fitter=fitter, jobs=jobs, progress=report
        )
    table = method_table(evaluations)
    with atomic_path(out / "methods.json") as temporary:
        groups = {name: evaluation.table for name, evaluation in evaluations.items()}
        temporary.write_text(json.dumps(groups, indent=2) + "\n", encoding="utf-8")
    with atomic_path(out / "methods.md") as temporary:
        temporary.write_text(markdown(table), encoding="utf-8")
    return Comparison(evaluations, table)


def method_table(evaluations: Mapping[str, Evaluation]) -> list[Row]:
    """A row a method, all cases together."""
    rows: list[Row] = []
    for name, evaluation in evaluations.items():
        everything = {k: v for k, v in evaluation.table[0].items() if k != "group"}
        rows.append({"method": name, **everything})
    return rows


def markdown(table: Sequence[Row]) -> str:
    """The table for a document: a line a number, a column a method."""
    names = [str(row["method"]) for row in table]
    numbers = list(dict.fromkeys(k for row in table for k in row if k != "method"))
    lines = [f"| | {' | '.join(names)} |", f"|---|{'---|' * len(names)}"]
    for number in numbers:
        cells = [_cell(row.get(number)) for row in table]
        lines.append(f"| {number} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cell(value: str | int | float | None) -> str:
    if value is None:
        return ""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def write_photo_sheet(path: Path, photos: Sequence[Path]) -> None:
    """All photos on one picture.

    Raises:
        InputError: the file can't be written.
    """
    rows = -(-len(photos) // _COLUMNS)
    sheet = Image.new("RGB", (_COLUMNS * _TILE_PX, rows * _TILE_PX), "white")
    for place, photo in enumerate(photos):
        with Image.open(photo) as picture:
            tile = ImageOps.pad(picture.convert("RGB"), (_TILE_PX, _TILE_PX), color="white")
        sheet.paste(tile, (place % _COLUMNS * _TILE_PX, place // _COLUMNS * _TILE_PX))
    with atomic_path(path) as temporary:
        sheet.save(temporary, quality=90)


def _folder(name: str) -> str:
    return name.replace(" ", "-")
