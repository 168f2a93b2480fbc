"""Photos on disk as a network looks at them: each is searched for a face once, and cropped.

A photo goes by the SHA-256 of its file: another name for the same photo is the same photo, and who
is held out does not depend on how files are called or how many there are.
"""

import contextlib
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from jaxtyping import Float
from torch import Tensor

from fit3dmm._errors import InputError
from fit3dmm._files import atomic_path
from fit3dmm.colour import linear_to_srgb
from fit3dmm.observe.crop import crop_around, extract_crop
from fit3dmm.observe.detect import FaceDetector
from fit3dmm.observe.photo import Photo, decode_photo
from fit3dmm.regress.photo_batch import PhotoBatch, PhotoCrop, photo_batch_of
from fit3dmm.regress.pool import locked
from fit3dmm.regress.prediction import CROP_MARGIN, FACE_POINTS

HELD_OUT_OF = 5
"""One photo of so many serves no training."""
_NOTE, _LAYOUT = "photos.json", 1
_REASON = ".txt"

Tell = Callable[[int, int], None]
"""Called with how many photos were looked at, and how many there are."""


@dataclass(frozen=True)
class PhotoPool:
    """Faces of photos, by the SHA-256 of their files."""

    folder: Path
    training: tuple[str, ...]
    """Sorted, so that the same photos come in the same order."""
    held_out: tuple[str, ...]
    left_out: tuple[tuple[str, str], ...] = ()
    """Photos without a face, and files that can't be read, with the reason."""

    def take(self, names: Sequence[str]) -> PhotoBatch:
        """Crops by their names."""
        return photo_batch_of([_read(self.folder / f"{name}.npz") for name in names])


def gather_photos(
    paths: Sequence[Path], folder: Path, size_px: int, tell: Tell = lambda done, of: None
) -> PhotoPool:
    """Find the largest face of each photo and keep its crop in a folder; what is there is kept.

    Interrupted, it goes on where it was. Files that are no photos and photos that show no face are
    remembered with the reason.

    Args:
        paths: of the photos.
        folder: where the crops lie.
        size_px: side of the crops; others than those of an earlier run replace them.
        tell: is called after each photo.

    Raises:
        InputError: no photo is left to learn from or to check by, or another training is at it.
    """
    lock = locked(folder)
    found: dict[str, str | None] = {}
    try:
        _prepare(folder, size_px)
        with contextlib.ExitStack() as stack:
            detector: FaceDetector | None = None
            for done, path in enumerate(paths, start=1):
                encoded = _bytes_of(path)
                name = hashlib.sha256(encoded).hexdigest()
                if not _is_known(folder, name):
                    # Opened where there is something to look for.
                    detector = detector or stack.enter_context(FaceDetector())
                    _keep(folder, name, encoded, path, size_px, detector)
                found[name] = _reason(folder, name)
                tell(done, len(paths))
    finally:
        lock.release()
    faces = sorted(name for name, reason in found.items() if reason is None)
    held_out = tuple(name for name in faces if is_held_out(name))
    training = tuple(name for name in faces if not is_held_out(name))
    if not (held_out and training):
        raise InputError(
            f"Of {len(paths)} photos {len(training)} show a face to learn from and {len(held_out)} "
            "one to check by (every fifth is held out by its content): give more photos of faces."
        )
    left_out = tuple((name, reason) for name, reason in sorted(found.items()) if reason is not None)
    return PhotoPool(folder, training, held_out, left_out)


def is_held_out(sha256: str) -> bool:
    """Whether a photo serves no training, by its content."""
    return int(sha256, 16) % HELD_OUT_OF == 0


def _prepare(folder: Path, size_px: int) -> None:
    """An empty folder, unless what is in it was made in the same way."""
    note = folder / _NOTE
    state = {"layout": _LAYOUT, "size_px": size_px, "margin": CROP_MARGIN}
    fits = note.is_file() and json.loads(note.read_text(encoding="utf-8")) == state
    if not fits:
        for kind in ("*.npz", f"*{_REASON}"):
            for path in folder.glob(kind):
                path.unlink()
        note.write_text(json.dumps(state), encoding="utf-8")


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"Can't read {path}: {error.strerror or error}.") from error


def _is_known(folder: Path, name: str) -> bool:
    return any((folder / f"{name}{suffix}").is_file() for suffix in (".npz", _REASON))


def _reason(folder: Path, name: str) -> str | None:
    """Why a photo is left out; None where it is not."""
    note = folder / f"{name}{_REASON}"
    return note.read_text(encoding="utf-8") if note.is_file() else None


def _keep(
    folder: Path, name: str, encoded: bytes, path: Path, size_px: int, detector: FaceDetector
) -> None:
    try:
        photo = decode_photo(encoded, path.stem, str(path))
        faces = detector.detect(photo)
        if not faces:
            raise InputError(f"No face was found in {path}.")
    except InputError as error:
        with atomic_path(folder / f"{name}{_REASON}") as temporary:
            temporary.write_text(str(error), encoding="utf-8")
        return
    record = _cropped(photo, faces[0].points_px, size_px)
    with atomic_path(folder / f"{name}.npz") as temporary:
        np.savez(temporary, **vars(record))


def _cropped(photo: Photo, points_px: Float[Tensor, "points 2"], size_px: int) -> PhotoCrop:
    T_crop_photo = crop_around(points_px[:FACE_POINTS], size_px, CROP_MARGIN)
    crop = extract_crop(photo, T_crop_photo, size_px)
    scale = float(T_crop_photo.scale)
    middle_px = points_px.new_tensor([[photo.width_px / 2, photo.height_px / 2]])
    return PhotoCrop(
        image_srgb=(255 * linear_to_srgb(crop.image_linear)).round().byte().numpy(),
        inside=crop.inside.numpy(),
        points_px=(T_crop_photo @ points_px).numpy(),
        principal_point_px=(T_crop_photo @ middle_px)[0].numpy(),
        focal_px=float("nan") if photo.focal_px is None else scale * photo.focal_px,
        longer_side_px=scale * max(photo.width_px, photo.height_px),
    )


def _read(path: Path) -> PhotoCrop:
    with np.load(path, allow_pickle=False) as arrays:
        values = {one.name: arrays[one.name] for one in fields(PhotoCrop)}
    return PhotoCrop(**{k: v if v.ndim else v.item() for k, v in values.items()})
