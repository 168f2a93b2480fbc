"""Photos of every kind are read alike, and bad ones end with a sentence."""

import io
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image, ImageCms, features

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
    bad = [np.zeros(30), np.zeros((30, 40, 5)), np.full((30, 40, 3), 2.0), np.zeros((30, 40, 0)),
           np.full((30, 40, 3), np.nan), np.zeros((30, 40, 3), dtype=int)]  # fmt: skip
    for array in bad:
        with pytest.raises(InputError, match=r"must"):
            photo_from_array(array)


def test_arrays_of_any_layout():
    pixels = _gradient()
    opaque = np.full((40, 60, 1), 255, np.uint8)
    frozen = pixels.copy()
    frozen.flags.writeable = False
    same = [np.moveaxis(pixels, 2, 0), np.concatenate([pixels, opaque], axis=2), frozen,
            torch.from_numpy(pixels), Image.fromarray(pixels), pixels[:, ::-1][:, ::-1],
            pixels.astype(np.uint16) * 257, pixels / np.float32(255)]  # fmt: skip
    for array in same:
        assert np.array_equal(photo_from_array(array).pixels_srgb.numpy(), pixels)
    grey = np.repeat(pixels[..., :1], 3, axis=2)
    for array in (pixels[..., 0], pixels[..., :1], np.concatenate([pixels[..., :1], opaque], 2)):
        assert np.array_equal(photo_from_array(array).pixels_srgb.numpy(), grey)
    palette = Image.fromarray(pixels[..., 0]).convert("P")
    assert np.array_equal(photo_from_array(palette).pixels_srgb.numpy(), grey)


def _tiff(*pictures: np.ndarray, **options) -> bytes:
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as file:
        for picture in pictures:
            file.write(picture, **options)
    return buffer.getvalue()


def _raw(tags: dict) -> bytes:
    """A thumbnail and below it the sensor's values, as NEF and DNG files have them."""
    types = {str: 2, bytes: 1}
    extra = [(tag, types[type(value)], len(value), value, True) for tag, value in tags.items()]
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as file:
        file.write(_gradient(), photometric="rgb", subifds=1, subfiletype=1, extratags=extra)
        file.write(np.zeros((400, 600), np.uint16), photometric=32803, subfiletype=0)
    return buffer.getvalue()


def _deep_inks() -> bytes:
    inks = np.zeros((4, 40, 40), np.uint16)
    return _tiff(inks, photometric="separated", planarconfig="separate")


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("bits", [8, 12, 16])
def test_deep_tiff_of_any_layout(bits, planar):
    pixels = _gradient()
    stored = pixels if bits == 8 else (pixels * ((2**bits - 1) / 255)).round().astype(np.uint16)
    stored = np.moveaxis(stored, 2, 0) if planar == "separate" else stored
    encoded = _tiff(stored, photometric="rgb", planarconfig=planar)
    assert np.array_equal(decode_photo(encoded, "a").pixels_srgb.numpy(), pixels)


def test_tiff_of_floats_and_of_grey_that_uses_some_bits():
    pixels = _gradient()
    floats = _tiff((pixels / 255).astype(np.float32), photometric="rgb")
    assert np.array_equal(decode_photo(floats, "a").pixels_srgb.numpy(), pixels)
    grey = _tiff((pixels[..., 0] / 255).astype(np.float32))
    read = decode_photo(grey, "a").pixels_srgb.numpy()
    assert np.array_equal(read, np.repeat(pixels[..., :1], 3, axis=2))
    for bits in (10, 12, 14):
        stored = (pixels[..., 2] * ((2**bits - 1) / 255)).round().astype(np.uint16)
        for encoded in (_tiff(stored), _encoded(Image.fromarray(stored), "PNG")):
            read = decode_photo(encoded, "a").pixels_srgb.numpy()
            assert np.array_equal(read[..., 0], pixels[..., 2]), bits
    compressed = _encoded(Image.fromarray(stored), "TIFF", compression="tiff_lzw")
    read = decode_photo(compressed, "a").pixels_srgb.numpy()
    assert np.array_equal(read[..., 0], pixels[..., 2])


def test_the_largest_picture_of_a_file_is_taken():
    small, large = _gradient(30, 40), _gradient()
    assert np.array_equal(
        decode_photo(_tiff(small, large, small, photometric="rgb"), "a").pixels_srgb.numpy(), large
    )
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as file:
        file.write(small, photometric="rgb", subifds=1, subfiletype=1)
        file.write(large, photometric="rgb")
    assert np.array_equal(decode_photo(buffer.getvalue(), "a").pixels_srgb.numpy(), large)
    first, second = (Image.fromarray(_gradient()[..., k]) for k in (0, 1))
    gif = _encoded(first, "GIF", save_all=True, append_images=[second])
    assert np.array_equal(decode_photo(gif, "a").pixels_srgb[..., 0].numpy(), _gradient()[..., 0])


def test_orientation_and_profile_of_a_deep_tiff():
    pixels = _gradient()
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    deep = np.rot90(pixels).astype(np.uint16) * 257
    orientation = [(274, 3, 1, 6, True)]
    encoded = _tiff(deep, photometric="rgb", extratags=orientation, iccprofile=profile)
    read = decode_photo(encoded, "a").pixels_srgb.numpy()
    assert np.abs(read.astype(int) - pixels).max() <= 1


def test_heic_and_avif():
    # The gradient's red channel in grey, written without loss by pillow-heif.
    pytest.importorskip("pi_heif")
    golden = Path(__file__).parents[1] / "golden" / "gradient.heic"
    wanted = np.repeat(_gradient()[..., :1], 3, axis=2)
    assert np.array_equal(read_photo(golden).pixels_srgb.numpy(), wanted)
    if features.check("avif"):
        read = decode_photo(_encoded(Image.fromarray(wanted), "AVIF", quality=100), "a")
        assert np.abs(read.pixels_srgb.numpy().astype(int) - wanted).max() <= 2


def test_heic_without_a_reader_says_what_to_install(monkeypatch):
    monkeypatch.setattr("fit3dmm.observe.container._heif_reader", lambda: None)
    heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(50)
    with pytest.raises(InputError, match=r"HEIC file.*fit3dmm\[heic\]"):
        decode_photo(heic, "a")


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
    "other kind": (lambda: _encoded(Image.new("RGB", (50, 50)), "PPM"), "not a picture that fit3d"),
    "floats": (lambda: _encoded(Image.new("F", (50, 50), 1.5), "TIFF"), "floating-point"),
    "fuji raw": (lambda: b"FUJIFILMCCD-RAW 0201" + bytes(99), r"raw file \(Fujifilm RAF\)"),
    "canon raw": (lambda: b"\0\0\0\x18ftypcrx \0\0\0\1crx isom", r"raw file \(Canon CR3\)"),
    "nikon raw": (lambda: _raw({271: "NIKON CORPORATION"}), r"raw file \(NIKON CORPORATION\)"),
    "dng": (lambda: _raw({50706: b"\1\4\0\0", 271: "Apple"}), r"raw file \(DNG\).*develop it"),
    "cut tiff": (lambda: _encoded(Image.new("RGB", (50, 50)), "TIFF")[:200], "damaged|not a pict"),
    "deep inks": (lambda: _deep_inks(), "TIFF file of a kind .* does not read"),
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
