"""What a person looks like at rest, and the folds that come with the photo's expression."""

import numpy as np
import pytest
import torch

from fit3dmm.colour import linear_to_srgb, luminance, srgb_to_linear
from fit3dmm.export.avatar import avatar_vertices, make_avatar
from fit3dmm.export.driven import blended, movement_products_mm2, share_driven
from fit3dmm.export.lids import LidSettings, at_lashes
from fit3dmm.export.resting import from_rest, resting, usual_rest
from fit3dmm.export.texture import bake_texture, with_folds
from fit3dmm.geometry.camera import Camera
from fit3dmm.model.files import load_model
from fit3dmm.model.morphable import Coefficients, MorphableModel
from fit3dmm.observe.photo import photo_from_array
from fit3dmm.render import synthesise
from fit3dmm.scene import Lighting, Pose, Scene
from tests.toy import toy_model

SMILE = {"mouthSmileLeft": 0.7, "mouthSmileRight": 0.7, "cheekSquintLeft": 0.4}


@pytest.fixture(scope="module")
def model() -> MorphableModel:
    return load_model(level=1)


def showing(model: MorphableModel, start: torch.Tensor | None = None, **units: float):
    face = model.zeros() if start is None else model.zeros().replace(expression=start.clone())
    for name, value in units.items():
        face.expression[model.expression_names.index(name)] = value
    return face


def of(model: MorphableModel, values: torch.Tensor, *starts: str) -> torch.Tensor:
    named = [k for k, n in enumerate(model.expression_names) if n.startswith(starts)]
    return values[named]


def test_people_rest_with_lids_lower_and_lips_nearer_than_with_all_at_zero(model):
    rest = usual_rest(model)
    assert (rest >= 0).all()
    assert rest.max() < 0.4

    def lengths_mm(face: Coefficients) -> torch.Tensor:
        at = model.landmarks_mm("mediapipe478", face)
        pairs = torch.tensor([[159, 145], [386, 374], [13, 14], [61, 291]])
        return (at[pairs[:, 0]] - at[pairs[:, 1]]).norm(dim=1)

    right, left, gap, width = lengths_mm(showing(model, rest)) - lengths_mm(model.zeros())
    # The means of the people of whom the table was not made: 1.1, 0.5 and 1.1 mm, with standard
    # errors of 0.1, 0.1 and 0.3.
    for lids in (right, left):
        assert -1.4 < lids < -0.8
    assert -0.8 < gap < -0.3
    assert 0.5 < width < 1.8
    # Neither side of a mean face is another one's.
    names = list(model.expression_names)
    for name in names:
        other = name.replace("Left", "Right") if "Left" in name else name
        assert rest[names.index(name)] == rest[names.index(other)]


def test_a_calm_photo_shows_the_rest_itself_and_a_smile_says_nothing_of_it(model):
    usual = usual_rest(model)
    calm = showing(model, usual, eyeBlinkLeft=0.15, mouthPressLeft=0.1, browInnerUp=0.1)
    torch.testing.assert_close(resting(model, calm), calm.expression)
    smiling = showing(model, calm.expression, **SMILE)
    found = resting(model, smiling)
    others = [n for n in model.expression_names if n.startswith("mouth") and "Smile" not in n]
    torch.testing.assert_close(of(model, found, *others), of(model, usual, *others))
    # What of the smile is taken for the shape is not added again.
    assert (of(model, found, "mouthSmile") < of(model, usual, "mouthSmile")).all()
    # Neither of lids, which a smile narrows; but of brows, which it leaves alone.
    torch.testing.assert_close(of(model, found, "eye"), of(model, usual, "eye"))
    torch.testing.assert_close(of(model, found, "brow"), of(model, calm.expression, "brow"))


