"""The shipped model's avatar: its things, bones and speech, as an engine would move them."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from fit3dmm.export.split import HEAD, drawn_surface, split_things
from fit3dmm.export.visemes import VISEMES, visemes_of
from fit3dmm.geometry.rotation import rotation_from_angles
from fit3dmm.model.morphable import Coefficients, MorphableModel
from tests.export.faces import Rigged, rigged_face, truth_mm
from tests.export.gltf_reader import ReadAvatar

THINGS = (HEAD, "eye_left", "eye_right", "teeth_upper", "teeth_lower", "tongue")
BONES = ["neck", "head", "jaw", "eye_left", "eye_right"]


@pytest.fixture(scope="module")
def rigged(tmp_path_factory: pytest.TempPathFactory) -> Rigged:
    return rigged_face(tmp_path_factory.mktemp("rig"), seed=5)


@pytest.fixture(scope="module")
def model(rigged: Rigged) -> MorphableModel:
    return rigged.model


@pytest.fixture(scope="module")
def person(rigged: Rigged) -> Coefficients:
    return rigged.person


@pytest.fixture(scope="module")
def read(rigged: Rigged) -> ReadAvatar:
    return rigged.read


def lip_gap_mm(read: ReadAvatar, **pose) -> float:
    """Between the edges of the front teeth, which the lips follow."""
    upper, lower = (read.drawn(f"teeth_{row}", **pose).points_mm for row in ("upper", "lower"))
    upper, lower = (points[np.abs(points[:, 0]) < 5] for points in (upper, lower))
    return upper[upper[:, 2] > upper[:, 2].max() - 5][:, 1].min() - lower[:, 1].max()


def test_every_triangle_is_in_one_thing(model, read):
    assert tuple(read.meshes) == THINGS
    counts = [len(read.drawn(name).triangles) for name in THINGS]
    assert sum(counts) == len(drawn_surface(model).triangles)
    names = [node.name for node in read.gltf.nodes]
    assert len(set(names)) == len(names)


def test_all_units_move_the_skin_and_things_have_theirs(model, read):
    assert read.names(HEAD) == list(model.expression_names)
    assert len(read.names(HEAD)) == 52
    looks = ["Down", "In", "Out", "Up"]
    assert read.names("eye_left") == [f"eyeLook{way}Left" for way in looks]
    assert read.names("teeth_upper") == []
    assert read.names("tongue") == ["jawForward", "jawLeft", "jawOpen", "jawRight", "tongueOut"]


def test_targets_together_make_the_models_own_shape(model, person, read):
    generator = torch.Generator().manual_seed(1)
    for expression in torch.rand(5, model.n_expression, generator=generator):
        activations = dict(zip(model.expression_names, expression.tolist(), strict=True))
        face = person.replace(expression=expression)
        for mesh, expected in truth_mm(model, face).items():
            drawn = read.drawn(mesh, activations).points_mm
            # What 52 targets leave out, 0.01 mm each at most, adds up to less than this.
            np.testing.assert_allclose(drawn, expected, atol=0.05)


def test_bones_at_rest_change_nothing(model, person, read):
    for mesh, expected in truth_mm(model, person).items():
        # float32 and inverse matrices in metres.
        np.testing.assert_allclose(read.drawn(mesh).points_mm, expected, atol=1e-4)
        assert not any(read.meshes[mesh].weights or [])


def test_weights_of_every_vertex_add_up_to_one(read):
    for mesh in THINGS:
        weights = read.bone_weights(mesh)
        assert (weights >= 0).all()
        # In 65535ths, exactly.
        np.testing.assert_allclose(weights.sum(1), 1, atol=1e-12)


def test_copies_of_a_vertex_go_together(model, read):
    """Seams of the texture must not open when bones turn."""
    weights = read.bone_weights(HEAD)
    vertex = split_things(model, drawn_surface(model))[HEAD].vertex
    first = np.unique(vertex, return_index=True, return_inverse=True)
    np.testing.assert_array_equal(weights, weights[first[1]][first[2]])


def test_bones_hang_on_each_other_where_the_joints_are(model, person, read):
    assert read.bone_names() == BONES
    children = {
        name: [read.gltf.nodes[k].name for k in read.nodes[name].children] for name in BONES
    }
    assert children["neck"] == ["head"]
    assert children["head"] == ["jaw", "eye_left", "eye_right"]
    for name in ("jaw", "eye_left", "eye_right"):
        expected = model.joint_mm(name, person).numpy()
        np.testing.assert_allclose(read.bone_place_mm(name), expected, atol=1e-3)


@pytest.mark.parametrize("side", ["left", "right"])
def test_an_eye_turns_about_its_centre_and_moves_nothing_else(model, person, read, side):
    bone = f"eye_{side}"
    turn = {bone: rotation_from_angles(15.0, -25.0, 0.0)}
    rest, turned = read.drawn(bone).points_mm, read.drawn(bone, turns=turn).points_mm
    centre = model.joint_mm(bone, person).numpy()
    np.testing.assert_allclose((rest - centre) @ turn[bone].T + centre, turned, atol=1e-3)
    assert np.abs(rest - turned).max() > 3
    for mesh in set(THINGS) - {bone}:
        still = read.drawn(mesh).points_mm
        np.testing.assert_allclose(read.drawn(mesh, turns=turn).points_mm, still, atol=1e-9)


@pytest.mark.parametrize("way", ["Up", "Down", "In", "Out"])
def test_units_of_gaze_turn_the_eye_as_its_bone_does(model, person, read, way):
    pitch_deg, yaw_deg = {"Up": (-25, 0), "Down": (25, 0), "In": (0, -30), "Out": (0, 30)}[way]
    turn = {"eye_left": rotation_from_angles(float(pitch_deg), float(yaw_deg), 0.0)}
    by_unit = read.drawn("eye_left", {f"eyeLook{way}Left": 1.0}).points_mm
    by_bone = read.drawn("eye_left", turns=turn).points_mm
    # The unit stands out by 2 % of the radius at its end, as straight lines sink half-way.
    assert np.linalg.norm(by_unit - by_bone, axis=1).max() < 0.45
    centre = model.joint_mm("eye_left", person).numpy()
    middle = (by_unit.max(0) + by_unit.min(0)) / 2
    assert np.linalg.norm(middle - centre) < 1.5  # the cornea stands out on one side


def test_the_jaw_opens_by_its_bone_as_by_its_unit(model, read):
    bone = {"jaw": rotation_from_angles(20.0, 0.0, 0.0)}
    gap = lip_gap_mm(read)
    by_unit = lip_gap_mm(read, activations={"jawOpen": 1.0}) - gap
    by_bone = lip_gap_mm(read, turns=bone) - gap
    assert by_unit > 15
    assert by_bone == pytest.approx(by_unit, rel=0.2)
    rest, unit = read.drawn(HEAD), read.drawn(HEAD, {"jawOpen": 1.0})
    bent = read.drawn(HEAD, turns=bone)
    moved = np.linalg.norm(unit.points_mm - rest.points_mm, axis=1)
    apart = np.linalg.norm(unit.points_mm - bent.points_mm, axis=1)
    # Artists' cheeks are not rigid, but half of what moves goes with the bone to a few mm.
    assert np.median(apart[moved > 3]) < 5
    assert apart[moved < 0.1].max() < 1


def test_the_head_turns_whole_above_the_neck(model, read):
    turn = {"head": rotation_from_angles(0.0, 30.0, 0.0)}
    rest, turned = read.drawn(HEAD).points_mm, read.drawn(HEAD, turns=turn).points_mm
    above = rest[:, 1] > 0
    np.testing.assert_allclose(rest[above] @ turn["head"].T, turned[above], atol=1e-3)
    bottom = rest[:, 1].argmin()
    assert np.linalg.norm(rest[bottom] - turned[bottom]) < 1
    whole = {"neck": rotation_from_angles(10.0, 0.0, 0.0)}
    for mesh in THINGS:
        before, after = read.drawn(mesh).points_mm, read.drawn(mesh, turns=whole).points_mm
        place = read.bone_place_mm("neck")
        np.testing.assert_allclose((before - place) @ whole["neck"].T + place, after, atol=1e-3)


def test_visemes_are_in_the_file_and_made_of_the_models_units(model, read):
    table = read.gltf.extras["visemes"]
    assert table == {name: dict(viseme) for name, viseme in VISEMES.items()}
    assert len(table) == 15
    assert not any(table["sil"].values())
    for name, viseme in table.items():
        assert viseme.keys() <= set(model.expression_names), name
        assert all(0 <= value <= 1 for value in viseme.values()), name
    gaps = {n: lip_gap_mm(read, activations=dict(viseme)) for n, viseme in VISEMES.items()}
    assert gaps["aa"] > gaps["oh"] > gaps["E"] > gaps["ih"] > gaps["DD"] > gaps["SS"] > gaps["PP"]


def test_the_document_shows_the_table_of_visemes():
    page = (Path(__file__).parents[2] / "docs/avatar.md").read_text(encoding="utf-8")
    shown = {}
    for name, units in re.findall(r"^\| `(\w+)` \| .* \| (.*) \|$", page, flags=re.M):
        shown[name] = {}
        for unit, both, value in re.findall(r"`(\w+)(\*?)` ([\d.]+)", units):
            for side in ("Left", "Right") if both else ("",):
                shown[name][unit + side] = float(value)
    moving = {n: {u: a for u, a in v.items() if a} for n, v in VISEMES.items()}
    assert {name: shown[name] for name in VISEMES} == moving


def test_a_model_without_the_units_has_no_visemes():
    assert visemes_of(("jawOpen", "mouthSmileLeft")) == {}
