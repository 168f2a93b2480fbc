"""What people ask of a face: shapes, pictures, edits that leave the fit and its texture alone."""

import builtins
import pickle

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image

import fit3dmm
from fit3dmm._errors import InputError
from fit3dmm.colour import srgb_to_linear
from fit3dmm.export import texture as export_texture
from fit3dmm.face import skin
from fit3dmm.face.face import Face
from fit3dmm.face.fit import load_face
from fit3dmm.fitting.result import FitResult
from fit3dmm.render import synthesise
from fit3dmm.scene import Lighting
from tests.export.faces import known_face


def test_it_is_the_result_of_the_fit(face):
    assert isinstance(face, FitResult)
    assert isinstance(face, fit3dmm.Face)
    assert face.quality.verdict in ("good", "doubtful", "failed")
    assert face.scene is face.shown
    assert "\n" not in repr(face)
    assert len(repr(face)) < 120
    assert face.observation.name in repr(face)


def test_shapes_are_those_of_the_model(face):
    model, scene = face.morphable, face.scene
    points = model.shape_mm(scene.coefficients).numpy()
    np.testing.assert_array_equal(face.vertices_mm, points)
    at_rest = model.shape_mm(scene.coefficients.neutral()).numpy()
    np.testing.assert_array_equal(face.neutral_vertices_mm, at_rest)
    assert face.triangles.max() == len(points) - 1
    # Landmarks lie on the surface, and where the photo shows them.
    near_mm = np.linalg.norm(face.landmarks_mm[:, None] - points[None], axis=-1).min(1)
    assert near_mm.max() < 15  # an edge of the toy's coarse mesh
    camera = scene.camera.opencv_matrix().numpy()
    cam = (scene.pose.T_cam_model @ torch.from_numpy(face.landmarks_mm)).numpy() * [1, -1, -1]
    px = cam @ camera.T
    np.testing.assert_allclose(face.landmarks_px, px[:, :2] / px[:, 2:], atol=1e-2)


def test_depth_has_the_photos_pixels(face):
    depth = face.depth_mm
    assert depth.shape == (face.photo.height_px, face.photo.width_px)
    drawn = synthesise(face.morphable, face.scene, silhouettes=False).depth_mm.numpy()
    both = np.isfinite(depth) & (drawn > 0)
    assert both.sum() > 0.99 * (drawn > 0).sum()
    assert np.abs(depth[both] - drawn[both]).mean() < 0.01


def test_an_expression_is_an_edit_of_what_is_shown(face):
    open_mouth = face.with_expression("neutral", jawOpen=0.8)
    assert open_mouth.expression["jawOpen"] == pytest.approx(0.8)
    assert sum(map(abs, open_mouth.expression.values())) == pytest.approx(0.8)
    both = open_mouth.with_expression(mouthSmileLeft=0.5)
    assert both.expression["jawOpen"] == pytest.approx(0.8)
    basis = face.morphable.surface.lift(face.morphable.expression_basis_mm[0]).numpy()
    expected = face.neutral_vertices_mm + 0.8 * basis
    np.testing.assert_allclose(open_mouth.vertices_mm, expected, atol=1e-3)
    # The fit is what it was.
    assert both.scene is face.scene
    assert both.quality is face.quality
    back = both.with_expression("fitted").vertices_mm
    np.testing.assert_allclose(back, face.vertices_mm, atol=1e-4)


def test_edits_never_bake_the_texture_anew(face, monkeypatch):
    """Through another expression than the fitted one lips would be taken for cheeks."""
    seen = []
    bake = export_texture.bake

    def counted(model, shown, *rest):
        seen.extend(one.scene for one in shown)
        return bake(model, shown, *rest)

    monkeypatch.setattr(skin, "bake", counted)
    fresh = face.replace(skin=skin.baked(face, face.photo, face.morphable, 64))
    edited = fresh.with_expression("neutral", jawOpen=1.0).relit("side")
    texture = edited.texture
    edited.render(32)
    assert texture is fresh.texture
    # The second one has the folds of the photo's expression.
    assert all(scene is face.scene for scene in seen)
    assert len(seen) == 1 + (edited.worn_texture is not texture)
    with pytest.raises(ValueError, match="read-only"):
        texture[0] = 0