def test_a_mouth_at_rest_is_bent_no_more_the_broader_it_smiled(model):
    def bend_mm(expression: torch.Tensor) -> float:
        """Corners over the middle of the lips."""
        at = model.landmarks_mm("mediapipe478", model.zeros().replace(expression=expression))
        return float(at[[61, 291], 1].mean() - at[[13, 14], 1].mean())

    usual = usual_rest(model)
    bends = []
    for smile in (0.3, 0.6, 0.95):
        broad = showing(model, usual, jawOpen=0.2, mouthSmileLeft=smile, mouthSmileRight=smile)
        assert bend_mm(broad.expression) > bend_mm(usual) + 2
        bends.append(bend_mm(resting(model, broad)))
    assert max(bends) - min(bends) < 0.02
    assert bend_mm(usual) - 0.6 < bends[0] < bend_mm(usual) - 0.2


def test_shut_eyes_and_raised_brows_are_no_rest(model):
    usual = usual_rest(model)
    shown = showing(model, usual, eyeBlinkLeft=1.0, eyeBlinkRight=1.0, browInnerUp=1.0)
    shown = showing(model, shown.expression, browOuterUpLeft=0.9, browOuterUpRight=0.9)
    torch.testing.assert_close(resting(model, shown), usual)


def test_of_several_photos_the_calm_ones_count(model):
    usual = usual_rest(model)
    calm = [showing(model, usual, browInnerUp=value, eyeBlinkLeft=0.1) for value in (0.1, 0.3)]
    smiling = showing(model, usual, **SMILE)
    found = resting(model, *calm, smiling)
    assert found[model.expression_names.index("eyeBlinkLeft")] == pytest.approx(0.1)
    assert found[model.expression_names.index("mouthSmileLeft")] == pytest.approx(
        float(usual[model.expression_names.index("mouthSmileLeft")])
    )
    alone = resting(model, smiling)[model.expression_names.index("mouthSmileLeft")]
    assert alone < found[model.expression_names.index("mouthSmileLeft")]
    assert 0.1 < found[model.expression_names.index("browInnerUp")] < 0.3


def test_a_model_of_which_nothing_is_known_rests_at_zero():
    toy = toy_model(1)
    shown = toy.zeros().replace(expression=torch.full((toy.n_expression,), 0.3))
    assert not resting(toy, shown).any()


def test_targets_lead_from_rest_to_the_full_movement_and_to_the_fitted_face(model):
    rest = resting(model, showing(model, None, **SMILE))
    face = showing(model, rest, jawOpen=0.4, eyeBlinkLeft=1.0, mouthSmileLeft=0.6)
    head = make_avatar(model, face, rest=rest).parts[0]
    vertex = avatar_vertices(model)[head.name]
    at_rest = model.shape_mm(showing(model, rest))[vertex].numpy()
    np.testing.assert_allclose(head.positions_mm, at_rest, atol=1e-4)

    def driven(weights: dict[str, float]) -> np.ndarray:
        points = head.positions_mm.copy()
        for target in head.targets:
            points[target.rows] += weights.get(target.name, 0.0) * target.shift_mm
        return points

    shown = {target.name: target.weight for target in head.targets}
    truth = model.shape_mm(face)[vertex].numpy()
    np.testing.assert_allclose(driven(shown), truth, atol=0.1)
    blink = showing(model, rest, eyeBlinkRight=1.0)
    shut = model.shape_mm(blink)[vertex].numpy()
    np.testing.assert_allclose(driven({"eyeBlinkRight": 1.0}), shut, atol=0.02)
    back = rest + (1 - rest) * from_rest(face.expression, rest)
    torch.testing.assert_close(back, face.expression)


def test_lashes_line_a_lids_whole_margin_and_not_the_lid(model):
    lashes = at_lashes(model, LidSettings())
    points = model.shape_mm(model.zeros())
    marks = model.landmarks["mediapipe478"].locate(points, model.surface.triangles)
    away = points - marks[386]
    skin = (model.regions["face"] > 0.9) & ~model.in_parts("eye_left")
    column = skin & (away[:, 0].abs() < 2)
    # Before the eye, where a camera looks along the margin: it was bright there.
    margin = column & (away[:, 1].abs() < 0.2) & (away[:, 2] > 1) & (away[:, 2] < 6)
    assert margin.sum() > 5
    assert lashes[margin].max() < 0.4
    lid = column & (away[:, 1] > 1.6) & (away[:, 1] < 6)
    assert (lashes[lid] == 1).all()


