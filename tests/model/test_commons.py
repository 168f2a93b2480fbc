"""The face model that ships: what every user of it may rely on."""

import pytest
import torch

from fit3dmm._files import data_path
from fit3dmm.model import Coefficients, MorphableModel
from fit3dmm.model.files import load_model

LEVELS = (0, 1, 2)


@pytest.fixture(scope="module")
def levels() -> list[MorphableModel]:
    return [load_model(level=level) for level in LEVELS]


@pytest.fixture(scope="module")
def coarse(levels) -> MorphableModel:
    return levels[1]


def people(model: MorphableModel, n: int, seed: int = 0, expression: bool = False) -> Coefficients:
    return model.sample(n, generator=torch.Generator().manual_seed(seed), expression=expression)


def test_it_is_small_and_whole(levels):
    assert data_path("commons.h5").stat().st_size < 8e6
    finest = levels[2]
    assert finest.n_identity == 80
    assert 60 <= finest.n_detail <= 120
    assert finest.n_expression == 52
    assert 40 <= finest.n_albedo <= 80
    assert set(finest.landmarks) >= {"ibug68", "mediapipe478", "now7", "anthropometry"}
    assert set(finest.contours) >= {"jaw17"}
    assert set(finest.regions) >= {"face", "skin", "lips", "eyes", "mouth_interior", "ears"}
    assert finest.info.licence == "CC0-1.0"


def test_zero_coefficients_give_the_mean(levels):
    for model in levels:
        torch.testing.assert_close(
            model.shape_mm(model.zeros()), model.surface.lift(model.mean_mm), rtol=0, atol=0
        )
        torch.testing.assert_close(
            model.albedo_linear(model.zeros()), model.albedo_mean_linear, rtol=0, atol=0
        )


def test_synthesis_is_affine(coarse):
    a, b = people(coarse, 1, 1, expression=True), people(coarse, 1, 2, expression=True)
    between = coarse.shape_mm(0.25 * a + 0.75 * b)
    # Rounding of float32 sums over 231 components of up to ten millimetres.
    torch.testing.assert_close(
        between, 0.25 * coarse.shape_mm(a) + 0.75 * coarse.shape_mm(b), rtol=0, atol=2e-4
    )


def test_landmarks_agree_across_levels(levels):
    base, middle, fine = (
        model.landmarks["mediapipe478"].locate(
            model.shape_mm(model.zeros()), model.surface.triangles
        )
        for model in levels
    )
    # A subdivision step rounds off less and less: by under a millimetre, then under a third of one.
    assert (middle - base).norm(dim=-1).max() < 1.6
    assert (fine - middle).norm(dim=-1).max() < 0.5


def test_the_mean_is_symmetric(levels):
    flip = torch.tensor([-1.0, 1.0, 1.0])
    for model in levels:
        shape = model.shape_mm(model.zeros())
        # Stored in float32.
        torch.testing.assert_close(shape[model.surface.mirror] * flip, shape, rtol=0, atol=1e-3)
        mirrored = model.albedo_mean_linear[model.surface.mirror]
        torch.testing.assert_close(mirrored, model.albedo_mean_linear, rtol=0, atol=2e-3)


def test_left_blendshapes_mirror_right_ones(levels):
    model = levels[0]
    flip = torch.tensor([-1.0, 1.0, 1.0])
    names = model.expression_names
    for i, name in enumerate(names):
        if "Left" in name:
            j = names.index(name.replace("Left", "Right"))
            # Bases are stored in steps of 0.004 mm.
            torch.testing.assert_close(
                model.expression_basis_mm[i][model.surface.mirror] * flip,
                model.expression_basis_mm[j],
                rtol=0,
                atol=5e-3,
            )


def test_blendshapes_are_activations_and_move_the_face(levels):
    model = levels[0]
    torch.testing.assert_close(model.expression_bounds, torch.tensor([[0.0, 1.0]]).expand(52, 2))
    movement = model.expression_basis_mm.norm(dim=-1).amax(dim=-1)
    assert movement.min() > 0.9
    assert movement.max() < 45