def test_pictures(face):
    front = face.render(96)
    assert front.size == (96, 96)
    pixels = np.asarray(front).astype(int)
    assert np.abs(pixels[0, 0] - 236).max() <= 1
    assert pixels[48, 48, 0] > pixels[48, 48, 1] > pixels[48, 48, 2]  # skin
    for how in (
        {"yaw_deg": 40},
        {"pitch_deg": 30},
        {"roll_deg": 30},
        {"light": "side"},
        {"light": Lighting.ambient_white(0.2)},
        {"expression": {"jawOpen": 1.0}},
        {"textured": False},
        {"background": "navy"},
    ):
        assert np.abs(np.asarray(face.render(96, **how)).astype(int) - pixels).max() > 40, how
    clay = np.asarray(face.render(96, textured=False, light="studio")).astype(int)
    assert np.ptp(clay, axis=-1).max() <= 1


def test_the_texture_in_its_own_light_gives_the_photo_back(face):
    """Drawn from the fitted pose, the avatar is the photo where the photo shows the face."""
    side = max(face.photo.width_px, face.photo.height_px)
    over = np.asarray(face.render(side, over_photo=True)).astype(float)
    photo = face.photo.pixels_srgb.numpy().astype(float)
    assert over.shape == photo.shape
    # Bytes, on average over the whole photo, against those of a wrong pose.
    moved = np.asarray(face.render(side, over_photo=True, yaw_deg=60))
    assert np.abs(over - photo).mean() < 0.25 * np.abs(moved - photo).mean()
    assert np.abs(over - photo).mean() < 1


def test_half_the_pixels_show_the_same(face):
    large = face.render(128, light="studio")
    small = np.asarray(face.render(64, light="studio")).astype(float)
    linear = srgb_to_linear(torch.from_numpy(np.asarray(large) / 255.0)).numpy()
    averaged = linear.reshape(64, 2, 64, 2, 3).mean((1, 3))
    here = srgb_to_linear(torch.from_numpy(small / 255)).numpy()
    assert np.abs(averaged - here).mean() < 0.01


def test_make_up_colours_its_place_alone(face):
    bare = face.texture.astype(int)
    red = face.with_make_up(lips="#ff0000", strength=1.0)
    painted = red.texture.astype(int)
    changed = np.abs(painted - bare).max(-1) > 30
    assert 0.001 < changed.mean() < 0.2
    assert painted[changed][:, 0].mean() > 2 * painted[changed][:, 1].mean()
    assert (face.with_make_up(lips="red", strength=0.0).texture == bare).all()
    for place in ("cheeks", "lids"):
        other = face.with_make_up(**{place: "blue"}).texture.astype(int)
        assert (np.abs(other - bare).max(-1) > 10).any(), place
    # It is on the avatar as well, and off again by the same word.
    assert red.with_make_up().texture is face.texture


def test_a_turntable_is_a_video(face, tmp_path):
    """What is read back are the views themselves, in order, over four seconds."""
    av = pytest.importorskip("av", reason="PyAV writes videos")
    path = face.turntable(tmp_path / "turn.mp4", size_px=63, n_frames=6)
    with av.open(str(path)) as file:
        (stream,) = file.streams.video
        assert stream.codec_context.name == "h264"
        assert float(stream.duration * stream.time_base) == pytest.approx(4)
        read = [frame.to_ndarray(format="rgb24").astype(float) for frame in file.decode(stream)]
    assert len(read) == 6
    assert read[0].shape == (64, 64, 3)
    for k in (0, 2):
        drawn = np.asarray(face.render(63, yaw_deg=60.0 * k)).astype(float)
        # Lossy, with colours at half the resolution.
        off = [np.abs(one[:63, :63] - drawn).mean() for one in read]
        assert np.argmin(off) == k
        assert off[k] < 6


def test_without_pyav_a_video_is_refused_with_a_sentence(face, tmp_path, monkeypatch):
    real = builtins.__import__

    def without(name, *rest):
        if name == "av":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InputError, match=r"PyAV: pip install \"fit3dmm\[video\]\""):
        face.turntable(tmp_path / "turn.mp4")
    assert not list(tmp_path.iterdir())


