"""The avatar as VRM: a person by its structure, and to programs that others wrote."""

import base64
import io
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fit3dmm._errors import InputError
from fit3dmm.export.body import EYES_HEIGHT_MM, body_joints
from fit3dmm.export.glb import write_vrm
from fit3dmm.export.moods import MOODS
from fit3dmm.export.outputs import ALL, parse_outputs
from fit3dmm.export.visemes import VISEMES
from fit3dmm.geometry.rotation import rotation_from_angles
from tests.export.faces import Rigged, rigged_face, texture_png
from tests.export.gltf_reader import ReadAvatar
from tests.export.test_avatar_engines import in_browser
from tests.toy import toy_model

# VRM 1.0, chapter humanoid: bones that must be there.
REQUIRED = {"hips", "spine", "head"} | {
    f"{side}{bone}"
    for side in ("left", "right")
    for bone in ("UpperArm", "LowerArm", "Hand", "UpperLeg", "LowerLeg", "Foot")
}


@pytest.fixture(scope="module")
def rigged(tmp_path_factory) -> Rigged:
    return rigged_face(tmp_path_factory.mktemp("vrm"), seed=4)


@pytest.fixture(scope="module")
def vrm(rigged) -> ReadAvatar:
    path = rigged.path.with_suffix(".vrm")
    write_vrm(rigged.model, rigged.person, texture_png(), path)
    return ReadAvatar(path)


def said(read: ReadAvatar) -> dict:
    return read.gltf.extensions["VRMC_vrm"]


def test_it_is_the_avatar_at_the_height_of_a_person(rigged, vrm):
    high_mm, low_mm = (
        np.mean([read.bone_place_mm(name)[1] for name in names])
        for read, names in (
            (vrm, ("LeftEye", "RightEye")),
            (rigged.read, ("eye_left", "eye_right")),
        )
    )
    assert high_mm == pytest.approx(EYES_HEIGHT_MM, abs=0.1)
    for mesh in rigged.read.meshes:
        before, after = (
            one.drawn(mesh, {"jawOpen": 0.5}, {turned: rotation_from_angles(0.0, 20.0, 0.0)})
            for one, turned in ((rigged.read, "head"), (vrm, "Head"))
        )
        off_mm = after.points_mm - before.points_mm - [0, high_mm - low_mm, 0]
        assert np.abs(off_mm).max() < 0.01, mesh


def test_visemes_are_targets_and_the_sum_of_their_units(vrm):
    assert {f"viseme_{name}" for name in ("sil", "aa", "E", "I", "O", "U")} <= set(
        vrm.names("head_skin")
    )
    assert len(vrm.names("head_skin")) == 52 + len(VISEMES)
    for mesh in ("head_skin", "teeth_lower", "tongue"):
        for name, target in (("aa", "viseme_aa"), ("ou", "viseme_U"), ("TH", "viseme_TH")):
            composed = vrm.drawn(mesh, dict(VISEMES[name])).points_mm
            np.testing.assert_allclose(
                vrm.drawn(mesh, {target: 1.0}).points_mm, composed, atol=0.01
            )


def test_bones_are_those_of_a_person_who_stands(vrm):
    nodes, human = vrm.gltf.nodes, said(vrm)["humanoid"]["humanBones"]
    assert human.keys() >= REQUIRED | {"neck", "jaw", "leftEye", "rightEye"}
    numbers = [bone["node"] for bone in human.values()]
    assert len(set(numbers)) == len(numbers)
    parent = {child: k for k, node in enumerate(nodes) for child in node.children or []}

    def above(number: int) -> list[int]:
        return [] if number not in parent else [parent[number], *above(parent[number])]

    for bone, carrier in (
        *(("spine", "hips"), ("neck", "upperChest"), ("head", "neck"), ("leftEye", "head")),
        *(("leftHand", "leftLowerArm"), ("rightFoot", "rightLowerLeg"), ("leftUpperLeg", "hips")),
    ):
        assert human[carrier]["node"] in above(human[bone]["node"]), bone
    places = {joint.name: joint.place_mm for joint in body_joints()}
    # A T: hands at the height of the shoulders, the left one to the left; knees over feet.
    assert places["LeftHand"][0] > places["LeftForeArm"][0] > places["LeftArm"][0] > 0
    assert places["LeftHand"][1] == places["LeftArm"][1]
    assert np.allclose(places["LeftLeg"] * [-1, 1, 1], places["RightLeg"])
    assert places["LeftUpLeg"][1] > places["LeftLeg"][1] > places["LeftFoot"][1] > 0


