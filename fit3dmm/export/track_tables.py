"""Tracks as tables that animation tools read."""

import csv
import io
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from fit3dmm.export.picture import write_bytes
from fit3dmm.fitting.tracking.track import Track
from fit3dmm.geometry.rotation import angles_of_rotation, rotation_matrix

_POSE = ("head_pitch_deg", "head_yaw_deg", "head_roll_deg", "head_x_mm", "head_y_mm", "head_z_mm")
_EYE = (
    "eyeBlink", "eyeLookDown", "eyeLookIn", "eyeLookOut", "eyeLookUp", "eyeSquint", "eyeWide",
)  # fmt: skip
_LIVE_LINK = (
    *(f"{name}Left" for name in _EYE),
    *(f"{name}Right" for name in _EYE),
    "jawForward", "jawRight", "jawLeft", "jawOpen", "mouthClose", "mouthFunnel", "mouthPucker",
    "mouthRight", "mouthLeft", "mouthSmileLeft", "mouthSmileRight", "mouthFrownLeft",
    "mouthFrownRight", "mouthDimpleLeft", "mouthDimpleRight", "mouthStretchLeft",
    "mouthStretchRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper",
    "mouthPressLeft", "mouthPressRight", "mouthLowerDownLeft", "mouthLowerDownRight",
    "mouthUpperUpLeft", "mouthUpperUpRight", "browDownLeft", "browDownRight", "browInnerUp",
    "browOuterUpLeft", "browOuterUpRight", "cheekPuff", "cheekSquintLeft", "cheekSquintRight",
    "noseSneerLeft", "noseSneerRight", "tongueOut",
)  # fmt: skip
"""ARKit's 52 in the order of the recordings of Epic's app Live Link Face."""
_TURNS = (
    "HeadYaw", "HeadPitch", "HeadRoll", "LeftEyeYaw", "LeftEyePitch", "LeftEyeRoll",
    "RightEyeYaw", "RightEyePitch", "RightEyeRoll",
)  # fmt: skip
# Full activations of eyeLook... turn the eyeballs by so much (docs/avatar.md).
_UP_DEG, _ASIDE_DEG = 25.0, 30.0
_USUAL_RATE = 30.0


def write_blendshapes(track: Track, path: Path) -> None:
    """A row a frame: `time_s`, each blendshape by its name, the head's angles and place.

    Angles are those of docs/conventions.md; the place is that of the model's origin in `cam`. Rows
    of frames without the face have a time and nothing else.

    Raises:
        InputError: the folder can't be written to.
    """
    rows = []
    for k, time_s in enumerate(track.times_s.tolist()):
        values = [""] * (len(track.expression_names) + len(_POSE))
        if track.found[k]:
            place = track.pose.translation_mm[k].tolist()
            numbers = [*track.expression[k].tolist(), *_angles_deg(track, k), *place]
            values = [f"{number:.5f}" for number in numbers]
        rows.append([f"{time_s:.5f}", *values])
    _write(path, ["time_s", *track.expression_names, *_POSE], rows)


def is_arkit(track: Track) -> bool:
    """Whether the model has the blendshapes that tools know by name."""
    return set(_LIVE_LINK) <= set(track.expression_names)


def write_live_link(track: Track, path: Path, frames_a_second: float | None) -> None:
    """A recording as Epic's app Live Link Face makes one, of a model with ARKit's blendshapes.

    Its columns are `Timecode` (HH:MM:SS:FF.mmm), `BlendShapeCount`, the 52, and turns of head and
    eyes in radians. Frames without the face are left out.

    Args:
        track: of a video.
        path: of the file.
        frames_a_second: in which time codes count; 30 if the video does not say.

    Raises:
        InputError: the folder can't be written to.
    """
    rate = frames_a_second or _USUAL_RATE
    columns = [track.expression_names.index(name) for name in _LIVE_LINK]
    rows = []
    for k, time_s in enumerate(track.times_s.tolist()):
        if not track.found[k]:
            continue
        named = dict(zip(track.expression_names, track.expression[k].tolist(), strict=True))
        pitch, yaw, roll = _angles_deg(track, k)
        turns = [yaw, pitch, roll, *_eye_deg(named, "Left"), *_eye_deg(named, "Right")]
        values = track.expression[k][columns].tolist()
        numbers = [*values, *(math.radians(angle) for angle in turns)]
        rows.append(
            [_timecode(time_s, rate), str(len(numbers)), *(f"{number:.6f}" for number in numbers)]
        )
    names = [name[0].upper() + name[1:] for name in _LIVE_LINK]
    _write(path, ["Timecode", "BlendShapeCount", *names, *_TURNS], rows)


def _timecode(time_s: float, rate: float) -> str:
    whole = int(time_s)
    frame = (time_s - whole) * rate
    minutes, seconds = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    thousandths = min(round(frame * 1000), math.ceil(rate) * 1000 - 1)
    return f"{hours:02}:{minutes:02}:{seconds:02}:{thousandths // 1000:02}.{thousandths % 1000:03}"


def _eye_deg(units: dict[str, float], side: str) -> tuple[float, float, float]:
    """Yaw to the subject's left, pitch down and roll of an eye."""
    outwards = units[f"eyeLookOut{side}"] - units[f"eyeLookIn{side}"]
    down = units[f"eyeLookDown{side}"] - units[f"eyeLookUp{side}"]
    return _ASIDE_DEG * (outwards if side == "Left" else -outwards), _UP_DEG * down, 0.0


def _angles_deg(track: Track, frame: int) -> tuple[float, float, float]:
    rotation = rotation_matrix(track.pose.rotation_rad[frame].double()).numpy()
    angles = angles_of_rotation(rotation)
    return angles["pitch"], angles["yaw"], angles["roll"]


def _write(path: Path, names: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(rows)
    write_bytes(text.getvalue().encode("ascii"), path)
