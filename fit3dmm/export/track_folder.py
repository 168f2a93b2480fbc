"""All files of a track in one folder."""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import torch

from fit3dmm._parallel import Progress
from fit3dmm.export.animation import animation_of
from fit3dmm.export.glb import write_glb
from fit3dmm.export.picture import png_bytes, write_bytes
from fit3dmm.export.summary import write_json
from fit3dmm.export.texture import Baked
from fit3dmm.export.track_file import save_track
from fit3dmm.export.track_preview import write_track_preview
from fit3dmm.export.track_tables import is_arkit, write_blendshapes, write_live_link
from fit3dmm.fitting.tracking.track import Track
from fit3dmm.fitting.tracking.tracker import Tracker
from fit3dmm.geometry.rotation import rotation_matrix

RECORD, SUMMARY, GLB, PREVIEW = "track.h5", "track.json", "face.glb", "preview.mp4"
TABLE, LIVE_LINK, TEXTURE = "blendshapes.csv", "livelink.csv", "texture.png"
OUTPUTS: Mapping[str, tuple[str, ...]] = {
    "h5": (RECORD,),
    "json": (SUMMARY,),
    "glb": (GLB,),
    "csv": (TABLE, LIVE_LINK),
    "texture": (TEXTURE,),
    "preview": (PREVIEW,),
}
"""Files by the name of what they are."""
DRAWING = "drawing the preview"
_FORMAT, _FORMAT_VERSION = "fit3dmm-track-summary", 1


def write_track(
    track: Track,
    tracker: Tracker,
    bake: Callable[[], Baked],
    folder: Path,
    write: Collection[str],
    progress: Progress,
) -> None:
    """Write the files into a folder as it is.

    Args:
        track: of the video.
        tracker: that made it.
        bake: makes texture and hair of the person, where they are asked for.
        folder: must be there.
        write: names of the outputs, of `OUTPUTS`.
        progress: is told how far the preview is.
    """
    save_track(folder / RECORD, track)
    baked = bake() if {"texture", "glb"} & set(write) else None
    png = b"" if baked is None else png_bytes(baked.srgb)
    if "texture" in write:
        write_bytes(png, folder / TEXTURE)
    first = int(torch.where(track.found)[0][0])
    if "glb" in write and baked is not None:
        person, moves = track.scene(first).coefficients, animation_of(track)
        how = (folder / GLB, None, moves, False, None, baked.hair_shape)
        write_glb(tracker.prepared.model, person, png, *how)
    if "csv" in write:
        write_blendshapes(track, folder / TABLE)
        if is_arkit(track):
            write_live_link(track, folder / LIVE_LINK, tracker.video.frames_a_second)
    if "json" in write:
        write_json(track_summary(track), folder / SUMMARY)
    if "preview" in write:
        done = 0

        def advance() -> None:
            nonlocal done
            done += 1
            progress(DRAWING, done, len(track))

        write_track_preview(track, tracker.video, tracker.coarse, folder / PREVIEW, advance)


def track_summary(track: Track) -> dict[str, Any]:
    """What `track.json` holds: numbers of the track as a whole."""
    turns = rotation_matrix(track.pose.rotation_rad[track.found])[:, :, 2]
    yaw_deg = torch.rad2deg(torch.atan2(turns[:, 0], turns[:, 2]))
    return {
        "format": _FORMAT,
        "format_version": _FORMAT_VERSION,
        "video": track.name,
        "model": track.model.name,
        "frames": len(track),
        "followed": int(track.found.sum()),
        "seconds": track.seconds,
        "gaps": [
            {
                "first_frame": a,
                "last_frame": b,
                "from_s": time_s(track, a),
                "to_s": time_s(track, b),
            }
            for a, b in track.gaps()
        ],
        "key_frames": list(track.key_frames),
        "doubtful_key_frames": list(track.doubtful_key_frames),
        "focal_px": float(track.camera.focal_px),
        "landmark_error_mm": float(track.landmark_error_mm[track.found].mean()),
        "yaw_deg": [float(yaw_deg.min()), float(yaw_deg.max())],
        "versions": dict(track.versions),
    }


def time_s(track: Track, frame: int) -> float:
    """Of a frame, to the millisecond."""
    return round(float(track.times_s[frame]), 3)
