"""Which photos are meant: files, folders of them, and patterns."""

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fit3dmm._errors import InputError
from fit3dmm._files import MARK

# What is taken for a photo in a folder. Kinds that fit3dmm can't read are here too, so that each
# gets a sentence that says what to do.
_READ = "jpg jpeg jpe jfif png webp tif tiff bmp dib heic heif hif avif gif"
_RAW = "dng nef nrw cr2 cr3 crw arw srf sr2 raf rw2 orf pef srw 3fr erf kdc mrw x3f raw"
_OTHER = "jp2 j2k jxl psd exr hdr ppm pgm pbm pnm tga ico mpo"
PICTURES = frozenset(f".{kind}" for kind in f"{_READ} {_RAW} {_OTHER}".split())


@dataclass(frozen=True)
class Inputs:
    """What the arguments stand for."""

    photos: tuple[Path, ...]
    """Each file once, in the order of the arguments; sorted within a folder or a pattern."""
    failed: tuple[tuple[Path, InputError], ...]
    """Arguments that stand for nothing."""
    left_out: tuple[Path, ...]
    """Files of folders that are no pictures by their names."""


def find_photos(arguments: Sequence[Path], recursive: bool, out: Path) -> Inputs:
    """Replace folders and patterns by the photos in them.

    Hidden files, results (folders with fit3dmm's mark) and, below a folder, `out` are passed over.
    A file that is named itself is a photo whatever its name.
    """
    photos: dict[Path, Path] = {}
    failed: list[tuple[Path, InputError]] = []
    left_out: list[Path] = []
    for argument in arguments:
        before = len(failed)
        paths = _matches(argument)
        if not paths:
            failed.append((argument, InputError(f"No file is called like {argument}.")))
        for path in paths:
            if not path.is_dir():
                photos.setdefault(path.resolve(), path)
            elif not _is_result(path) or len(arguments) == len(paths) == 1:
                inside = list(_files(path, recursive, out, failed))
                found = [file for file in inside if file.suffix.lower() in PICTURES]
                left_out += [file for file in inside if file.suffix.lower() not in PICTURES]
                if not found and len(failed) == before:
                    failed.append((path, _no_pictures(path, recursive)))
                for file in found:
                    photos.setdefault(file.resolve(), file)
    return Inputs(tuple(photos.values()), tuple(failed), tuple(left_out))


def _matches(argument: Path) -> list[Path]:
    """The argument itself, or, where there is no such file, what it matches as a pattern."""
    text = str(argument)
    if os.path.lexists(argument) or not glob.has_magic(text):
        return [argument]
    # Path.glob takes no absolute patterns.
    return [Path(path) for path in sorted(glob.glob(text, recursive=True))]  # noqa: PTH207


def _files(
    folder: Path, recursive: bool, out: Path, failed: list[tuple[Path, InputError]]
) -> Iterator[Path]:
    def closed(error: OSError) -> None:
        place = Path(error.filename)
        reason = error.strerror or str(error)
        failed.append((place, InputError(f"Can't look into the folder {place}: {reason}.")))

    out = out.resolve()
    for place, subfolders, names in os.walk(folder, onerror=closed):
        subfolders[:] = sorted(
            name
            for name in subfolders
            if recursive
            and not name.startswith(".")
            and not _is_result(Path(place, name))
            and Path(place, name).resolve() != out
        )
        if not _is_result(Path(place)):
            yield from (Path(place, name) for name in sorted(names) if not name.startswith("."))


def _is_result(folder: Path) -> bool:
    return (folder / MARK).is_file()


def _no_pictures(folder: Path, recursive: bool) -> InputError:
    subfolders = any(entry.is_dir() for entry in folder.iterdir())
    if _is_result(folder):
        return InputError(f"{folder} is a result of fit3dmm's: give the photo it was made of.")
    hint = " (--recursive looks into its folders)" if subfolders and not recursive else ""
    return InputError(f"The folder {folder} holds no pictures{hint}: give another one.")