def test_the_share_of_an_expression(model):
    rest = usual_rest(model)
    fitted = showing(model, rest, **SMILE).expression

    def share(shown: torch.Tensor) -> float:
        return share_driven(model, shown, fitted, rest)

    assert share(fitted) == pytest.approx(1.0)
    assert share(rest) == 0.0
    assert share(rest + 0.5 * (fitted - rest)) == pytest.approx(0.5, abs=1e-4)
    assert share(rest + 2 * (fitted - rest)) == pytest.approx(1.0, abs=1e-4)
    other = showing(model, rest, browInnerUp=0.9, eyeBlinkLeft=1.0).expression
    assert share(other) < 0.1
    pouting = showing(model, rest, mouthPucker=0.8, mouthFrownLeft=0.6).expression
    assert share(pouting) < 0.1
    # A photo at rest has no folds of its own.
    assert share_driven(model, fitted, rest, rest) == 0.0
    products = movement_products_mm2(model)
    assert torch.linalg.eigvalsh(products.double()).min() > -1e-4


def test_the_second_texture_keeps_the_folds_that_the_first_is_rid_of(model):
    smile = showing(model, usual_rest(model), mouthSmileLeft=1.0, mouthSmileRight=1.0)
    camera = Camera.centred(900.0, 300, 300)
    pose = Pose(torch.zeros(3), torch.tensor([0.0, 20.0, -700.0]))
    scene = Scene(smile, pose, camera, Lighting.ambient_white(0.9))
    picture = synthesise(model, scene, silhouettes=False).rgb_linear.clamp(0, 1)
    # A groove beside the mouth on the subject's left, on the smiling face.
    places_px = camera.project(pose.T_cam_model @ model.shape_mm(smile))
    marks = model.landmarks["ibug68"].locate(places_px, model.surface.triangles)
    ends = marks[35] + (marks[54] - marks[35]) * torch.tensor([[0.35], [0.75]])
    ends = ends + torch.tensor([6.0, 0.0])
    y, x = torch.meshgrid(torch.arange(300) + 0.5, torch.arange(300) + 0.5, indexing="ij")
    along = (ends[1] - ends[0]) / (ends[1] - ends[0]).norm()
    away = torch.stack([x, y], -1) - ends[0]
    t = away @ along
    off = (away - t[..., None] * along).norm(dim=-1)
    groove = (off < 1.5) & (t > 0) & (t < (ends[1] - ends[0]).norm())
    picture = picture * (1 - 0.5 * groove[..., None].float())
    pixels = (255 * linear_to_srgb(picture)).round().byte()
    photo = photo_from_array(pixels.numpy(), name="smile")

    vertex_away = places_px - ends[0]
    vt = vertex_away @ along
    vertex_off = (vertex_away - vt[:, None] * along).norm(dim=1)
    inside = (vertex_off < 1) & (vt > 2) & (vt < float((ends[1] - ends[0]).norm()) - 2)
    inside = inside & (model.regions["face"] > 0.9)
    corners = torch.isin(model.surface.triangles, torch.nonzero(inside)[:, 0])
    uv = model.surface.uv[model.surface.uv_triangles[corners]]

    def lightness(settings=None) -> float:
        texture = bake_texture(model, scene, photo, 256, settings=settings)
        column = (uv[:, 0] * 256).long().clamp(0, 255)
        row = ((1 - uv[:, 1]) * 256).long().clamp(0, 255)
        texels = torch.from_numpy(texture.copy())[row, column].float() / 255
        return float(luminance(srgb_to_linear(texels)).mean())

    rid, kept = lightness(), lightness(with_folds())
    assert kept < 0.8 * rid


def test_blended_textures():
    rest, folded = (np.full((4, 4, 3), value, np.uint8) for value in (200, 100))
    assert blended(rest, folded, 0.0) is rest
    assert (blended(rest, folded, 1.0) == 100).all()
    assert (blended(rest, folded, 0.25) == 175).all()
