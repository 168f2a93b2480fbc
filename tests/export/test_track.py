"""Tracks as files: what was followed is what is read, shown and played."""

import base64
import csv
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from fit3dmm._errors import InputError
from fit3dmm.export.animation import Animation, animation_of
from fit3dmm.export.glb import write_glb
from fit3dmm.export.track_file import load_track, save_track
from fit3dmm.export.track_folder import track_summary
from fit3dmm.export.track_preview import write_track_preview
from fit3dmm.export.track_tables import is_arkit, write_blendshapes, write_live_link
from fit3dmm.geometry.rotation import rotation_from_angles
from fit3dmm.model.files import load_model
from tests.export.faces import texture_png
from tests.export.gltf_reader import ReadAvatar
from tests.export.test_avatar_engines import in_browser, linked_three
from tests.export.test_glb import khronos_report
from tests.export.tracks import LOST, TIMES_S, known_track
from tests.toy import toy_model

KEPT = [k for k in range(len(TIMES_S)) if k != LOST]


@pytest.fixture(scope="module")
def model():
    return toy_model(1)


@pytest.fixture(scope="module")
def track(model):
    return known_track(model)


@pytest.fixture(scope="module")
def glb(model, track, tmp_path_factory):
    path = tmp_path_factory.mktemp("glb") / "face.glb"
    person = track.scene(0).coefficients
    write_glb(model, person, texture_png(), path, animation=animation_of(track))
    return path


def posed_mm(model, track, frame: int) -> np.ndarray:
    """The head in `cam`."""
    scene = track.scene(frame)
    return (scene.pose.T_cam_model @ model.shape_mm(scene.coefficients)).numpy()


def test_a_file_gives_the_track_back(track, tmp_path):
    save_track(tmp_path / "track.h5", track)
    read = load_track(tmp_path / "track.h5")
    for name in ("times_s", "found", "expression", "landmark_error_mm"):
        torch.testing.assert_close(getattr(read, name), getattr(track, name), equal_nan=True)
    assert read.config == track.config
    assert read.scene(3).camera.width_px == 320
    place_mm = track.scene(3).pose.translation_mm
    torch.testing.assert_close(read.scene(3).pose.translation_mm, place_mm)
    assert (read.gaps(), read.key_frames, read.expression_names) == (
        ((LOST, LOST),),
        (0, 3),
        track.expression_names,
    )
    (tmp_path / "cut.h5").write_bytes((tmp_path / "track.h5").read_bytes()[:2000])
    with pytest.raises(InputError, match=r"can't be read as a track"):
        load_track(tmp_path / "cut.h5")


def test_every_gap_is_told(track):
    lost = track.replace(found=torch.tensor([False, False, True, True, False]))
    assert lost.gaps() == ((0, 1), (4, 4))
    assert track.replace(found=torch.ones(5, dtype=torch.bool)).gaps() == ()
    (gap,) = track_summary(track)["gaps"]
    assert (gap["first_frame"], gap["from_s"]) == (LOST, TIMES_S[LOST])


def table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text(encoding="ascii").splitlines()))


def test_the_table_says_each_frame(track, tmp_path):
    write_blendshapes(track, tmp_path / "blendshapes.csv")
    rows = table(tmp_path / "blendshapes.csv")
    assert [float(row["time_s"]) for row in rows] == pytest.approx(list(TIMES_S))
    assert all(value == "" for name, value in rows[LOST].items() if name != "time_s")
    for k in KEPT:
        shown = [float(rows[k][name]) for name in track.expression_names]
        assert shown == pytest.approx(track.expression[k].tolist(), abs=1e-5)
        angles = [float(rows[k][f"head_{name}_deg"]) for name in ("pitch", "yaw", "roll")]
        np.testing.assert_allclose(
            rotation_from_angles(*angles), track.scene(k).pose.T_cam_model.rotation, atol=1e-5
        )
        assert float(rows[k]["head_z_mm"]) == pytest.approx(-650 - 5 * k)