def test_frame_and_size_are_those_of_a_head_in_mm(coarse):
    points = coarse.landmarks["anthropometry"]
    located = dict(
        zip(points.names, points.locate(coarse.shape_mm(coarse.zeros()), coarse.surface.triangles),
            strict=True)
    )  # fmt: skip
    tragia = (located["tragion"] + located["tragion_right"]) / 2
    assert tragia.norm() < 3
    assert located["tragion"][0] > 60, "x points to the subject's left"
    assert located["pronasale"][2] > 90, "z points out of the face"
    assert located["glabella"][1] > located["menton"][1] + 90, "y points up"


def test_people_do_not_fold_and_have_colours_of_skin(coarse):
    drawn = people(coarse, 24, 3)
    shapes = coarse.shape_mm(drawn)
    height = shapes[..., 1].amax(dim=-1) - shapes[..., 1].amin(dim=-1)
    assert height.min() > 200
    assert height.max() < 360
    face = coarse.regions["face"] > 0.5
    corners = shapes[:, coarse.surface.triangles[face[coarse.surface.triangles].all(dim=1)]]
    normal = torch.linalg.cross(
        corners[:, :, 1] - corners[:, :, 0], corners[:, :, 2] - corners[:, :, 0]
    )
    mean_corners = coarse.shape_mm(coarse.zeros())[coarse.surface.triangles][
        face[coarse.surface.triangles].all(dim=1)
    ]
    mean_normal = torch.linalg.cross(
        mean_corners[:, 1] - mean_corners[:, 0], mean_corners[:, 2] - mean_corners[:, 0]
    )
    turned_over = ((normal * mean_normal).sum(dim=-1) < 0).float().mean()
    assert turned_over < 0.004
    albedo = coarse.albedo_linear(drawn)[:, coarse.regions["skin"] > 0.5]
    # The model is linear, so a few dark draws dip below black; synthesis clips what is drawn.
    assert (albedo < 0).float().mean() < 0.01
    assert (albedo > 1).float().mean() < 0.001
    red, green, blue = albedo.mean(dim=1).unbind(-1)
    assert (red > green).all()
    assert (green > blue).all()
    # From the darkest to the lightest of a couple of dozen people, tones span a factor of three.
    assert red.max() > 3 * red.min()


def test_eyeballs_fill_the_lids(levels):
    model = levels[2]
    shape = model.shape_mm(model.zeros())
    for side in ("eye_left", "eye_right"):
        offset = shape[model.in_parts(side)] - model.joint_mm(side, model.zeros())
        radius = offset.norm(dim=1)
        cornea = offset[:, 2] / radius > 0.83
        seen = offset[:, 2] > 4
        # Subdivision passes within a tenth of a millimetre of the ball in front.
        assert radius[seen & ~cornea].std() < 0.06
        assert 12.9 < radius[seen & ~cornea].mean() < 13.1
        assert 0.6 < radius[cornea].max() - 13.0 < 1.2


def test_short_vectors_use_the_first_components(coarse):
    whole = people(coarse, 2, 4)
    short = whole.replace(identity=whole.identity[..., :20], detail=whole.detail[..., :0])
    padded = whole.replace(
        identity=torch.nn.functional.pad(whole.identity[..., :20], (0, 60)),
        detail=torch.zeros_like(whole.detail),
    )
    torch.testing.assert_close(coarse.shape_mm(short), coarse.shape_mm(padded), rtol=0, atol=2e-4)


def test_batches_of_any_shape(coarse):
    drawn = coarse.sample(2, 3, generator=torch.Generator().manual_seed(5))
    single = Coefficients(
        *(getattr(drawn, f)[1, 2] for f in ("identity", "detail", "expression", "albedo"))
    )
    assert coarse.shape_mm(drawn).shape == (2, 3, coarse.n_vertices, 3)
    torch.testing.assert_close(
        coarse.shape_mm(drawn)[1, 2], coarse.shape_mm(single), rtol=0, atol=2e-4
    )
    torch.testing.assert_close(
        coarse.landmarks_mm("ibug68", drawn)[1, 2], coarse.landmarks_mm("ibug68", single),
        rtol=0, atol=2e-4,
    )  # fmt: skip
