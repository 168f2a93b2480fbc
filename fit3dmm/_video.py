"""Video files: frames the right way up with their times, and files made of frames. The one door to
PyAV, which is an extra: its wheels bring FFmpeg with encoders under the GPL, and 100 MB."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from fit3dmm._errors import InputError
from fit3dmm._files import atomic_path

# Frames that claim the time of the one before come this much later.
_LEAST_STEP_S = 1e-3
# Constant rate factors of x264: its own default, and one for looking at a picture closely, below
# which nobody sees a difference.
_FAIR_QUALITY, FINE_QUALITY = 23, 18


@dataclass(frozen=True)
class Frame:
    """One picture of a video."""

    index: int
    """Its place among the frames that can be decoded."""
    time_s: float
    """Since the first one; rises from frame to frame, in steps that may differ."""
    picture: Any
    """PyAV's own frame."""
    pixel_aspect: float
    """Width of its pixels over their height."""

    @property
    def pixels_srgb(self) -> UInt8[np.ndarray, "height width 3"]:
        """As it is to be shown: turned by the file's flag, with square pixels."""
        picture = self.picture
        width = max(round(picture.width * self.pixel_aspect), 1)
        pixels = picture.to_ndarray(format="rgb24", width=width, height=picture.height)
        # Both count quarter turns anticlockwise.
        return np.ascontiguousarray(np.rot90(pixels, round(picture.rotation / 90) % 4))


class VideoFile:
    """A file that can be read from its start as often as one likes.

    Raises:
        InputError: it is missing, no video, damaged, or PyAV is not installed.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            reason = "it is a folder" if self.path.is_dir() else "there is no such file"
            raise InputError(f"Can't read the video {path}: {reason}; give a video file.")
        with self._opened() as (_, stream):
            self.estimated_s = _duration_s(stream)
            rate = stream.average_rate
            self.frames_a_second = None if rate is None else float(rate)

    @property
    def name(self) -> str:
        """The file's stem."""
        return self.path.stem

    estimated_s: float | None
    """How long it lasts, as far as the file says."""
    frames_a_second: float | None
    """On average, as far as the file says."""

    def frames(self) -> Iterator[Frame]:
        """All frames, in the order in which they are shown. What is damaged is passed over.

        Raises:
            InputError: nothing can be decoded.
        """
        av = _av()
        index, first_s, last_s = 0, 0.0, -_LEAST_STEP_S
        with self._opened() as (container, stream):
            step_s = float(1 / (stream.average_rate or 25))
            aspect = float(stream.sample_aspect_ratio or 1)
            for packet in _packets(container, stream):
                try:
                    pictures = packet.decode()
                except av.error.FFmpegError:
                    continue  # a damaged packet costs its own frames and no others
                for picture in pictures:
                    at_s = last_s + step_s if picture.time is None else picture.time
                    if index == 0:
                        first_s = at_s
                    last_s = max(at_s - first_s, last_s + _LEAST_STEP_S)
                    yield Frame(index, last_s, picture, aspect)
                    index += 1
        if index == 0:
            raise InputError(f"No frame of the video {self.path} can be decoded: copy it again.")

    @contextlib.contextmanager
    def _opened(self) -> Iterator[tuple[Any, Any]]:
        av = _av()
        try:
            container = av.open(str(self.path))
        except (av.error.FFmpegError, OSError) as error:
            raise InputError(
                f"{self.path} is no video that FFmpeg reads ({error.strerror}): give an MP4, MOV, "
                "WebM, MKV or AVI file."
            ) from error
        with container:
            # The cover picture of a piece of music is a stream, too.
            cover = av.stream.Disposition.attached_pic
            streams = [one for one in container.streams.video if not one.disposition & cover]
            if not streams:
                raise InputError(f"{self.path} has no video stream: give a file with pictures.")
            streams[0].thread_type = "AUTO"
            yield container, streams[0]


def check_video() -> None:
    """Say so before anything is drawn where no video can be read or written.

    Raises:
        InputError: PyAV is not installed.
    """
    _av()


@contextlib.contextmanager
def writing_video(
    path: str | Path, width_px: int, height_px: int, quality: int = _FAIR_QUALITY
) -> Iterator["VideoWriter"]:
    """Give a writer of an MP4 file (H.264) that every browser and phone plays; it appears whole or
    not at all.

    Args:
        path: of the file.
        width_px, height_px: of all frames; what is odd becomes even by a row or column of pixels.
        quality: x264's constant rate factor, where less is finer.

    Raises:
        InputError: the folder can't be written to, or PyAV is not installed.
    """
    av = _av()
    with (
        atomic_path(Path(path)) as temporary,
        av.open(str(temporary), "w", format="mp4", options={"movflags": "+faststart"}) as container,
    ):
        writer = VideoWriter(container, width_px, height_px, quality)
        yield writer
        writer.close()


class VideoWriter:
    """Takes frames one after another; see `writing_video`."""

    # Times are told to a hundred-thousandth of a second.
    _BASE = Fraction(1, 90_000)

    def __init__(self, container: Any, width_px: int, height_px: int, quality: int) -> None:
        self._container = container
        # Without frames that rest on later ones, times and the length are told plainly.
        options = {"crf": str(quality), "preset": "veryfast", "bf": "0"}
        stream = container.add_stream("libx264", options=options)
        # Colours at half the resolution: players know nothing else, and want even sides for it.
        stream.width, stream.height = (side + side % 2 for side in (width_px, height_px))
        stream.pix_fmt = "yuv420p"
        stream.time_base = stream.codec_context.time_base = self._BASE
        self._stream = stream
        self._last_pts: int | None = None
        self._shortest = 0

    def add(self, pixels_srgb: UInt8[np.ndarray, "height width 3"], time_s: float) -> None:
        """One more frame, shown from this time on; the last one as long as the shortest."""
        height, width = pixels_srgb.shape[:2]
        even = np.pad(pixels_srgb, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        picture = _av().VideoFrame.from_ndarray(even, format="rgb24")
        picture.pts, picture.time_base = round(time_s / self._BASE), self._BASE
        self._mux(picture)

    def close(self) -> None:
        """What the encoder still holds goes into the file."""
        self._mux(None)

    def _mux(self, picture: Any) -> None:
        for packet in self._stream.encode(picture):
            # The next one's time says how long each lasts, and of the last one nothing else does.
            if self._last_pts is not None:
                step = packet.pts - self._last_pts
                self._shortest = min(step, self._shortest or step)
                packet.duration = self._shortest
            self._last_pts = packet.pts
            self._container.mux(packet)


def _packets(container: Any, stream: Any) -> Iterator[Any]:
    """Until the file ends, or what is left of it can't be told apart any more."""
    with contextlib.suppress(_av().error.FFmpegError):
        yield from container.demux(stream)


def _duration_s(stream: Any) -> float | None:
    if stream.duration is not None:
        return float(stream.duration * stream.time_base)
    microseconds = stream.container.duration
    return None if microseconds is None else microseconds / 1e6


def _av() -> Any:
    try:
        import av
    except ImportError as error:
        raise InputError(
            'Videos are read and written by PyAV: pip install "fit3dmm[video]".'
        ) from error
    return av