def test_a_recording_has_its_app_s_columns(tmp_path):
    commons = load_model(level=0)
    track = known_track(commons)
    assert is_arkit(track)
    assert not is_arkit(known_track(toy_model(0)))
    write_live_link(track, tmp_path / "livelink.csv", 20.0)
    rows = table(tmp_path / "livelink.csv")
    assert [row["Timecode"] for row in rows] == [
        "00:00:00:00.000", "00:00:00:01.000", "00:00:00:06.000", "00:00:00:07.000",
    ]  # fmt: skip
    assert len(rows[0]) == 63
    assert rows[0]["BlendShapeCount"] == "61"
    named = dict(zip(track.expression_names, track.expression[3].tolist(), strict=True))
    for name, value in named.items():
        assert float(rows[2][name[0].upper() + name[1:]]) == pytest.approx(value, abs=1e-6)
    # Both eyes look to the subject's left by positive angles.
    away = named["eyeLookOutLeft"] - named["eyeLookInLeft"]
    assert float(rows[2]["LeftEyeYaw"]) == pytest.approx(np.radians(30 * away), abs=1e-5)


def animated(read: ReadAvatar, key: int) -> dict[tuple[int, str], np.ndarray]:
    """What the clip gives each node at a key, by the letter of the specification."""
    (animation,) = read.gltf.animations
    values = {}
    for channel in animation.channels:
        sampler = animation.samplers[channel.sampler]
        times, output = read.values(sampler.input)[:, 0], read.values(sampler.output)
        rows = output.reshape(len(times), -1)
        values[channel.target.node, channel.target.path] = rows[key]
    return values


