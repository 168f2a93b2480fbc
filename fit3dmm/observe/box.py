"""Boxes about faces: the left, top, right and bottom of one, in px of the photo."""

Box = tuple[float, float, float, float]
"""Left, top, right and bottom."""


def middle_lies_in(box_px: Box, width_px: int, height_px: int) -> bool:
    """Whether the middle of a box lies in a photo: what is mostly beyond it shows no face."""
    left, top, right, bottom = box_px
    return 0 < (left + right) / 2 < width_px and 0 < (top + bottom) / 2 < height_px


def box_overlap(a: Box, b: Box) -> float:
    """Intersection over union."""
    shared = shared_px2(a, b)
    return shared / (area_px2(a) + area_px2(b) - shared)


def shared_px2(a: Box, b: Box) -> float:
    """Area of what two boxes have in common."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    return max(width, 0.0) * max(height, 0.0)


def area_px2(box_px: Box) -> float:
    """Above zero, so that shares of it are numbers."""
    left, top, right, bottom = box_px
    return max((right - left) * (bottom - top), 1e-9)
