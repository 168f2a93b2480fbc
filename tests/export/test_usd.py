"""The avatar as USDZ, posed by USD's own skinning."""

import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from fit3dmm._errors import InputError
from fit3dmm.export import usd
from fit3dmm.export.hair_hanging import HANGING
from fit3dmm.export.split import HEAD
from fit3dmm.geometry.rotation import rotation_from_angles
from fit3dmm.model.files import load_model
from tests.export.faces import Rigged, rigged_face, texture_png, truth_mm
from tests.export.heads import long_hair


@pytest.fixture(scope="module")
def rigged(tmp_path_factory: pytest.TempPathFactory) -> Rigged:
    return rigged_face(tmp_path_factory.mktemp("usd"), seed=6)


@pytest.fixture(scope="module")
def face(rigged):
    """With an expression."""
    generator = torch.Generator().manual_seed(2)
    return rigged.person.replace(expression=torch.rand(52, generator=generator).round(decimals=3))


@pytest.fixture(scope="module")
def with_hair(tmp_path_factory: pytest.TempPathFactory):
    pytest.importorskip("pxr", reason="needs usd-core")
    path, model = tmp_path_factory.mktemp("hair") / "face.usdz", load_model(level=1)
    usd.write_usdz(model, model.zeros(), texture_png(), path, hair_shape=long_hair(model))
    return path


@pytest.fixture(scope="module")
def package(rigged, face, tmp_path_factory: pytest.TempPathFactory):
    pytest.importorskip("pxr", reason="needs usd-core")
    path = tmp_path_factory.mktemp("package") / "face.usdz"
    usd.write_usdz(rigged.model, face, texture_png(), path)
    return path


def opened(package):
    """A copy in memory, which may be changed."""
    from pxr import Usd

    return Usd.Stage.Open(Usd.Stage.Open(str(package)).Flatten())


def skinned_mm(stage) -> dict[str, np.ndarray]:
    """Each mesh as USD itself poses it."""
    from pxr import Gf, Usd, UsdGeom, UsdSkel

    UsdSkel.BakeSkinning(UsdSkel.Root(stage.GetDefaultPrim()), interval=Gf.Interval(0, 0))
    return {
        prim.GetName(): 1000 * np.array(UsdGeom.Mesh(prim).GetPointsAttr().Get(Usd.TimeCode(0)))
        for prim in stage.Traverse()
        if prim.IsA(UsdGeom.Mesh)
    }


def test_usd_shows_the_models_own_shape(rigged, face, package):
    found = skinned_mm(opened(package))
    expected = truth_mm(rigged.model, face)
    assert found.keys() == expected.keys()
    for name, points in expected.items():
        # What 52 targets leave out, 0.01 mm each at most, adds up to less than this.
        np.testing.assert_allclose(found[name], points, atol=0.05)


def test_bones_turn_as_in_the_glb(rigged, package):
    from pxr import Gf, UsdSkel

    stage = opened(package)
    skeleton = UsdSkel.Skeleton.Get(stage, "/face/skeleton")
    joints = list(skeleton.GetJointsAttr().Get())
    assert joints == [
        *("neck", "neck/head", "neck/head/jaw", "neck/head/eye_left", "neck/head/eye_right")
    ]
    rest = list(skeleton.GetRestTransformsAttr().Get())
    turn = Gf.Matrix4d().SetRotate(Gf.Rotation(Gf.Vec3d(1, 0, 0), 20))
    rest[2] = turn * rest[2]
    skeleton.GetRestTransformsAttr().Set(rest)
    shown = UsdSkel.Animation.Get(stage, "/face/shown")
    shown.GetBlendShapeWeightsAttr().Set([0.0] * len(shown.GetBlendShapesAttr().Get()))
    bent = {"jaw": rotation_from_angles(20.0, 0.0, 0.0)}
    for name, points in skinned_mm(stage).items():
        # float32, and the GLB's shares in 65535ths of them.
        expected = rigged.read.drawn(name, turns=bent).points_mm
        np.testing.assert_allclose(points, expected, atol=0.01)


def test_skin_has_all_units_and_textures_lie_in_the_package(rigged, package):
    from pxr import UsdSkel

    stage = opened(package)
    binding = UsdSkel.BindingAPI(stage.GetPrimAtPath(f"/face/{HEAD}"))
    assert list(binding.GetBlendShapesAttr().Get()) == list(rigged.model.expression_names)
    names = zipfile.ZipFile(package).namelist()
    # Phones read the first file, and textures beside it.
    assert names[0] == "face.usdc"
    assert sorted(names[1:]) == ["base_colour.png", "occlusion_roughness.png"]


def test_hair_that_hangs_has_a_picture_of_its_own(with_hair):
    from pxr import UsdShade

    with zipfile.ZipFile(with_hair) as archive:
        assert "hair.png" in {Path(name).name for name in archive.namelist()}
    stage = opened(with_hair)
    looks = {
        name: UsdShade.MaterialBindingAPI(stage.GetPrimAtPath(f"/face/{name}"))
        .ComputeBoundMaterial()[0]
        .GetPath()
        .name
        for name in (HANGING, HEAD)
    }
    assert looks == {HANGING: "hair", HEAD: "skin"}


@pytest.mark.parametrize("which", ["package", "with_hair"])
def test_usds_own_validators_find_nothing(which, request):
    Usd = pytest.importorskip("pxr.Usd", reason="needs usd-core")
    package = request.getfixturevalue(which)

    validation = pytest.importorskip("pxr.UsdValidation", reason="needs a newer usd-core")
    checks = validation.ValidationRegistry().GetOrLoadAllValidators()
    assert len(checks) > 10
    found = validation.ValidationContext(checks).Validate(Usd.Stage.Open(str(package)))
    assert [error.GetMessage() for error in found] == []


def test_without_usd_core_it_says_what_to_install(rigged, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pxr", None)
    with pytest.raises(InputError, match="usd-core"):
        usd.write_usdz(rigged.model, rigged.person, b"", tmp_path / "face.usdz")
