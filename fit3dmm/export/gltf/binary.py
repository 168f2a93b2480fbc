"""A glTF document as one binary file.

pygltflib writes the same bytes, after it has copied every number of a document twice, which takes
longer than making them. Source: Khronos Group, "glTF 2.0 specification", 2021, section 4.
"""

import json
import struct
from typing import Any

import pygltflib as gl

_HEADER, _CHUNK = struct.Struct("<4sII"), struct.Struct("<I4s")


def glb_bytes(document: gl.GLTF2) -> bytes:
    """The document with its buffer, whose length is a multiple of four."""
    text = json.dumps(_filled(document), separators=(",", ":"), allow_nan=False).encode()
    text += b" " * (-len(text) % 4)
    numbers = document.binary_blob() or b""
    length = _HEADER.size + 2 * _CHUNK.size + len(text) + len(numbers)
    return b"".join(
        [
            _HEADER.pack(b"glTF", 2, length),
            _CHUNK.pack(len(text), b"JSON"),
            text,
            _CHUNK.pack(len(numbers), b"BIN\0"),
            numbers,
        ]
    )


def _filled(value: Any) -> Any:
    """As dictionaries and lists, without what says nothing; what stands in an extension stays."""
    if isinstance(value, list | tuple):
        return [_filled(one) for one in value]
    if value is None or isinstance(value, str | int | float):
        return value
    items = value if isinstance(value, dict) else vars(value)
    return {
        key: one if key == "extensions" else _filled(one)
        for key, one in items.items()
        if not (key.startswith("_") or one is None or (hasattr(one, "__len__") and not len(one)))
    }
