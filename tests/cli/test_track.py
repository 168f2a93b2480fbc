"""`fit3dmm track`, from a video file to a folder."""

import shutil
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
EXAMPLE = Path(__file__).parents[2] / "data/examples/astronaut.png"
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


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


def test_a_killed_run_goes_on_and_ends_as_if_it_had_not_been(clip, tmp_path, monkeypatch):
    monkeypatch.setattr(segments_module, "N_FRAMES", 2)
    whole = track_module.track(clip, config=QUICK)
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
