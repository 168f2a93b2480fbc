"""How well and how quickly a face is followed through a video whose motion is known.

    python benchmarks/run_track.py [--seconds 10] [--person 3] [--cache FOLDER]

One of the studio's people (`fit3dmm.synthetic.fast`), filmed at 30 frames a second with 480 px,
talks, nods, blinks and makes faces; noise and H.264 are in the file. Errors are those of pose and
expression. Jitter is how much an error changes from frame to frame (root mean square): motion that
is followed has none. Both are also of the same frames fitted one by one, as photos.
"""

import statistics
import sys
import tempfile
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from clips import Clip, clip_of
from fit3dmm._parallel import available_cores
from fit3dmm._video import VideoFile
from fit3dmm.fitting.look import seen_by_network
from fit3dmm.fitting.pipeline import as_prepared, fit_observation
from fit3dmm.fitting.tracking.config import Motion, TrackConfig, frame_config, without_network
from fit3dmm.fitting.tracking.learn import learn
from fit3dmm.fitting.tracking.looking import Gaze, Seen
from fit3dmm.fitting.tracking.segments import Resumption, segments
from fit3dmm.fitting.tracking.smooth import smoothed
from fit3dmm.fitting.tracking.tracker import Tracker
from fit3dmm.geometry.rotation import rotation_matrix
from fit3dmm.model.files import load_model
from fit3dmm.observe.detect import FaceDetector
from fit3dmm.observe.observation import observe_face
from fit3dmm.observe.photo import photo_from_array
from fit3dmm.observe.skin.table import looked_up_skin_probability
from fit3dmm.unknowns import EXPRESSION, ROTATION, TRANSLATION
from harness import Metric, run

_TIMED_FRAMES = 24
_VARIANT_FRAMES = 60
# Frames that are also fitted as photos: runs of consecutive ones, for jitter needs neighbours.
_RUNS, _RUN_LENGTH = 3, 5


@dataclass(frozen=True)
class Found:
    """Some frames as they were found, in the order of the clip."""

    rows: np.ndarray
    rotation: np.ndarray
    translation_mm: np.ndarray
    expression: np.ndarray
    seconds: float
    """Processor time a frame."""


def measure(options: Namespace) -> Iterator[Metric]:
    """Everything about one clip."""
    with tempfile.TemporaryDirectory() as temporary, torch.no_grad(), FaceDetector() as detector:
        folder = options.cache or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        clip = clip_of(options.person, options.seconds, folder)
        yield from _Bench(clip, TrackConfig(), detector).metrics()


