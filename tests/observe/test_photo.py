"""Photos of every kind are read alike, and bad ones end with a sentence."""

import io

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from fit3dmm._errors import InputError
from fit3dmm.observe import decode_photo, photo_from_array, read_photo


def _gradient(height: int = 40, width: int = 60) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([x * 4, y * 6, 255 - x * 2], axis=-1).clip(0, 255).astype(np.uint8)


def _encoded(picture: Image.Image, format: str, **options) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("format", ["PNG", "BMP", "TIFF", "WEBP", "JPEG"])
def test_formats_give_the_same_pixels(format):
    options = {"WEBP": {"lossless": True}, "JPEG": {"quality": 100, "subsampling": 0}}
    pixels = _gradient()
    encoded = _encoded(Image.fromarray(pixels), format, **options.get(format, {}))
    read = decode_photo(encoded, "a").pixels_srgb.numpy()
    # JPEG at full quality is off by rounding in YCbCr; the others are exact.
    tolerance = 4 if format == "JPEG" else 0
    assert np.abs(read.astype(int) - pixels).max() <= tolerance


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied(orientation, tmp_path):
    pixels = _gradient()
    operations = {2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
                  4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE,
                  6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
                  8: Image.Transpose.ROTATE_270}  # fmt: skip
    stored = Image.fromarray(pixels)
    if orientation in operations:
        stored = stored.transpose(operations[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "turned.png"
    stored.save(path, exif=exif)
    assert np.array_equal(read_photo(path).pixels_srgb.numpy(), pixels)


def test_grey_of_8_and_16_bits_and_palette_and_bilevel():
    grey = _gradient()[..., 0]
    wanted = np.repeat(grey[..., None], 3, axis=2)
    pictures = {
        "8 bit": Image.fromarray(grey),
        "16 bit": Image.fromarray(grey.astype(np.uint16) * 257),
        "palette": Image.fromarray(grey).convert("P"),
    }
    for name, picture in pictures.items():
        read = decode_photo(_encoded(picture, "PNG"), name).pixels_srgb.numpy()
        assert np.array_equal(read, wanted), name
    bilevel = Image.fromarray(grey > 100)
    assert set(np.unique(decode_photo(_encoded(bilevel, "PNG"), "1 bit").pixels_srgb)) == {0, 255}


def test_transparent_pixels_are_laid_on_grey():
    rgba = np.dstack([_gradient(), np.full((40, 60), 255, np.uint8)])
    rgba[:, :30, 3] = 0
    read = decode_photo(_encoded(Image.fromarray(rgba), "PNG"), "a").pixels_srgb.numpy()
    assert (read[:, :30] == 128).all()
    assert np.array_equal(read[:, 30:], _gradient()[:, 30:])


def test_cmyk_is_read_as_colour():
    picture = Image.new("RGB", (50, 50), (200, 40, 40)).convert("CMYK")
    read = decode_photo(_encoded(picture, "JPEG", quality=95), "a").pixels_srgb.float().mean((0, 1))
    assert torch.allclose(read, torch.tensor([200.0, 40.0, 40.0]), atol=4)


def test_profile_is_converted_and_a_broken_one_ignored():
    lab = ImageCms.createProfile("sRGB")
    srgb_bytes = ImageCms.ImageCmsProfile(lab).tobytes()
    pixels = _gradient()
    same = decode_photo(_encoded(Image.fromarray(pixels), "PNG", icc_profile=srgb_bytes), "a")
    # Through its own space a colour changes by rounding only.
    assert np.abs(same.pixels_srgb.numpy().astype(int) - pixels).max() <= 1
    broken = decode_photo(_encoded(Image.fromarray(pixels), "PNG", icc_profile=b"no profile"), "a")
    assert np.array_equal(broken.pixels_srgb.numpy(), pixels)


def _with_exif(size: tuple[int, int], **tags) -> bytes:
    exif = Image.Exif()
    names = {"focal": 0x920A, "film": 0xA405, "resolution": 0xA20E, "unit": 0xA210,
             "width": 0xA002, "height": 0xA003}  # fmt: skip
    directory = exif.get_ifd(0x8769)
    for name, value in tags.items():
        directory[names[name]] = value
    return _encoded(Image.new("RGB", size), "JPEG", exif=exif)


def test_focal_length_from_exif():
    # 50 mm with 100 px a mm are 5,000 px in the camera's own 400 px; this file has half of them.
    sensor = dict(focal=50.0, resolution=100.0, unit=4, width=400, height=300)
    assert decode_photo(_with_exif((200, 150), **sensor), "a").focal_px == pytest.approx(2500)
    # The diagonal of 200 x 150 is 250 px, that of film 43.27 mm.
    film = decode_photo(_with_exif((200, 150), film=28), "a").focal_px
    assert film == pytest.approx(28 * 250 / 43.2666, rel=1e-4)
    assert decode_photo(_with_exif((200, 200), **sensor), "was cut").focal_px is None
    assert decode_photo(_with_exif((200, 150), film=0), "none").focal_px is None
    assert decode_photo(_with_exif((200, 150), film=9000), "absurd").focal_px is None
    assert decode_photo(_encoded(Image.new("RGB", (99, 99)), "PNG"), "none").focal_px is None


def test_arrays_are_checked():
    floats = torch.rand(30, 40, 3, generator=torch.Generator().manual_seed(0))
    assert photo_from_array(floats).pixels_srgb.shape == (30, 40, 3)
    bad = [np.zeros((30, 40)), np.zeros((30, 40, 4)), np.full((30, 40, 3), 2.0),
           np.full((30, 40, 3), np.nan), np.zeros((30, 40, 3), dtype=int)]  # fmt: skip
    for array in bad:
        with pytest.raises(InputError, match=r"must"):
            photo_from_array(array)


def _jpeg() -> bytes:
    return _encoded(Image.fromarray(_gradient()), "JPEG")


def _png(*size: int, mode: str = "RGB") -> bytes:
    return _encoded(Image.new(mode, size), "PNG")


_BAD_FILES = {
    "empty": (bytes, "empty"),
    "text": (lambda: b"hello, this is no picture", "is not a picture"),
    "zeros": (lambda: bytes(5000), "is not a picture"),
    "header only": (lambda: _jpeg()[:20], "not a picture|damaged"),
    "truncated jpeg": (lambda: _jpeg()[:-300], "damaged or cut short"),
    "truncated png": (lambda: _png(400, 400)[:300], "damaged or cut short"),
    "one pixel": (lambda: _png(1, 1), "needs 24 on each side"),
    "a line": (lambda: _png(500, 1), "needs 24 on each side"),
    "gif": (lambda: _encoded(Image.new("P", (50, 50)), "GIF"), "not a picture that fit3dmm reads"),
    "floats": (lambda: _encoded(Image.new("F", (50, 50)), "TIFF"), "floating-point"),
    "huge": (lambda: _png(20000, 20000, mode="1"), "more than|too many"),
}


@pytest.mark.parametrize("case", _BAD_FILES)
def test_bad_files_end_with_a_sentence(case, tmp_path):
    encode, sentence = _BAD_FILES[case]
    path = tmp_path / "photo.jpg"
    path.write_bytes(encode())
    with pytest.raises(InputError, match=sentence):
        read_photo(path)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(InputError, match="Can't read"):
        read_photo(tmp_path / "none.jpg")
    with pytest.raises(InputError, match="it is a folder"):
        read_photo(tmp_path)
