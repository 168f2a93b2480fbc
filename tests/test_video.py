"""Video files: what is written is read, whatever the rate, the flag and the damage."""

import struct
import sys
import wave

import numpy as np
import pytest

from fit3dmm._errors import InputError
from fit3dmm._video import VideoFile, writing_video

pytest.importorskip("av", reason="needs PyAV, an extra")
TIMES_S = [0.0, 0.02, 0.1, 0.4, 0.41, 1.5]
WIDTH, HEIGHT = 64, 48


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """The left half is red, the upper half gets green from frame to frame."""
    path = tmp_path_factory.mktemp("video") / "clip.mp4"
    with writing_video(path, WIDTH, HEIGHT) as writer:
        for k, time_s in enumerate(TIMES_S):
            pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
            pixels[:, : WIDTH // 2, 0] = 200
            pixels[: HEIGHT // 2, :, 1] = 40 * k
            writer.add(pixels, time_s)
    return path


def test_frames_come_back_with_their_times(clip):
    video = VideoFile(clip)
    frames = list(video.frames())
    assert [frame.index for frame in frames] == list(range(6))
    np.testing.assert_allclose([frame.time_s for frame in frames], TIMES_S, atol=1e-4)
    assert video.estimated_s == pytest.approx(1.5, abs=0.5)
    for k, frame in enumerate(frames):
        middles = frame.pixels_srgb[12::24, 16::32].astype(int)
        expected = [[[200, 40 * k, 0], [0, 40 * k, 0]], [[200, 0, 0], [0, 0, 0]]]
        assert np.abs(middles - expected).max() < 12
    assert len(list(video.frames())) == 6  # a second time, from the start


# Matrices of tkhd (ISO/IEC 14496-12, 8.3.2) that turn the picture clockwise, and where the corner
# that was at the top left lies then.
@pytest.mark.parametrize(
    ("matrix", "shape", "corner"),
    [
        ((0, 1, -1, 0), (WIDTH, HEIGHT), (0, -1)),
        ((-1, 0, 0, -1), (HEIGHT, WIDTH), (-1, -1)),
        ((0, -1, 1, 0), (WIDTH, HEIGHT), (-1, 0)),
    ],
    ids=["90", "180", "270"],
)
def test_a_flag_turns_the_picture(clip, tmp_path, matrix, shape, corner):
    encoded = bytearray(clip.read_bytes())
    place = encoded.index(struct.pack(">9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30),
                          encoded.index(b"tkhd"))  # fmt: skip
    a, b, c, d = (value << 16 for value in matrix)
    encoded[place : place + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path = tmp_path / "turned.mp4"
    path.write_bytes(encoded)
    last = list(VideoFile(path).frames())[-1].pixels_srgb
    assert last.shape == (*shape, 3)
    inner = last[6:-6, 6:-6].astype(int)
    assert np.abs(inner[corner] - [200, 200, 0]).max() < 20
    opposite = tuple(-1 - place for place in corner)
    assert inner[opposite].max() < 20


def test_what_is_no_video_is_said(clip, tmp_path, monkeypatch):
    with pytest.raises(InputError, match="there is no such file"):
        VideoFile(tmp_path / "none.mp4")
    with pytest.raises(InputError, match="it is a folder"):
        VideoFile(tmp_path)
    text = tmp_path / "text.mp4"
    text.write_text("no video")
    with pytest.raises(InputError, match="no video that FFmpeg reads"):
        VideoFile(text)
    with wave.open(str(tmp_path / "sound.wav"), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(16000))
    with pytest.raises(InputError, match="no video stream"):
        VideoFile(tmp_path / "sound.wav")
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(InputError, match=r"fit3dmm\[video\]"):
        VideoFile(clip)


def test_damage_costs_what_is_damaged_and_no_more(clip, tmp_path):
    encoded = bytearray(clip.read_bytes())
    begin = encoded.index(b"mdat") + 4
    sizes = [frame.picture.pts for frame in VideoFile(clip).frames()]
    assert len(sizes) == 6
    encoded[begin + 900 :] = encoded[begin + 900 :].replace(b"\x00\x00\x00", b"\xff\xff\xff", 1)
    path = tmp_path / "damaged.mp4"
    path.write_bytes(encoded)
    assert 0 < len(list(VideoFile(path).frames())) <= 6


def test_a_failed_writer_leaves_nothing(tmp_path):
    def fail() -> None:
        with writing_video(tmp_path / "new.mp4", 64, 48) as writer:
            writer.add(np.zeros((48, 64, 3), np.uint8), 0.0)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert not list(tmp_path.iterdir())