def test_expressions_name_targets_that_are_there(vrm):
    presets, custom = said(vrm)["expressions"]["preset"], said(vrm)["expressions"]["custom"]
    assert presets.keys() == MOODS.keys()
    assert len(custom) == 52
    for name, expression in (*presets.items(), *custom.items()):
        for bind in expression.get("morphTargetBinds", []):
            mesh = vrm.gltf.meshes[vrm.gltf.nodes[bind["node"]].mesh]
            unit = mesh.extras["targetNames"][bind["index"]]
            assert bind["weight"] == MOODS.get(name, {name: 1.0})[unit]
    # Teeth go with the lips.
    moved = {vrm.gltf.nodes[b["node"]].name for b in presets["aa"]["morphTargetBinds"]}
    assert {"head_skin_mesh", "teeth_lower_mesh", "tongue_mesh"} <= moved


def test_a_model_without_joints_becomes_one_too(tmp_path):
    model = toy_model()
    write_vrm(model, model.zeros(), texture_png(), tmp_path / "toy.vrm")
    read = ReadAvatar(tmp_path / "toy.vrm")
    assert said(read)["humanoid"]["humanBones"].keys() >= REQUIRED | {"neck"}
    assert said(read)["expressions"]["preset"] == {}


def test_it_is_written_where_it_is_asked_for():
    assert "vrm" not in parse_outputs("all")
    assert parse_outputs("vrm,all") == (*ALL, "vrm")
    with pytest.raises(InputError, match="did you mean 'vrm'"):
        parse_outputs("all,vrn")


def page(name: str, packages: tuple[str, ...], vrm_path: Path, folder: Path, poses: dict) -> dict:
    """What a page of ours sends back from the browser, with packages of npm beside it."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        pytest.skip("needs chromium, which runs three.js")
    for package in packages:
        places = [Path(place) / package for place in os.environ.get("NODE_PATH", "").split(":")]
        found = next((place for place in places if place.is_dir()), None)
        if found is None:
            pytest.skip(f"needs the npm package {package}; NODE_PATH can say where it lies")
        (folder / package).parent.mkdir(exist_ok=True)
        (folder / package).symlink_to(found, target_is_directory=True)
    shutil.copy(vrm_path, folder / "face.vrm")
    shutil.copy(Path(__file__).with_name(name), folder)
    (folder / "poses.json").write_text(json.dumps(poses))
    return in_browser(browser, folder, name)


def bright(picture: str) -> np.ndarray:
    """Grey values of a picture in an address."""
    png = base64.b64decode(picture.split(",")[1])
    return np.asarray(Image.open(io.BytesIO(png)).convert("L")).astype(float)


def test_three_vrm_finds_a_person(vrm, rigged, tmp_path):
    poses = {
        "rest": {"expressions": {}},
        "happy": {"expressions": {"happy": 1.0}},
        "turned": {"expressions": {"aa": 1.0}, "head_yaw_deg": 20.0},
    }
    packages = ("three", "@pixiv/three-vrm")
    found = page("vrm_page.html", packages, rigged.path.with_suffix(".vrm"), tmp_path, poses)
    assert found["version"] == "1"
    assert found["meta"]["avatarPermission"] == "onlyAuthor"
    assert set(found["bones"]) >= REQUIRED
    assert len(found["expressions"]) == len(MOODS) + 52
    for name, pose in poses.items():
        units = dict(next((MOODS[one] for one in pose["expressions"]), {}))
        turn = rotation_from_angles(0.0, pose.get("head_yaw_deg", 0.0), 0.0)
        for node, points in found["results"][name]["points"].items():
            expected = vrm.drawn(node.removesuffix("_mesh"), units, {"Head": turn}).points_mm
            rows = np.arange(40) * len(expected) // 40
            np.testing.assert_allclose(1000 * np.array(points), expected[rows], atol=0.02)


def test_a_talking_head_speaks_with_it(vrm, rigged, tmp_path):
    """TalkingHead wants Ready Player Me's bones, ARKit's units and Oculus' visemes."""
    packages = ("three", "@met4citizen/talkinghead")
    found = page("talking_page.html", packages, rigged.path.with_suffix(".vrm"), tmp_path, {})
    assert {f"viseme_{name}" for name in ("aa", "O", "sil")} <= set(found["targets"])
    spoken = [frame["viseme_aa"] for frame in found["frames"]]
    assert max(spoken) == pytest.approx(0.8, abs=0.01)
    assert spoken[-1] == 0
    # Its happy mood smiles, and its idle eyes move.
    assert max(frame["mouthSmile"] for frame in found["frames"]) > 0.1
    picture = bright(found["picture"])
    assert 0.1 < (np.abs(picture - picture[0, 0]) > 4).mean() < 0.6