def test_turntables(face, tmp_path):
    gif = face.turntable(tmp_path / "turn.gif", size_px=32, n_frames=5)
    with Image.open(gif) as picture:
        assert picture.n_frames == 5
        assert picture.size == (32, 32)
    sheet = face.turntable(str(tmp_path / "turn.png"), size_px=32, n_frames=10)
    with Image.open(sheet) as picture:
        assert picture.size == (8 * 32, 2 * 32)
        first = np.asarray(picture)[:32, :32]
    np.testing.assert_array_equal(first, np.asarray(face.render(32)))
    with pytest.raises(InputError, match=r"turntable is a .gif, .mp4 or .png"):
        face.turntable(tmp_path / "turn.avi")
    with pytest.raises(InputError, match="one view at least"):
        face.turntable(tmp_path / "turn.gif", n_frames=0)


def test_meshes_and_avatars(face, tmp_path):
    mesh = face.with_expression(jawOpen=1.0).mesh()
    assert mesh.is_winding_consistent
    assert mesh.visual.material.baseColorTexture.size == face.texture.shape[1::-1]
    assert {tuple(p) for p in mesh.vertices.round(3)} == {
        tuple(p) for p in face.with_expression(jawOpen=1.0).vertices_mm.astype(float).round(3)
    }
    path = face.with_make_up(lips="crimson").to_glb(tmp_path / "face.glb")
    assert trimesh.load(path).geometry
    face.export(tmp_path / "all")
    assert (tmp_path / "all" / "report.html").is_file()


def test_without_trimesh(face, monkeypatch):
    real = builtins.__import__

    def without(name, *rest):
        if name == "trimesh":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InputError, match="pip install trimesh"):
        face.mesh()


def test_notebooks(face):
    html = face._repr_html_()
    assert html.count("data:image/jpeg") == 3
    assert "&lt;Face" in html
    assert face.replace(photo=None)._repr_html_().count("data:image/jpeg") == 1


def test_what_cannot_be_done_gets_a_sentence(face, tmp_path):
    for call, sentence in (
        (lambda: face.with_expression(jawOpn=1), "did you mean 'jawOpen'"),
        (lambda: face.with_expression(jawOpen=float("nan")), "must be a number"),
        (lambda: face.with_expression("asleep"), "starts from shown, fitted, neutral"),
        (lambda: face.relit("dark"), "There is no light 'dark'"),
        (lambda: face.render(light="dark"), "There is no light 'dark'"),
        (lambda: face.render(background="bright"), "'bright' is no colour"),
        (lambda: face.render(0), "1 to 8192 px on a side"),
        (lambda: face.with_hair("curly"), "Hair has volume or flat"),
        (lambda: face.with_make_up(lips="redd"), "'redd' is no colour"),
        (lambda: face.with_make_up(lips="red", strength=2), "must be 0 to 1"),
        (lambda: face.replace(photo=None).render(over_photo=True), "came without its photo"),
        (lambda: face.replace(photo=None).export(tmp_path), "came without its photo"),
    ):
        with pytest.raises(InputError, match=sentence):
            call()


def test_a_face_comes_back_from_its_folder(face, tmp_path):
    face.export(tmp_path / "face")
    model = face.morphable
    back = load_face(tmp_path / "face", model=model)
    assert isinstance(back, Face)
    np.testing.assert_array_equal(back.vertices_mm, face.vertices_mm)
    np.testing.assert_array_equal(back.texture, face.texture)
    with_photo = load_face(tmp_path / "face" / "fit.h5", face.photo, model)
    assert with_photo.render(64, over_photo=True).size == face.render(64, over_photo=True).size
    (tmp_path / "face" / "texture.png").unlink()
    with pytest.raises(InputError, match="give the photo, and it is made anew"):
        _ = load_face(tmp_path / "face", model=model).texture
    again = load_face(tmp_path / "face", face.photo, model)
    np.testing.assert_array_equal(again.texture, face.texture)
    with pytest.raises(InputError, match="give the photo that was fitted"):
        load_face(tmp_path / "face", known_face(side_px=200).photo, model)


def test_what_is_saved_of_a_face_is_the_fit(face, tmp_path):
    edited = face.with_expression("neutral", jawOpen=1.0)
    fit3dmm.save_result(tmp_path / "fit.h5", edited)
    read = fit3dmm.load_result(tmp_path / "fit.h5")
    assert type(read) is FitResult
    torch.testing.assert_close(
        read.scene.coefficients.expression, face.scene.coefficients.expression
    )


def test_faces_move_like_other_records(face):
    moved = face.to(dtype=torch.float64)
    assert moved.vertices_mm.dtype == np.float64
    assert pickle.loads(pickle.dumps(face.scene)).camera.width_px == face.scene.camera.width_px