def test_each_key_is_the_head_before_the_camera(model, track, glb):
    read = ReadAvatar(glb)
    sampler = read.gltf.animations[0].samplers[0]
    times = read.values(sampler.input)[:, 0]
    np.testing.assert_allclose(times, [TIMES_S[k] for k in KEPT], atol=1e-6)
    accessor = read.gltf.accessors[sampler.input]
    assert (accessor.min, accessor.max) == ([times.min()], [times.max()])
    root = read.gltf.nodes[0]
    inverse = read.values(read.gltf.skins[0].inverseBindMatrices).reshape(-1, 4, 4)[0].T
    bind_m = np.linalg.inv(inverse)
    for key, frame in enumerate(KEPT):
        given = animated(read, key)
        x, y, z, w = given[0, "rotation"]
        turn = np.array(
            [
                [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
                [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
                [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
            ]
        )
        (head,) = [k for k, n in enumerate(read.gltf.nodes) if n.name == "head_skin_mesh"]
        weights = given[head, "weights"]
        np.testing.assert_allclose(weights, track.expression[frame], atol=1e-6)
        shown = dict(zip(read.names("head_skin"), weights.tolist(), strict=True))
        # The reader leaves the first bone where it opens; its joint is taken out, and put in place.
        root.rotation, root.translation = None, bind_m[:3, 3].tolist()
        points = read.drawn("head_skin", shown).points_mm / 1000 - bind_m[:3, 3]
        placed = 1000 * (points @ turn.T + given[0, "translation"])
        expected = posed_mm(model, track, frame)
        # Vertices are split along seams and moved into parts: each is one of the model's.
        apart = np.linalg.norm(placed[::40, None] - expected[None], axis=2).min(axis=1)
        assert apart.max() < 0.05


def test_quaternions_go_the_short_way():
    turns = np.stack([rotation_from_angles(0.0, 45.0 * k, 0.0) for k in range(9)])
    n = len(turns)
    clip = Animation(
        "x", np.arange(n) / 10, (), np.zeros((n, 0)), turns, np.zeros((n, 3)), 1.0, 1.0
    )
    q = clip.quaternions
    assert ((q[1:] * q[:-1]).sum(axis=1) > 0.9).all()


def test_the_file_opens_at_its_first_key_with_the_camera_that_filmed(track, glb):
    read = ReadAvatar(glb)
    given = animated(read, 0)
    np.testing.assert_allclose(read.gltf.nodes[0].rotation, given[0, "rotation"], atol=1e-6)
    np.testing.assert_allclose(read.gltf.nodes[0].translation, given[0, "translation"], atol=1e-6)
    (camera,) = read.gltf.cameras
    assert np.tan(camera.perspective.yfov / 2) == pytest.approx(120 / 500)
    assert camera.perspective.aspectRatio == pytest.approx(320 / 240)


def test_khronos_finds_nothing(glb):
    issues = khronos_report(glb)["issues"]
    assert (issues["numErrors"], issues["numWarnings"]) == (0, 0), issues["messages"]


def test_three_js_plays_it(tmp_path):
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        pytest.skip("needs chromium, which runs three.js")
    model = load_model(level=1)
    track = known_track(model)
    linked_three(tmp_path)
    person = track.scene(0).coefficients
    write_glb(model, person, texture_png(), tmp_path / "face.glb", animation=animation_of(track))
    shutil.copy(Path(__file__).with_name("three_clip.html"), tmp_path)
    (tmp_path / "times.json").write_text(json.dumps([TIMES_S[k] for k in KEPT]))
    found = in_browser(browser, tmp_path, "three_clip.html")
    assert found["duration"] == pytest.approx(TIMES_S[-1], abs=1e-5)
    for shown, frame in zip(found["frames"], KEPT, strict=True):
        expected = posed_mm(model, track, frame)
        points = 1000 * np.array(shown["points"])
        apart = np.linalg.norm(points[:, None] - expected[None], axis=2).min(axis=1)
        assert apart.max() < 0.06
        # Through the file's own camera the head is where the video has it.
        png = base64.b64decode(shown["picture"].split(",")[1])
        drawn = np.asarray(Image.open(io.BytesIO(png)).convert("L")) > 0
        px = track.camera.project(torch.from_numpy(expected)).numpy()
        rows, columns = np.nonzero(drawn)
        low, high = np.maximum(px.min(axis=0), 0), np.minimum(px.max(axis=0), [320, 240])
        assert np.abs([columns.min() - low[0], columns.max() + 1 - high[0]]).max() < 1.5
        assert np.abs([rows.min() - low[1], rows.max() + 1 - high[1]]).max() < 1.5


def test_the_preview_shows_video_and_shape(model, track, tmp_path):
    video = pytest.importorskip("fit3dmm._video")
    pytest.importorskip("av", reason="needs PyAV, an extra")
    with video.writing_video(tmp_path / "clip.mp4", 320, 240) as writer:
        for time_s in TIMES_S:
            writer.add(np.full((240, 320, 3), [30, 90, 160], np.uint8), time_s)
    source = video.VideoFile(tmp_path / "clip.mp4")
    seen = []
    path = tmp_path / "preview.mp4"
    write_track_preview(track, source, model, path, lambda: seen.append(1))
    frames = list(video.VideoFile(path).frames())
    assert len(frames) == len(seen) == len(TIMES_S)
    np.testing.assert_allclose([f.time_s for f in frames], TIMES_S, atol=1e-3)
    for k, frame in enumerate(frames):
        left, right = np.split(frame.pixels_srgb.astype(int), 2, axis=1)
        assert np.abs(left - [30, 90, 160]).max() < 25
        changed = np.abs(right - [30, 90, 160]).max(axis=2) > 25
        if k == LOST:
            assert changed.mean() > 0.9  # grey, with a sentence
            continue
        x_px, y_px = track.camera.project(track.pose.translation_mm[k][None])[0].tolist()
        columns = np.nonzero(changed)[1]
        assert changed[int(y_px), int(x_px)]
        assert 0.05 < changed.mean() < 0.6
        assert abs(columns.mean() - x_px) < 25
