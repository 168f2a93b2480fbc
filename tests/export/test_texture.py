"""Textures: the albedo that was photographed comes back, and what is unseen is filled."""

import numpy as np
import pytest
import torch

from fit3dmm import InputError
from fit3dmm._threads import torch_threads
from fit3dmm.colour import srgb_to_linear
from fit3dmm.export.occlusion import OcclusionSettings
from fit3dmm.export.organs import organs
from fit3dmm.export.texels import in_texels, padded, texel_fragments
from fit3dmm.export.texture import Shown, TextureSettings, bake_texture, bake_together
from fit3dmm.export.tint import TintSettings, smooth_tint
from fit3dmm.geometry.camera import Camera
from fit3dmm.model.files import load_model
from fit3dmm.scene import Lighting, Pose, Scene
from tests.export.faces import known_face, photo_of

SIZE_PX = 256


def baked_linear(model, scene, photo) -> torch.Tensor:
    texture = bake_texture(model, scene, photo, SIZE_PX)
    assert texture.shape == (SIZE_PX, SIZE_PX, 3)
    return srgb_to_linear(torch.from_numpy(texture).float() / 255)


def in_uv(model, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Vertex values in texture space, and where there is surface."""
    fragments = texel_fragments(model.surface, SIZE_PX)
    return in_texels(values, model.surface, fragments), fragments.covered[0]


def skin_in_uv(model, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The same, and where there is surface that is none of an eye, which is a clean one."""
    flat, covered = in_uv(model, torch.cat([values, organs(model)[:, None]], 1))
    return flat[..., :-1], covered & (flat[..., -1] == 0)


def test_the_photographed_albedo_comes_back_without_the_light():
    known = known_face()
    truth = known.model.albedo_linear(known.scene.coefficients)
    # The fit knows the shape and the light, and takes the albedo for the model's mean.
    mean = known.scene.coefficients.replace(albedo=torch.zeros(4))
    texture = baked_linear(known.model, known.scene.replace(coefficients=mean), known.photo)
    expected, covered = in_uv(
        known.model, torch.cat([truth, known.model.regions["face"][:, None]], 1)
    )
    face = covered & (expected[..., 3] > 0.5)
    error = (texture - expected[..., :3]).abs()[face] / expected[..., :3][face].clamp_min(0.02)
    # 8-bit photos and textures of 2-mm pixels; the mean albedo is 10 % off.
    assert error.median() < 0.03
    assert (error < 0.1).float().mean() > 0.8
    # What no photo shows, the back of the head, takes the tint of the face.
    back = covered & (expected[..., 3] == 0)
    ratio = (texture[back] / expected[..., :3][back].clamp_min(0.02)).median()
    assert abs(ratio - 1) < 0.1


def test_the_unseen_side_is_filled_from_the_mirrored_one():
    known = known_face(yaw_rad=0.8)
    model, coefficients = known.model, known.scene.coefficients
    # Green cheeks in the photo that the model knows nothing of.
    rest = model.mean_mm.new_tensor([1.0, 0, 0])
    shape = model.shape_mm(model.zeros())
    spot = (-((shape[:, 0].abs() - 40) ** 2 + (shape[:, 1] + 20) ** 2) / 300).exp()
    spot = spot * (shape[:, 2] > 0)
    painted = model.replace(
        albedo_mean_linear=model.albedo_mean_linear * (1 - 0.3 * spot[:, None] * rest)
    )
    photo = photo_of(painted, known.scene)
    texture = baked_linear(model, known.scene, photo)
    marks = torch.stack([spot * (shape[:, 0] > 0), spot * (shape[:, 0] < 0)], 1)
    expected, covered = in_uv(model, torch.cat([marks, model.albedo_linear(coefficients)], 1))
    for side in (0, 1):
        here = covered & (expected[..., side] > 0.7)
        red = (texture[..., 0] / expected[..., 2])[here].median()
        # Paint takes away a quarter of the red there.
        assert 0.65 < red < 0.87, side
    # The subject's left half faces away: without the mirror it has no paint.
    lone = model.surface.mirror.new_tensor(range(model.n_vertices))
    unmirrored = model.replace(surface=model.surface.replace(mirror=lone))
    texture = baked_linear(unmirrored, known.scene, photo)
    sides = [
        float((texture[..., 0] / expected[..., 2])[covered & (expected[..., s] > 0.7)].median())
        for s in (0, 1)
    ]
    assert max(sides) > 0.93


def test_where_a_colour_has_no_light_the_texture_is_filled():
    """A lamp from the side whose red the harmonics take below zero on the other side."""
    known = known_face(yaw_rad=0.0)
    red = torch.tensor([1.0, 0.0, 0.0])
    light = Lighting.ambient_white(0.6) + Lighting.directional([1.0, 0.0, 0.4], 0.9 * red)
    light = Lighting(light.irradiance_sh - Lighting.ambient_white(0.6).irradiance_sh * red)
    scene = known.scene.replace(lighting=light)
    # The room gives the dark side a little red, which the fit missed.
    room = Lighting(light.irradiance_sh + Lighting.ambient_white(0.1).irradiance_sh * red)
    photo = photo_of(known.model, scene.replace(lighting=room))
    texture = baked_linear(known.model, scene, photo)
    shape = known.model.shape_mm(known.model.zeros())
    dark = (shape[:, 0] < -40) & (shape[:, 2] > 20) & (known.model.regions["face"] > 0.5)
    truth = known.model.albedo_linear(known.scene.coefficients)
    expected, covered = in_uv(known.model, torch.cat([truth, dark[:, None].float()], 1))
    there = covered & (expected[..., 3] > 0.9)
    assert there.any()
    ratio = texture[there] / expected[..., :3][there].clamp_min(0.02)
    # A fifth is what the fit missed on the lit side, whose tint goes on. Divided by what light
    # there is, the dark side would be off by twice as much.
    assert (ratio[:, 0] - 1).abs().median() < 0.25


def test_hair_and_glare_are_left_out():
    known = known_face(yaw_rad=0.0)
    picture = known.photo.pixels_srgb.clone()
    middle = known.scene.camera.project(
        known.scene.pose.T_cam_model @ torch.tensor([[0.0, 75.0, 70.0]])
    )[0].int()
    x, y = middle.tolist()
    for colour in ((15, 10, 5), (250, 250, 250)):
        spoilt = picture.clone()
        spoilt[y - 20 : y + 20, x - 40 : x + 40] = torch.tensor(colour, dtype=torch.uint8)
        photo = known.photo.replace(pixels_srgb=spoilt)
        texture = baked_linear(known.model, known.scene, photo)
        truth = known.model.albedo_linear(known.scene.coefficients)
        shape = known.model.shape_mm(known.model.zeros())
        spot = (shape - torch.tensor([0.0, 75.0, 70.0])).norm(dim=1, keepdim=True)
        expected, covered = in_uv(known.model, torch.cat([truth, spot], 1))
        there = covered & (expected[..., 3] < 12)
        assert there.any()
        ratio = (texture[there] / expected[..., :3][there]).median()
        assert abs(ratio - 1) < 0.15, colour


def test_no_texel_is_left_empty():
    known = known_face()
    texture = baked_linear(known.model, known.scene, known.photo)
    assert texture.amax(-1).min() > 0.02
    covered = np.zeros((4, 4), bool)
    covered[1, 2] = True
    values = np.zeros((4, 4, 3))
    values[1, 2] = [1, 2, 3]
    assert (padded(values, covered) == [1, 2, 3]).all()
    assert (padded(values, np.zeros((4, 4), bool)) == values).all()


def test_a_head_outside_the_photo_keeps_the_fitted_albedo():
    known = known_face()
    away = known.scene.pose.replace(translation_mm=torch.tensor([900.0, 0.0, -700.0]))
    texture = baked_linear(known.model, known.scene.replace(pose=away), known.photo)
    albedo = known.model.albedo_linear(known.scene.coefficients).clamp(0.003, 1)
    expected, skin = skin_in_uv(known.model, albedo)
    # A byte of sRGB is up to 0.009 of linear light.
    assert (texture - expected)[skin].abs().max() < 0.01


def test_tint_is_smooth_robust_and_everywhere():
    surface = known_face().model.surface
    seen = torch.zeros(surface.n_vertices)
    seen[: surface.n_vertices // 2] = 1
    log_ratio = np.full((surface.n_vertices, 3), 0.2, np.float32)
    log_ratio[::7] = -2.0
    field = smooth_tint(log_ratio, seen.numpy(), surface, TintSettings())
    # Outliers of 2.2 with a weight of a thousandth pull by less than a hundredth.
    np.testing.assert_allclose(field, 0.2, atol=0.02)
    # What is not seen may be anything.
    log_ratio[seen.numpy() == 0] = np.nan
    np.testing.assert_array_equal(
        smooth_tint(log_ratio, seen.numpy(), surface, TintSettings()), field
    )
    # Of a photo that shows nothing there is no tint.
    nothing = smooth_tint(log_ratio, np.zeros(len(seen), np.float32), surface, TintSettings())
    np.testing.assert_array_equal(nothing, 0)


@pytest.mark.parametrize("size_px", [0, 63, 10000])
def test_sizes_that_cannot_be(size_px):
    known = known_face()
    with pytest.raises(InputError, match=r"must be 64\.\.8192"):
        bake_texture(known.model, known.scene, known.photo, size_px)


def test_what_an_open_eye_folds_away_is_not_taken_from_the_photo():
    model = load_model("commons")
    pose = Pose(torch.tensor([0.0, 0.0, 0.0]), torch.tensor([0.0, 0.0, -700.0]))
    camera = Camera.centred(1100.0, 400, 460)
    scene = Scene(model.zeros(), pose, camera, Lighting.ambient_white(0.8))
    shape = model.shape_mm(model.zeros())
    shut = model.zeros()
    for name in ("eyeBlinkLeft", "eyeBlinkRight"):
        shut.expression[model.expression_names.index(name)] = 1.0
    shut_mm = model.shape_mm(shut)
    travel = (shut_mm - shape).norm(dim=1)
    # The lid is where blinking more than doubles the length of edges.
    a, b = model.surface.topology.edges.long().unbind(1)
    drawn_out = (shut_mm[a] - shut_mm[b]).norm(dim=1) > 2.2 * (shape[a] - shape[b]).norm(dim=1)
    lid = torch.zeros(model.n_vertices, dtype=torch.bool)
    lid[torch.cat([a[drawn_out], b[drawn_out]])] = True
    lid &= model.regions["face"] > 0.9
    paint = torch.where((travel > 0.5)[:, None], torch.tensor([0.2, 0.9, 0.2]), 1.0)
    painted = model.replace(albedo_mean_linear=model.albedo_mean_linear * paint)
    with torch.no_grad(), torch_threads(1):
        photo = photo_of(painted, scene)
        texture = baked_linear(model, scene, photo)
    own, covered = in_uv(model, torch.cat([model.albedo_mean_linear, lid[:, None].float()], 1))
    there = covered & (own[..., 3] > 0.9)
    assert there.sum() > 20
    # The folded lid has the fitted red, and not a fifth of it as in the photo.
    assert (texture[..., 0] / own[..., 0])[there].median() > 0.7


def test_settings_decide_what_is_taken_from_the_photo():
    known = known_face()
    mean = known.scene.coefficients.replace(albedo=torch.zeros(4))
    scene = known.scene.replace(coefficients=mean)
    nothing = TextureSettings(grazing=(1.5, 2.0))  # no surface is seen that well
    texture = bake_texture(known.model, scene, known.photo, SIZE_PX, settings=nothing)
    expected, skin = skin_in_uv(known.model, known.model.albedo_linear(mean).clamp(0.003, 1))
    found = srgb_to_linear(torch.from_numpy(texture).float() / 255)
    # A byte of sRGB is up to 0.009 of linear light.
    assert (found - expected)[skin].abs().max() < 0.01
    usual = baked_linear(known.model, scene, known.photo)
    # The photo's albedo is 10 % off the mean.
    assert (usual - expected)[skin].abs().max() > 0.02


def test_settings_out_of_range_are_refused():
    with pytest.raises(InputError, match="hair_reach_mm must be above 0"):
        OcclusionSettings(hair_reach_mm=0.0)


def test_two_photos_show_what_each_hides():
    """From both sides, one of them dark: no side is guessed, and there is no seam."""
    left, right = known_face(yaw_rad=0.7), known_face(yaw_rad=-0.7)
    model, truth = left.model, left.scene.coefficients
    mean = truth.replace(albedo=torch.zeros(4))
    dark = right.scene.replace(lighting=0.4 * right.scene.lighting)
    # The fit takes the dark photo's light for brighter than it was.
    photos = [
        Shown(left.scene.replace(coefficients=mean), left.photo),
        Shown(right.scene.replace(coefficients=mean), photo_of(model, dark)),
    ]
    colours = model.albedo_linear(truth)
    rest = model.shape_mm(model.zeros())
    expected, covered = in_uv(
        model, torch.cat([colours, model.regions["face"][:, None], rest[:, :1]], 1)
    )
    face = covered & (expected[..., 3] > 0.5)

    def log_ratio(texture: np.ndarray) -> torch.Tensor:
        linear = srgb_to_linear(torch.from_numpy(texture).float() / 255)
        return (linear.clamp_min(0.01) / expected[..., :3].clamp_min(0.01)).log().mean(-1)

    together = log_ratio(bake_together(model, photos, SIZE_PX))
    sides = [together[face & (sign * expected[..., 4] > 15)].median() for sign in (-1, 1)]
    # Both sides have one brightness, though the photos differ by a factor of 2.5.
    assert abs(sides[0] - sides[1]) < 0.1
    spread = (together[face] - together[face].median()).abs()
    assert spread.median() < 0.05
    # The order in which they are given makes no difference.
    other = log_ratio(bake_together(model, photos[::-1], SIZE_PX))
    assert torch.allclose(other, together, atol=0.02)


def test_the_finer_photo_is_taken():
    fine, coarse = known_face(side_px=400), known_face(side_px=80)
    shown = [Shown(one.scene, one.photo) for one in (coarse, fine)]
    both, of_coarse, of_fine = (
        torch.from_numpy(bake_together(fine.model, some, SIZE_PX)).float()
        for some in (shown, shown[:1], shown[1:])
    )
    face, covered = in_uv(fine.model, fine.model.regions["face"][:, None])
    inner = covered & (face[..., 0] > 0.9)
    from_fine, from_coarse = ((both - one).abs()[inner].mean() for one in (of_fine, of_coarse))
    assert from_fine < 0.3 * from_coarse
