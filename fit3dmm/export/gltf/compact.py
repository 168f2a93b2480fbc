"""Numbers of an avatar in fewer bytes, for pages that have to load it.

Positions at rest stay floats, so that no seam opens. What blendshapes add is counted in steps of
1/32767 m, which is 0.03 mm, and normals and tangents in steps of 1/127. Sources: Khronos Group,
"KHR_mesh_quantization" and "EXT_texture_webp", 2019.
"""

import io

import numpy as np
import pygltflib as gl
from jaxtyping import Float
from PIL import Image

from fit3dmm.export.gltf.buffer import Buffer, bounds_of, strongest_bones
from fit3dmm.export.gltf.materials import COLOURS

QUANTIZED, WEBP = "KHR_mesh_quantization", "EXT_texture_webp"
_WEBP_MIME = "image/webp"
# Of colours: a root mean square of 1.3 bytes away from the original, a tenth of its size.
_QUALITY = 90


class CompactBuffer(Buffer):
    """As `Buffer`, in whole numbers where they are enough."""

    def normals(self, values: Float[np.ndarray, "n 3"]) -> int:
        """See `Buffer`."""
        # Each begins at a multiple of four bytes.
        rows = np.pad(_steps(values, np.int8), ((0, 0), (0, 1)))
        view = self.view(rows.tobytes(), gl.ARRAY_BUFFER)
        self.views[view].byteStride = rows.shape[1]
        return self._accessor(gl.BYTE, len(rows), gl.VEC3, bufferView=view, normalized=True)

    def tangents(self, values: Float[np.ndarray, "n 4"]) -> int:
        """See `Buffer`."""
        rows = _steps(values, np.int8)
        view = self.view(rows.tobytes(), gl.ARRAY_BUFFER)
        return self._accessor(gl.BYTE, len(rows), gl.VEC4, bufferView=view, normalized=True)

    def uv(self, values: Float[np.ndarray, "n 2"]) -> int:
        """See `Buffer`; a map that leaves its square stays in floats."""
        if len(values) == 0 or values.min() < 0 or values.max() > 1:
            return super().uv(values)
        rows = _steps(values, np.uint16)
        view = self.view(rows.tobytes(), gl.ARRAY_BUFFER)
        return self._accessor(
            gl.UNSIGNED_SHORT, len(rows), gl.VEC2, bufferView=view, normalized=True
        )

    def bone_shares(self, weights: Float[np.ndarray, "n bones"]) -> tuple[int, int]:
        """See `Buffer`."""
        bone, share = strongest_bones(weights, np.uint8)
        views = [self.view(array.tobytes(), gl.ARRAY_BUFFER) for array in (bone, share)]
        joints = self._accessor(gl.UNSIGNED_BYTE, len(bone), gl.VEC4, bufferView=views[0])
        return joints, self._accessor(
            gl.UNSIGNED_BYTE, len(bone), gl.VEC4, bufferView=views[1], normalized=True
        )

    def shifts(
        self, values: Float[np.ndarray, "rows 3"], indices: gl.AccessorSparseIndices, count: int
    ) -> int:
        """See `Buffer`."""
        rows = _steps(values, np.int16)
        return self._sparse(
            rows, gl.SHORT, indices, count, normalized=True, **bounds_of(rows, count)
        )

    def turns(
        self, values: Float[np.ndarray, "rows 3"], indices: gl.AccessorSparseIndices, count: int
    ) -> int:
        """See `Buffer`. Where a normal turns by more than a right angle it stops there."""
        return self._sparse(_steps(values, np.int8), gl.BYTE, indices, count, normalized=True)


def with_webp(document: gl.GLTF2, pictures: dict[str, bytes], buffer: Buffer) -> None:
    """Put pictures into the document, and say what a reader must know to read it.

    Args:
        document: whose textures are to show them, one each.
        pictures: encoded, by name; what are no colours are numbers, which stay exact.
        buffer: takes their bytes.
    """
    packed = [webp_bytes(png, exact=name not in COLOURS) for name, png in pictures.items()]
    document.images = [
        gl.Image(name=name, bufferView=buffer.view(one), mimeType=_WEBP_MIME)
        for name, one in zip(pictures, packed, strict=True)
    ]
    document.textures = [
        gl.Texture(sampler=0, extensions={WEBP: {"source": k}}) for k in range(len(packed))
    ]
    document.extensionsUsed = document.extensionsRequired = [WEBP, QUANTIZED]


def webp_bytes(picture: bytes, exact: bool) -> bytes:
    """An encoded picture as WebP.

    Args:
        picture: as PNG.
        exact: keep every byte of it.
    """
    file = io.BytesIO()
    Image.open(io.BytesIO(picture)).convert("RGB").save(
        file, format="WEBP", lossless=exact, quality=_QUALITY
    )
    return file.getvalue()


def _steps(values: np.ndarray, kind: type) -> np.ndarray:
    """In whole steps, of which the largest of the kind is 1."""
    most = np.iinfo(kind).max
    least = -most if np.iinfo(kind).min else 0
    return np.clip(np.round(values * most), least, most).astype(kind)
