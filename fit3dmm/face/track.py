"""A face out of a video: `fit3dmm.track`."""

from collections.abc import Collection
from pathlib import Path

import torch

from fit3dmm._content import code_digest, content_key
from fit3dmm._errors import InputError
from fit3dmm._parallel import Progress
from fit3dmm._threads import torch_threads
from fit3dmm._version import __version__
from fit3dmm._video import VideoFile
from fit3dmm.export.folder import file_identity
from fit3dmm.export.person import shown
from fit3dmm.export.result_folder import check_replaceable, is_made, whole_folder
from fit3dmm.export.texture import Baked, bake
from fit3dmm.export.track_file import load_track
from fit3dmm.export.track_folder import OUTPUTS, RECORD, write_track
from fit3dmm.export.unfinished import Unfinished, unfinished
from fit3dmm.fitting.pipeline import as_prepared
from fit3dmm.fitting.tracking.config import TrackConfig
from fit3dmm.fitting.tracking.learn import learn, pictures
from fit3dmm.fitting.tracking.segments import Resumption
from fit3dmm.fitting.tracking.track import Track
from fit3dmm.fitting.tracking.tracker import FOLLOWING, Tracker
from fit3dmm.model.files import load_model
from fit3dmm.model.library import find_model
from fit3dmm.observe.detect import FaceDetector

TEXTURE_PX = 1024


def track(
    video: str | Path,
    out: str | Path | None = None,
    model: str | Path = "commons",
    config: TrackConfig | None = None,
    write: Collection[str] = tuple(OUTPUTS),
    again: bool = False,
    progress: Progress = lambda doing, done, total: None,
) -> Track:
    """Follow a face through a video.

    Args:
        video: a file of any container; `pip install "fit3dmm[video]"` reads them.
        out: folder of the results. A run that was killed goes on where it stopped, and a result
            that is there is read; without a folder nothing is written.
        model: a name or a file.
        config: settings; the default ones if left out.
        write: what is written besides `track.h5`, of `export.track_folder.OUTPUTS`.
        again: track anew, whatever is there.
        progress: called with what is being done, how much of it is done, and of how much.

    Raises:
        InputError: the video can't be read or shows no face, the model or the settings can't be
            used, or the folder can't be written to.
    """
    config, source = config or TrackConfig(), VideoFile(video)
    with torch.no_grad(), torch_threads(config.person.threads):
        if out is None:
            with FaceDetector() as detector:
                tracker = _tracker(source, model, config, detector, None, progress)
                return _followed(tracker, None, progress)
        target, who = Path(out), file_identity(source.path)
        key = _key(model, config, write)
        if is_made(target, who, key) and not again:
            return load_track(target / RECORD)
        check_replaceable(target, who)
        with unfinished(target, f"{key} {who.sha256}") as kept, FaceDetector() as detector:
            tracker = _tracker(source, model, config, detector, kept, progress)
            found = _followed(tracker, kept, progress)
            with whole_folder(target, who, key) as temporary:
                write_track(*(found, tracker, lambda: _baked(tracker), temporary, write, progress))
        return found


def _key(model: str | Path, config: TrackConfig, write: Collection[str]) -> str:
    """Equal for runs that make the same of a video."""
    settings = f"{__version__} {code_digest()} {config!r} {sorted(write)}"
    return content_key(settings, find_model(model))


def _tracker(
    video: VideoFile,
    model: str | Path,
    config: TrackConfig,
    detector: FaceDetector,
    kept: Unfinished | None,
    progress: Progress,
) -> Tracker:
    """Ready to follow the person, who is learned now unless an earlier run has done so."""
    prepared = as_prepared(model, config.person)
    learned = None if kept is None else kept.learned()
    if learned is None:
        learned = learn(video, prepared, config, detector, progress)
        if kept is not None:
            kept.keep_learned(learned)
    coarse = load_model(model, min(config.level, prepared.model.surface.level))
    return Tracker(video, learned, prepared, coarse, config, detector)


def _followed(tracker: Tracker, kept: Unfinished | None, progress: Progress) -> Track:
    """All frames, from where an earlier run stopped.

    Raises:
        InputError: the face could be followed in none.
    """
    parts, begin = [], Resumption.start()
    for segment, resumption in () if kept is None else kept.parts():
        parts.append(segment)
        begin = resumption
    total = len(tracker.learned.times_s)
    progress(FOLLOWING, begin.next, total)
    if begin.next < total:
        followed = tracker.segments(begin, lambda done: progress(FOLLOWING, done, total))
        for segment, resumption in followed:
            parts.append(segment)
            if kept is not None:
                kept.keep(segment, resumption)
    found = tracker.track(parts)
    if not found.found.any():
        raise InputError(
            f"The face of the key frames could be followed in no frame of {tracker.video.path}: "
            "give a video in which one person is seen well."
        )
    return found


def _baked(tracker: Tracker) -> Baked:
    """Texture and hair of the person, by all key frames that count."""
    fits = {int(frame): fit for frame, fit in tracker.learned.fits.items()}
    photos = pictures(tracker.video, list(fits))
    seen = [shown(fits[k], photo) for k, photo in zip(sorted(fits), photos, strict=True)]
    with torch.no_grad(), torch_threads(1):
        return bake(tracker.prepared.model, seen, TEXTURE_PX)
