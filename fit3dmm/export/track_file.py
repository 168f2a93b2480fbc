"""Tracks as files: HDF5, versioned, with all frames.

Layout of version 1. Attributes of the file: `format` ("fit3dmm-track"), `format_version`, `model`
and `frame`. Every field of `fitting.tracking.Track` is a data set or a group, as in a result
(`export.record`): `times_s`, `found`, `expression` (frames, blendshapes), `pose/rotation_rad`,
`pose/translation_mm` (frames, 3), `lighting/irradiance_sh` (frames, 9, 3), `landmark_error_mm`,
`person/identity`, `person/detail`, `person/albedo`, `camera/focal_px`, and JSON for the rest.
Frames in which no face was followed hold NaN.
"""

from pathlib import Path

from fit3dmm._hdf5 import FileFormat
from fit3dmm.export.record import read_record, write_record
from fit3dmm.fitting.tracking.learn import Learned
from fit3dmm.fitting.tracking.segments import Resumption, Segment
from fit3dmm.fitting.tracking.track import Track
from fit3dmm.scene_file import FRAME

FORMAT = FileFormat("fit3dmm-track", 1, "track", "pass the track.h5 of `fit3dmm track`")
_PART = FileFormat("fit3dmm-track-part", 1, "part of a track", "track the video again")
_FINISHED, _RESUMPTION = "segment", "resumption"


def save_track(path: Path, track: Track) -> None:
    """Write everything that came out of a video.

    Raises:
        InputError: the folder can't be written to.
    """
    with FORMAT.writing(path, model=track.model.name, frame=FRAME) as file:
        write_record(file, track, Track)


def load_track(path: str | Path) -> Track:
    """Read what `save_track` wrote.

    Raises:
        InputError: there is no such file, it is no track, or a newer fit3dmm wrote it.
    """
    with FORMAT.reading(path) as file:
        return read_record(file, Track)


def save_learned(path: Path, learned: Learned) -> None:
    """Write what the key frames told, for a run that goes on later."""
    with _PART.writing(path) as file:
        write_record(file, learned, Learned)


def load_learned(path: Path) -> Learned:
    """Read what `save_learned` wrote.

    Raises:
        InputError: there is no such file, or it is damaged.
    """
    with _PART.reading(path) as file:
        return read_record(file, Learned)


def save_part(path: Path, segment: Segment, resumption: Resumption) -> None:
    """Write finished frames with what those behind them need."""
    with _PART.writing(path) as file:
        write_record(file.create_group(_FINISHED), segment, Segment)
        write_record(file.create_group(_RESUMPTION), resumption, Resumption)


def load_part(path: Path) -> tuple[Segment, Resumption]:
    """Read what `save_part` wrote.

    Raises:
        InputError: there is no such file, or it is damaged.
    """
    with _PART.reading(path) as file:
        return read_record(file[_FINISHED], Segment), read_record(file[_RESUMPTION], Resumption)