class _Bench:
    """One clip and all that is asked of it."""

    def __init__(self, clip: Clip, config: TrackConfig, detector: FaceDetector) -> None:
        self.clip, self.config, self.detector = clip, config, detector
        self.video = VideoFile(clip.path)
        self.prepared = as_prepared("commons", config.person)
        began = time.process_time()
        self.learned = learn(self.video, self.prepared, config, detector, lambda *_: None)
        self.learning_s = time.process_time() - began
        model = self.prepared.model
        face = (model.regions["face"] > 0.5)[: model.surface.n_base]
        self.face_basis_mm = model.expression_basis_mm[:, face].double().numpy()

    def metrics(self) -> Iterator[Metric]:
        """Time first, then errors."""
        yield replace(_seconds("key frames", self.learning_s, "time"), note="once a video")
        yield from self._parts()
        tracked, frames_a_second = self._tracked()
        yield Metric(
            f"frames a second, {available_cores()} cores",
            frames_a_second,
            "1/s",
            lower_is_better=False,
            noise=0.15,
            group="time",
            note="wall time, without key frames; decoding and looks beside the solver",
        )
        yield from self._errors("track", tracked)
        looks = self._looks(_VARIANT_FRAMES)
        for name, config in _variants(self.config).items():
            seen = looks if config.frame.uses_network else [_without_network(one) for one in looks]
            yield from self._errors(name, self._followed(seen, config))
        yield from self._errors("no later frames", self._followed(looks, self.config, smooth=False))
        yield from self._errors("each found anew", self._followed(looks, self.config, anew=True))
        yield from self._errors("as photos", self._as_photos())

    def _tracker(self, config: TrackConfig) -> Tracker:
        coarse = load_model("commons", config.level)
        return Tracker(self.video, self.learned, self.prepared, coarse, config, self.detector)

    def _tracked(self) -> tuple[Found, float]:
        """The whole clip, as the command does it."""
        tracker = self._tracker(self.config)
        began, processor = time.perf_counter(), time.process_time()
        parts = [segment for segment, _ in tracker.segments(Resumption.start())]
        seconds = time.perf_counter() - began
        track = tracker.track(parts)
        rows = torch.where(track.found)[0].numpy()
        found = Found(
            rows,
            rotation_matrix(track.pose.rotation_rad).double().numpy()[rows],
            track.pose.translation_mm.double().numpy()[rows],
            track.expression.double().numpy()[rows],
            (time.process_time() - processor) / len(track),
        )
        return found, len(track) / seconds

    def _looks(self, n: int) -> list[Seen]:
        lookout = self._tracker(self.config).lookout()
        return [
            look for (look, _), _ in zip(lookout.looks(self.video.frames()), range(n), strict=False)
        ]

    def _followed(
        self, looks: Sequence[Seen], config: TrackConfig, smooth: bool = True, anew: bool = False
    ) -> Found:
        """The first frames with other settings, from looks that are done."""
        follower = self._tracker(config).follower()
        began, last, frames = time.process_time(), None, []
        for look in looks:
            assert look.observation is not None, "the clip's face is lost"
            last = follower.follow(look.observation, look.time_s, None if anew else last)
            frames.append(last)
        xs = [one.x for one in frames]
        if smooth and not anew:
            xs = smoothed(frames, follower.layout, config.motion)
        seconds = (time.process_time() - began) / len(looks)
        values = [follower.layout.values(x) for x in xs]
        return _found(np.arange(len(looks)), values, seconds)

    def _as_photos(self) -> Found:
        """Frames fitted one by one: person, camera and all."""
        n = len(self.clip.times_s)
        begins = np.linspace(0, n - _RUN_LENGTH, _RUNS).astype(int)
        rows = (begins[:, None] + np.arange(_RUN_LENGTH)).ravel()
        pixels = {f.index: f.pixels_srgb for f in self.video.frames() if f.index in rows}
        values, seconds = [], []
        for row in rows.tolist():
            photo = photo_from_array(pixels[row], f"frame {row}")
            face = self.detector.first_look(photo)[0]
            began = time.process_time()
            seen = observe_face(photo, face, self.config.person.size_px)
            seen = seen_by_network(seen, photo, self.prepared, self.config.person)
            scene = fit_observation(seen, self.prepared, self.config.person).scene
            seconds.append(time.process_time() - began)
            values.append(
                {
                    ROTATION: scene.pose.rotation_rad,
                    TRANSLATION: scene.pose.translation_mm,
                    EXPRESSION: scene.coefficients.expression,
                }
            )
        return _found(rows, values, statistics.median(seconds))

    def _parts(self) -> Iterator[Metric]:
        """Where the time of a frame goes: processor time of each part by itself."""
        frames = [f for f, _ in zip(self.video.frames(), range(_TIMED_FRAMES), strict=False)]
        pixels, decode = _timed(lambda f: f.pixels_srgb, frames)
        began = time.process_time()
        n_decoded = sum(1 for _ in self.video.frames())
        decode = [value + (time.process_time() - began) / n_decoded for value in decode]
        photos = [photo_from_array(one, f"frame {k}") for k, one in enumerate(pixels)]
        faces, detect = _timed(lambda photo: self.detector.first_look(photo)[0], photos)
        _, beside = _timed(
            lambda pair: self.detector.look_near(pair[0], pair[1].points_px),
            list(zip(photos, faces, strict=True)),
        )
        size, person = self.config.frame.size_px, self.config.person
        seen, crop = _timed(
            lambda pair: observe_face(pair[0], pair[1], size, skin_by=looked_up_skin_probability),
            list(zip(photos, faces, strict=True)),
        )
        prepared = self._tracker(self.config).lookout().prepared
        seen, network = _timed(
            lambda pair: seen_by_network(pair[0], pair[1], prepared, person, passes=1),
            list(zip(seen, photos, strict=True)),
        )
        looks = [
            Seen(f.index, f.time_s, one, is_anew=f.index == 0)
            for f, one in zip(frames, seen, strict=True)
        ]
        follower = self._tracker(self.config).follower()
        began = time.process_time()
        for _ in segments(((look, Gaze()) for look in looks), follower, Resumption.start()):
            pass
        solve = [(time.process_time() - began) / len(looks)]
        named = {
            "decoding": decode,
            "detector, whole frame": detect,
            "detector, where the face was": beside,
            "crop and skin": crop,
            "network, one look": network,
            "solver": solve,
        }
        for name, seconds in named.items():
            yield _seconds(name, statistics.median(seconds), "time")

    def _errors(self, name: str, found: Found) -> Iterator[Metric]:
        truth = self.clip
        turned = found.rotation @ truth.rotation[found.rows].transpose(0, 2, 1)
        angle = _rotation_vectors_deg(turned)
        shift = found.translation_mm - truth.translation_mm[found.rows]
        activation = found.expression - truth.expression[found.rows]
        moved = np.einsum("fk,kvc->fvc", activation, self.face_basis_mm)
        near = np.diff(found.rows) == 1

        def rms(values: np.ndarray) -> float:
            return float(np.sqrt(np.square(values).reshape(len(values), -1).sum(1).mean()))

        def jitter(values: np.ndarray) -> float:
            return rms(np.diff(values, axis=0)[near])

        n_vertices, n_units = moved.shape[1], activation.shape[1]
        rows = {
            "turn (deg)": (rms(angle), "deg"),
            "turn about its mean (deg)": (rms(angle - angle.mean(0)), "deg"),
            "turn, jitter (deg)": (jitter(angle), "deg"),
            "place across (mm)": (rms(shift[:, :2]), "mm"),
            "place across, jitter (mm)": (jitter(shift[:, :2]), "mm"),
            "place along, jitter (mm)": (jitter(shift[:, 2:]), "mm"),
            "activations": (rms(activation) / n_units**0.5, ""),
            "activations, jitter": (jitter(activation) / n_units**0.5, ""),
            "expression (mm)": (rms(moved) / n_vertices**0.5, "mm"),
            "expression, jitter (mm)": (jitter(moved) / n_vertices**0.5, "mm"),
        }
        for row, (value, unit) in rows.items():
            yield Metric(f"{name}: {row}", value, unit, noise=0.05, group="errors")
        yield replace(_seconds(f"{name}: solver", found.seconds, "errors"), noise=0.2)


