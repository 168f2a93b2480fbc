"""What kind of picture file some bytes are, by the first of them, and its opening."""

import io
from typing import Any

from PIL import Image, features

from fit3dmm._errors import InputError
from fit3dmm.observe.tiff import raw_sentence

KINDS = "a JPEG, PNG, WebP, TIFF, BMP, GIF, AVIF or (with an extra) HEIC"
PILLOW_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF")

_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_RAW = {
    b"FUJIFILMCCD-RAW": "Fujifilm RAF",
    b"IIU\0": "Panasonic RW2",
    b"IIRO": "Olympus ORF",
    b"IIRS": "Olympus ORF",
    b"MMOR": "Olympus ORF",
    b"FOVb": "Sigma X3F",
    b"\0MRM": "Minolta MRW",
}
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_AVIF_BRANDS = (b"avif", b"avis")


def is_tiff(encoded: bytes) -> bool:
    return encoded[:4] in _TIFF


def refuse_raw(encoded: bytes, label: str) -> None:
    """Raise for cameras' raw files that are told by their first bytes."""
    for start, kind in _RAW.items():
        if encoded.startswith(start):
            raise InputError(raw_sentence(label, kind))
    if is_tiff(encoded) and encoded[8:10] == b"CR":
        raise InputError(raw_sentence(label, "Canon CR2"))
    if encoded[4:12] == b"ftypcrx ":
        raise InputError(raw_sentence(label, "Canon CR3"))


def open_picture(encoded: bytes, label: str) -> Image.Image:
    """The picture, not decoded yet."""
    brands = _brands(encoded)
    if any(brand in _AVIF_BRANDS for brand in brands):
        if not features.check("avif"):
            raise InputError(f"{label} is an AVIF file: install Pillow 11.3 or newer.")
    elif any(brand in _HEIF_BRANDS for brand in brands):
        return _open_heif(encoded, label)
    return Image.open(io.BytesIO(encoded), formats=PILLOW_FORMATS)


def _brands(encoded: bytes) -> list[bytes]:
    """Of an ISO base media file, its own and the compatible ones (ISO/IEC 14496-12, 4.3)."""
    if encoded[4:8] != b"ftyp":
        return []
    end = min(int.from_bytes(encoded[:4], "big"), 256)
    return [encoded[8:12], *(encoded[at : at + 4] for at in range(16, end, 4))]


def _open_heif(encoded: bytes, label: str) -> Image.Image:
    reader = _heif_reader()
    if reader is None:
        raise InputError(
            f"{label} is a HEIC file, for which a reader must be installed: "
            'pip install "fit3dmm[heic]", or convert it to JPEG.'
        )
    return reader.HeifImageFile(io.BytesIO(encoded))


def _heif_reader() -> Any:
    """pi-heif, which only reads; or pillow-heif, the same with an encoder under the GPL."""
    try:
        import pi_heif as reader
    except ImportError:
        try:
            import pillow_heif as reader
        except ImportError:
            return None
    return reader
