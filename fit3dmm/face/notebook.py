"""What a notebook shows of a face: the photo, the face in it, and the head."""

import base64
import io
from html import escape
from typing import TYPE_CHECKING

from PIL import Image

from fit3dmm.export.drawing import in_photo, photo_linear
from fit3dmm.export.picture import srgb_bytes

if TYPE_CHECKING:
    from fit3dmm.face.face import Face

_SIDE_PX = 320
# Half the side of the square that is shown, in units of the longer side of the face's box.
_HALF = 0.9
# Of a photo that is larger no more pixels are drawn than a screen shows.
_MAX_PX = 2048


def notebook_html(face: "Face") -> str:
    """Pictures side by side over one line of words, all in the text itself."""
    pictures = [face.render(_SIDE_PX)]
    if face.photo is not None:
        camera = face.scene.camera
        points = face.observation.face_points_px.cpu().numpy()
        low, high = points.min(0), points.max(0)
        middle, half = (low + high) / 2, _HALF * float((high - low).max())
        photo_px = max(camera.width_px, camera.height_px)
        # The face shall fill its square with pixels of its own.
        size_px = round(min(photo_px * max(_SIDE_PX / (2 * half), 0.1), _MAX_PX))
        scale = size_px / photo_px
        left, top = (round(float(scale * (side - half))) for side in middle)
        side = max(round(2 * half * scale), 1)
        view = in_photo(face.shown, size_px).camera
        plain = Image.fromarray(srgb_bytes(photo_linear(face.photo, view)))
        over = face.render(size_px, over_photo=True)
        box = (left, top, left + side, top + side)
        pictures = [one.crop(box).resize((_SIDE_PX, _SIDE_PX)) for one in (plain, over)] + pictures
    images = "".join(f'<img height="{_SIDE_PX}" src="{_data(one)}">' for one in pictures)
    return f"<div>{images}<br><code>{escape(repr(face))}</code></div>"


def _data(picture: Image.Image) -> str:
    file = io.BytesIO()
    picture.save(file, format="JPEG", quality=88)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode("ascii")