def _variants(config: TrackConfig) -> dict[str, TrackConfig]:
    """One choice changed at a time."""

    def together(steps: int) -> TrackConfig:
        *stages, points, colours = frame_config(steps=steps).stages
        both = replace(
            points,
            free=(*points.free, *colours.free),
            terms=(*points.terms, *colours.terms),
            mask_occlusions=True,
        )
        frame = replace(config.frame, stages=(*stages, both))
        return replace(config, frame=frame, n_following=1)

    motion = config.motion
    return {
        f"first {_VARIANT_FRAMES} frames": config,
        "no random walk": replace(config, motion=Motion(10.0, 1e4, 100.0, 10.0, 100.0)),
        "steady detectors": replace(config, motion=replace(motion, detector_modes=0.3)),
        "without network": without_network(config),
        "colours with points": together(2),
        "the same, 6 steps": together(6),
        "1 step": replace(config, frame=frame_config(steps=1)),
        "finer surface": replace(config, level=1),
    }


def _without_network(seen: Seen) -> Seen:
    observation = seen.observation
    assert observation is not None
    detections = {n: d for n, d in observation.detections.items() if n != "network"}
    return replace(seen, observation=observation.replace(detections=detections, predicted=None))


def _found(rows: np.ndarray, values: Sequence[dict], seconds: float) -> Found:
    def stacked(name: str) -> torch.Tensor:
        return torch.stack([one[name] for one in values]).double()

    return Found(
        rows,
        rotation_matrix(stacked(ROTATION)).numpy(),
        stacked(TRANSLATION).numpy(),
        stacked(EXPRESSION).numpy(),
        seconds,
    )


def _rotation_vectors_deg(rotation: np.ndarray) -> np.ndarray:
    from scipy.spatial.transform import Rotation

    return np.degrees(Rotation.from_matrix(rotation).as_rotvec())


def _timed(action: Callable, items: Sequence) -> tuple[list, list[float]]:
    """What an action makes of each, and the processor time of each."""
    made, seconds = [], []
    for item in items:
        began = time.process_time()
        made.append(action(item))
        seconds.append(time.process_time() - began)
    return made, seconds


def _seconds(name: str, value: float, group: str) -> Metric:
    if value > 1:
        return Metric(name, value, "s", noise=0.15, group=group)
    return Metric(name, 1e3 * value, "ms", noise=0.15, group=group)


def _options(parser: ArgumentParser) -> None:
    parser.add_argument("--seconds", type=float, default=10.0, help="default: %(default)s")
    parser.add_argument("--person", type=int, default=3, help="who; default: %(default)s")
    parser.add_argument("--cache", type=Path, help="keep the clip here")


if __name__ == "__main__":
    sys.exit(run("track", __doc__, measure, _options))
