"""Files that a fit must refuse, or survive: made here, so that no private person is shown."""

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw

from fit3dmm._files import data_path
from fit3dmm.export.picture import srgb_bytes
from fit3dmm.model.files import load_model
from fit3dmm.render.lights import named_lights
from fit3dmm.render.synthesise import synthesise
from fit3dmm.scene import Pose, Scene

# Where the face of the public-domain portrait lies: left, top, right, bottom.
FACE_PX = (170, 55, 275, 185)


def portrait() -> Image.Image:
    """The astronaut's portrait (NASA, public domain)."""
    return Image.open(data_path("examples/astronaut.png")).convert("RGB")


def two_faces() -> Image.Image:
    """The portrait beside its mirror image."""
    one = portrait().crop((60, 0, 400, 400))
    both = Image.new("RGB", (680, 400))
    both.paste(one, (0, 0))
    both.paste(one.transpose(Image.Transpose.FLIP_LEFT_RIGHT), (340, 0))
    return both


def cartoon() -> Image.Image:
    """A round yellow face of few lines."""
    picture = Image.new("RGB", (400, 400), "skyblue")
    draw = ImageDraw.Draw(picture)
    draw.ellipse((60, 60, 340, 340), fill="gold", outline="black", width=4)
    for x in (150, 250):
        draw.ellipse((x - 18, 150, x + 18, 200), fill="black")
    draw.arc((130, 180, 270, 280), 20, 160, fill="black", width=8)
    return picture


def animal() -> Image.Image:
    """A cat's head: pointed ears, whiskers, slit eyes."""
    picture = Image.new("RGB", (400, 400), "darkgreen")
    draw = ImageDraw.Draw(picture)
    draw.ellipse((90, 120, 310, 330), fill="sienna")
    for side in (-1, 1):
        x = 200 + 75 * side
        draw.polygon([(x - 40, 150), (x + 40, 150), (x + 25 * side, 50)], fill="sienna")
        draw.ellipse((x - 30, 180, x + 30, 220), fill="yellowgreen")
        draw.ellipse((x - 5, 180, x + 5, 220), fill="black")
        for dy in (-10, 0, 10):
            draw.line((200 + 30 * side, 265, 200 + 130 * side, 265 + 2 * dy), fill="white")
    draw.polygon([(185, 245), (215, 245), (200, 262)], fill="pink")
    return picture


def noise() -> Image.Image:
    """No picture of anything."""
    values = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    return Image.fromarray(values)


def landscape() -> Image.Image:
    """Sky over a field."""
    picture = Image.linear_gradient("L").resize((400, 300)).convert("RGB")
    ImageDraw.Draw(picture).rectangle((0, 180, 400, 300), fill="olivedrab")
    return picture


def with_hand() -> Image.Image:
    """A hand's colours over mouth and chin."""
    picture = portrait()
    draw = ImageDraw.Draw(picture)
    for k in range(4):
        draw.rounded_rectangle((175, 138 + 13 * k, 290, 150 + 13 * k), 6, fill=(214, 160, 130))
    return picture


def with_sunglasses() -> Image.Image:
    """Black lenses before both eyes."""
    picture = portrait()
    draw = ImageDraw.Draw(picture)
    for x in (204, 247):
        draw.ellipse((x - 20, 88, x + 20, 117), fill=(10, 10, 12))
    draw.line((204, 98, 247, 100), fill=(10, 10, 12), width=4)
    return picture


def black_and_white() -> Image.Image:
    """Grey values in one channel."""
    return portrait().convert("L")


def profile() -> Image.Image:
    """A synthetic head from the side."""
    model = load_model(level=1)
    turned = Pose(torch.tensor([0.0, 1.5, 0.0]), torch.tensor([0.0, 0.0, -600.0]))
    scene = Scene.portrait(model.zeros(), 400, 400)
    scene = scene.replace(pose=turned, lighting=named_lights()["studio"])
    with torch.no_grad():
        drawn = synthesise(model, scene, background_linear=torch.full((3,), 0.3))
    return Image.fromarray(srgb_bytes(drawn.rgb_linear))


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds nothing."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + check

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def _saved(make: Callable[[], Image.Image], suffix: str = ".png") -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = folder / f"photo{suffix}"
        make().save(path)
        return path

    return write


def _bytes(content: Callable[[], bytes], suffix: str = ".png") -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = folder / f"photo{suffix}"
        path.write_bytes(content())
        return path

    return write


def _encoded(suffix: str) -> bytes:
    content = io.BytesIO()
    portrait().save(content, format=suffix)
    return content.getvalue()


def _broken_png() -> bytes:
    whole = bytearray(_encoded("PNG"))
    at = len(whole) // 4
    whole[at : at + 512] = np.random.default_rng(0).bytes(512)
    return bytes(whole)


def _folder(folder: Path) -> Path:
    (folder / "photo.png").mkdir()
    return folder / "photo.png"


REFUSED: dict[str, tuple[Callable[[Path], Path], str]] = {
    "missing": (lambda folder: folder / "photo.png", "Can't read the photo .*No such file"),
    "folder": (_folder, "folder .* holds no pictures"),
    "empty": (_bytes(lambda: b""), r"is empty \(0 bytes\)"),
    "text": (_bytes(lambda: b"dear diary", ".jpg"), "not a picture that fit3dmm reads"),
    "pdf": (_bytes(lambda: b"%PDF-1.7 ...", ".pdf"), "not a picture that fit3dmm reads"),
    "ppm": (_saved(portrait, ".ppm"), "give a JPEG, PNG, WebP, TIFF, BMP, GIF"),
    "truncated jpeg": (_bytes(lambda: _encoded("JPEG")[:9000], ".jpg"), "damaged or cut short"),
    "truncated png": (_bytes(lambda: _encoded("PNG")[:50000]), "damaged or cut short"),
    "corrupt png": (_bytes(_broken_png), "damaged or cut short"),
    "tiff without pictures": (
        _bytes(lambda: b"II*\0" + bytes(100), ".nef"),
        "damaged or cut short .it holds no picture",
    ),
    "no pixels": (_bytes(lambda: png_header(0, 0)), "damaged|not a picture|0 x 0"),
    "one pixel": (_saved(lambda: Image.new("RGB", (1, 1))), "1 x 1 pixels: a photo needs 24"),
    "a line": (_saved(lambda: Image.new("RGB", (400, 2))), "a photo needs 24 on each side"),
    "20,000 px wide": (
        _saved(lambda: Image.new("1", (20_000, 8_000))),
        "20000 x 8000 pixels, more than 120,000,000",
    ),
    "bomb": (_bytes(lambda: png_header(60_000, 60_000)), "60000 x 60000 pixels|too many pixels"),
    "floats": (_saved(lambda: Image.new("F", (64, 64), 1.5), ".tiff"), "floating-point"),
    "one colour": (_saved(lambda: Image.new("RGB", (300, 300), "tan")), "No face was found"),
    "noise": (_saved(noise), "No face was found"),
    "landscape": (_saved(landscape), "No face was found"),
    "cartoon": (_saved(cartoon), "No face was found"),
    "animal": (_saved(animal), "No face was found"),
    "two faces": (_saved(two_faces), "shows 2 face.*not said which.*the largest or all"),
}
"""What must be refused: how it is made, and what the sentence says."""

SURVIVED: dict[str, Callable[[], Image.Image]] = {
    "hand over mouth": with_hand,
    "sunglasses": with_sunglasses,
    "black and white": black_and_white,
    "profile": profile,
}
"""Hard photos, which end in a result that judges itself or in a sentence."""
