"""Free models that are better than what can ship, fetched from their makers and converted."""

import dataclasses
import hashlib
import re
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from fit3dmm._errors import InputError
from fit3dmm.model.complete import Completion, complete
from fit3dmm.model.files import read_stored, write_stored
from fit3dmm.model.formats import read_source
from fit3dmm.model.http import Progress, check_space, fetch
from fit3dmm.model.library import SHIPPED, find_model, models_folder, user_folder

_ICT_COMMIT = "da5f95a607f5e6b37755b38d3385d7f2853732e5"
_LARGEST_MEMBER = 16_000_000
"""An OBJ file of ICT-FaceKit has 2.6 MB."""


@dataclass(frozen=True)
class Download:
    """One model and where its files are."""

    name: str
    title: str
    licence: str
    size_mb: int
    """Of what is fetched; about six times as much is needed on disk while it is converted."""
    urls: tuple[str, ...]
    content_sha256: str = ""
    """Of the list of the files that are used and their digests; empty where it is not known."""


DOWNLOADS = {
    "ict": Download(
        "ict",
        "ICT-FaceKit Light, USC Institute for Creative Technologies",
        "MIT",
        110,
        (f"https://github.com/ICT-VGL/ICT-FaceKit/archive/{_ICT_COMMIT}.zip",),
        # An archive of one commit may be packed anew, so its content is checked, not its bytes.
        "752ec7b7c7886df8fbd19f32d95831f93669d0f2f99269f91a633121279baa65",
    ),
    "gnm": Download(
        "gnm",
        "GNM Head v3, Google",
        "Apache-2.0",
        54,
        (
            "https://huggingface.co/google/gnm-v3/resolve/main/v3_0/gnm_head.npz",
            "https://raw.githubusercontent.com/google/GNM/main/gnm/shape/data/landmarks/"
            "head_sparse_68.txt",
        ),
    ),
}


@dataclass(frozen=True)
class Downloaded:
    """What a download gave."""

    path: Path
    sha256: tuple[str, ...]
    """Of each fetched file; they are kept in the model's provenance too."""
    completion: Completion


def download_model(download: Download, progress: Progress | None = None) -> Downloaded:
    """Fetch a model, check its content, convert it, and keep it under its name.

    A download that broke off goes on when it is started again. What was fetched is deleted when the
    model is written.

    Raises:
        InputError: no network, a refusal, no room, or a file that is not what it should be.
    """
    check_space(user_folder(), 6_000_000 * download.size_mb)
    waiting = user_folder() / "downloads"
    fetched: list[Path] = []
    digests: list[str] = []
    for url in download.urls:
        target = waiting / f"{download.name}-{PurePosixPath(url).name}"
        fetched.append(target)
        digests.append(fetch(url, target, progress))
    try:
        completion = _converted(download, fetched, digests)
    except InputError:
        # What arrived whole but wrong would only be found wrong again.
        for file in fetched:
            file.unlink(missing_ok=True)
        raise
    path = models_folder() / f"{download.name}.h5"
    write_stored(completion.stored, path)
    for file in fetched:
        file.unlink()
    return Downloaded(path, tuple(digests), completion)


def _converted(download: Download, fetched: list[Path], digests: list[str]) -> Completion:
    with tempfile.TemporaryDirectory(dir=user_folder()) as folder:
        place = Path(folder)
        for file in fetched:
            if file.suffix == ".zip":
                _unpack(file, place)
            else:
                # A reader knows some files by their own name.
                (place / file.name.removeprefix(f"{download.name}-")).hardlink_to(file)
        if download.content_sha256 and content_sha256(place) != download.content_sha256:
            raise InputError(
                f"{download.urls[0]} holds other files than {download.title}: "
                "fetch it again, or get it by hand and run `fit3dmm model convert`."
            )
        completion = complete(read_source([place]), read_stored(find_model(SHIPPED)))
    return _with_digests(completion, download, digests)


def content_sha256(folder: Path) -> str:
    """Digest of the names and digests of all OBJ and JSON files under a folder."""
    digest = hashlib.sha256()
    files = {file.name: file for file in folder.rglob("*") if file.suffix in (".obj", ".json")}
    for name in sorted(files):
        digest.update(f"{name} {hashlib.sha256(files[name].read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def _unpack(path: Path, folder: Path) -> None:
    """The members of a repository's archive that lie in FaceXModel, without their folders."""
    wanted = re.compile(r"[^/]+/FaceXModel/([A-Za-z0-9_]+\.(?:obj|json))")
    target = folder / "FaceXModel"
    target.mkdir()
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                match = wanted.fullmatch(member.filename)
                if match and member.file_size <= _LARGEST_MEMBER:
                    (target / match.group(1)).write_bytes(archive.read(member))
    except zipfile.BadZipFile as error:
        raise InputError(
            f"What was fetched for {path.stem} is no archive ({error}): a proxy or portal may have "
            "answered instead of the server; run the same command again."
        ) from error


def _with_digests(completion: Completion, download: Download, digests: list[str]) -> Completion:
    info = completion.stored.info
    origin = "; ".join(
        f"{url} (sha256 {digest})" for url, digest in zip(download.urls, digests, strict=True)
    )
    info = dataclasses.replace(info, provenance=f"{info.provenance} Fetched from {origin}.")
    stored = dataclasses.replace(completion.stored, info=info)
    return dataclasses.replace(completion, stored=stored)
