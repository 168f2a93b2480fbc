"""`fit3dmm track`, from a video file to a folder."""

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fit3dmm._errors import InputError
from fit3dmm._video import writing_video
from fit3dmm.cli.main import main
from fit3dmm.export.track_file import load_track
from fit3dmm.face import track as track_module
from fit3dmm.fitting import preset
from fit3dmm.fitting.tracking import KeyFrames, TrackConfig, without_network
from fit3dmm.fitting.tracking import segments as segments_module

pytest.importorskip("av", reason="needs PyAV, an extra")
ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "data/examples/astronaut.png"
N, EMPTY, SIDE_PX = 6, 3, 320
QUICK = without_network(
    TrackConfig(
        person=preset("landmarks"), key_frames=KeyFrames(n=1, n_candidates=3), look_ahead_s=0.05
    )
)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A portrait that moves to the right, and is away in one frame."""
    path = tmp_path_factory.mktemp("clip") / "portrait.mp4"
    picture = Image.open(EXAMPLE).convert("RGB")
    with writing_video(path, SIDE_PX, SIDE_PX) as writer:
        for k in range(N):
            shown = picture.crop((60 - 4 * k, 0, 60 - 4 * k + SIDE_PX, SIDE_PX))
            pixels = np.zeros((SIDE_PX, SIDE_PX, 3), np.uint8) if k == EMPTY else np.asarray(shown)
            writer.add(pixels, k / 25)
    return path


@pytest.fixture(scope="module")
def few_at_a_time():
    """Segments of two frames."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(segments_module, "N_FRAMES", 2)
        yield


@pytest.fixture(scope="module")
def whole(clip, few_at_a_time, tmp_path_factory):
    """The folder of a run that nobody stopped."""
    out = tmp_path_factory.mktemp("whole") / "out"
    track_module.track(clip, out, config=QUICK, write=("csv",))
    return out


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


def test_a_stopped_run_goes_on_and_ends_as_if_it_had_not_been(clip, whole, tmp_path):
    whole = load_track(whole / "track.h5")
    assert whole.gaps() == ((EMPTY, EMPTY),)
    # The camera stands still, and the face moves by 4 px a frame.
    x_mm = whole.pose.translation_mm[whole.found, 0]
    px_per_mm = float(whole.camera.focal_px / -whole.pose.translation_mm[0, 2])
    assert float((x_mm[-1] - x_mm[0]) * px_per_mm) == pytest.approx(4 * (N - 1), abs=2)

    def killed(doing: str, done: int, total: int) -> None:
        if doing == track_module.FOLLOWING and done == 5:
            raise KeyboardInterrupt

    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        track_module.track(clip, out, config=QUICK, write=("csv",), progress=killed)
    assert not out.exists()
    assert leftovers(tmp_path) == [".fit3dmm-track-out"]
    begun = []
    again = track_module.track(
        clip, out, config=QUICK, write=("csv",), progress=lambda *what: begun.append(what)
    )
    # Key frames and the first segments are not done again.
    assert begun[0][:2] in [(track_module.FOLLOWING, done) for done in (2, 4)]
    assert leftovers(tmp_path) == []
    for name in ("expression", "landmark_error_mm"):
        np.testing.assert_array_equal(getattr(again, name), getattr(whole, name))
    np.testing.assert_array_equal(again.pose.translation_mm, whole.pose.translation_mm)
    names = {path.name for path in out.iterdir()}
    assert names == {".fit3dmm.json", "track.h5", "blendshapes.csv", "livelink.csv"}
    # A third run finds the result, and another video's is not replaced.
    assert load_track(out / "track.h5").found.tolist() == whole.found.tolist()
    stamp = (out / "track.h5").stat().st_mtime_ns
    begun.clear()
    track_module.track(clip, out, config=QUICK, write=("csv",), progress=lambda *w: begun.append(w))
    assert (begun, (out / "track.h5").stat().st_mtime_ns) == ([], stamp)
    other = shutil.copy(clip, tmp_path / "other.mp4")
    with pytest.raises(InputError, match="holds the result of"):
        track_module.track(other, out, config=QUICK)


_WAITS_TO_BE_KILLED = """
import sys, time
from pathlib import Path
from tests.cli.test_track import QUICK, segments_module, track_module

def show(doing, done, total):
    if doing == track_module.FOLLOWING and done == 5:
        Path(sys.argv[3]).touch()
        time.sleep(600)

segments_module.N_FRAMES = 2
track_module.track(sys.argv[1], sys.argv[2], config=QUICK, write=("csv",), progress=show)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_nothing_that_a_run_had_done_is_lost_or_changed_by_sigkill(clip, whole, tmp_path):
    out, there = tmp_path / "out", tmp_path / "there"
    words = (sys.executable, "-c", _WAITS_TO_BE_KILLED, str(clip), str(out), str(there))
    with subprocess.Popen(words, cwd=ROOT) as run:
        while not there.exists():
            assert run.poll() is None, "the run ended by itself"
            time.sleep(0.05)
        run.kill()
    assert run.returncode == -signal.SIGKILL
    # It could tidy up nothing; there is no result, and all that was finished.
    assert not out.exists()
    kept = {path.name for path in (tmp_path / ".fit3dmm-track-out").iterdir()}
    assert {"key", "learned.h5", "part-0000000.h5"} <= kept
    begun = []
    track_module.track(
        clip, out, config=QUICK, write=("csv",), progress=lambda *what: begun.append(what)
    )
    assert begun[0][0] == track_module.FOLLOWING
    assert begun[0][1] in (2, 4)
    for name in ("track.h5", "blendshapes.csv", "livelink.csv"):
        assert (out / name).read_bytes() == (whole / name).read_bytes(), name
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "there"]


def test_a_video_without_a_face_is_said_in_a_sentence(tmp_path, capsys):
    with writing_video(tmp_path / "grey.mp4", 64, 64) as writer:
        for k in range(3):
            writer.add(np.full((64, 64, 3), 90, np.uint8), k / 10)
    out = tmp_path / "out"
    assert main(["track", str(tmp_path / "grey.mp4"), "--out", str(out)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("fit3dmm: No face was found in 3 frames of the video")
    assert (out.exists(), leftovers(tmp_path)) == (False, [])


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["none.mp4"], "there is no such file"),
        (["none.mp4", "--key-frames", "0"], "1 to 50, got 0"),
        (["none.mp4", "--write", "gbl"], "did you mean 'glb'"),
    ],
)
def test_what_can_t_be_is_said_before_anything_is_done(
    words, sentence, capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert main(["track", *words]) == 2
    assert sentence in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
