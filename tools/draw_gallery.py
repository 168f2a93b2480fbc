"""Draw docs/images/gallery.jpg and turntable.webp: photos, and the avatars that are made of them.

    python tools/draw_gallery.py PHOTO ... [-o docs/images]

A row a photo: the photo, the face in it, the avatar at rest, smiling, from the side, in other
light. The turntable is of the first. All photos must be in the public domain, and of public people.
"""

import argparse
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

import fit3dmm
from fit3dmm.face.face import Face

TILE_PX, LINE_PX = 220, 24
TURN_PX, TURN_FRAMES, ROUND_MS = 240, 36, 4000
_MARGIN = 1.9
SMILE = {
    "mouthSmileLeft": 0.8,
    "mouthSmileRight": 0.8,
    "cheekSquintLeft": 0.5,
    "cheekSquintRight": 0.5,
}
LABELS = ("photo", "the face in it", "avatar at rest", "smiling", "from the side", "another light")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", nargs="+", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=Path("docs/images"))
    arguments = parser.parse_args()
    faces = [fit3dmm.fit(path, face="largest") for path in arguments.photos]
    size = (TILE_PX * len(LABELS), LINE_PX + TILE_PX * len(faces))
    page = Image.new("RGB", size, "white")
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(size=15)
    for column, label in enumerate(LABELS):
        place = ((column + 0.5) * TILE_PX, LINE_PX / 2)
        draw.text(place, label, fill="black", font=font, anchor="mm")
    for row, face in enumerate(faces):
        print(f"{face.observation.name}: {face.quality.verdict}")
        for column, tile in enumerate(tiles(face)):
            page.paste(tile, (column * TILE_PX, LINE_PX + row * TILE_PX))
    page.save(arguments.output / "gallery.jpg", quality=85, optimize=True)
    at_rest = faces[0].with_expression("neutral").relit("studio")
    views = [
        at_rest.render(TURN_PX, yaw_deg=360 * k / TURN_FRAMES, background="white")
        for k in range(TURN_FRAMES)
    ]
    views[0].save(
        arguments.output / "turntable.webp",
        save_all=True,
        append_images=views[1:],
        duration=ROUND_MS // TURN_FRAMES,
        loop=0,
        quality=75,
        method=6,
    )


def tiles(face: Face) -> list[Image.Image]:
    """One for each of `LABELS`."""
    photo = face.photo
    assert photo is not None
    whole = Image.fromarray(photo.pixels_srgb.numpy())
    worn = face.render(max(whole.size), over_photo=True)
    points = face.observation.face_points_px
    low, high = points.amin(0), points.amax(0)
    side = float((high - low).max()) * _MARGIN
    left, top = ((low + high - side) / 2).tolist()
    box = (left, top, left + side, top + side)
    at_rest = face.with_expression("neutral").relit("studio")
    return [
        *(one.resize((TILE_PX, TILE_PX), box=_inside(box, one.size)) for one in (whole, worn)),
        at_rest.render(TILE_PX, background="white"),
        at_rest.with_expression(**SMILE).render(TILE_PX, background="white"),
        at_rest.render(TILE_PX, yaw_deg=60, background="white"),
        at_rest.relit("side").render(TILE_PX, yaw_deg=-20, background="white"),
    ]


def _inside(
    box: tuple[float, float, float, float], size: tuple[int, int]
) -> tuple[float, float, float, float]:
    """The square, smaller and moved if need be, so that it lies in a picture of this size."""
    side = min(box[2] - box[0], *size)
    left = min(max((box[0] + box[2] - side) / 2, 0), size[0] - side)
    top = min(max((box[1] + box[3] - side) / 2, 0), size[1] - side)
    return left, top, left + side, top + side


if __name__ == "__main__":
    main()
