"""An avatar as USDZ, which phones, Blender and film tools open: the one door to usd-core.

Metres and y up, as in the GLB. A `SkelRoot` holds the skeleton, a mesh for each part with sparse
blend shapes, and the materials; an animation of one moment says the shown activations. Sources:
Pixar, "UsdSkel" and "UsdPreviewSurface" specifications of OpenUSD.
"""

# usd-core makes its classes when it is loaded, so that a type checker sees none.
# pyright: reportAttributeAccessIssue=false

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from fit3dmm._errors import InputError
from fit3dmm._files import atomic_path
from fit3dmm.export.avatar import Avatar, AvatarPart, make_avatar
from fit3dmm.export.hair_hanging import HAIR_ROUGHNESS, HANGING, HairShape
from fit3dmm.export.occlusion_roughness import ROUGHNESS
from fit3dmm.export.skeleton import Bone
from fit3dmm.model.morphable import Coefficients, MorphableModel

_MM_PER_M = 1000.0
_ROOT = "/face"
_SKELETON, _SHOWN, _SKIN, _HAIR = (
    f"{_ROOT}/{name}" for name in ("skeleton", "shown", "materials/skin", "materials/hair")
)
_COLOUR_FILE, _OCCLUSION_FILE, _HAIR_FILE = "base_colour.png", "occlusion_roughness.png", "hair.png"


def write_usdz(
    model: MorphableModel,
    coefficients: Coefficients,
    texture_png: bytes,
    path: Path,
    rest: Float[Tensor, "expression"] | None = None,
    hair_shape: HairShape | None = None,
) -> None:
    """Write the face of one person; see `glb.write_glb`.

    Args:
        model: the one that was fitted.
        coefficients: the person's; the expression becomes the weights of the blend shapes.
        texture_png: the base colour, an encoded sRGB picture.
        path: of the file; its name must end in .usdz.
        rest: see `glb.face_glb`.
        hair_shape: see `glb.face_glb`.

    Raises:
        InputError: usd-core is not installed, or the folder can't be written to.
    """
    try:
        from pxr import Sdf, UsdUtils
    except ImportError as error:
        raise InputError('USD needs usd-core: pip install "fit3dmm[usd]".') from error
    avatar = make_avatar(model, coefficients, rest=rest, hair_shape=hair_shape)
    # The package is made of files in a folder, the scene first.
    with tempfile.TemporaryDirectory() as folder:
        scene = Path(folder) / "face.usdc"
        (Path(folder) / _COLOUR_FILE).write_bytes(texture_png)
        (Path(folder) / _OCCLUSION_FILE).write_bytes(avatar.occlusion_roughness_png)
        if avatar.hair_png is not None:
            (Path(folder) / _HAIR_FILE).write_bytes(avatar.hair_png)
        _write_scene(avatar, scene)
        package = Path(folder) / "face.usdz"
        if not UsdUtils.CreateNewUsdzPackage(Sdf.AssetPath(str(scene)), str(package)):
            raise InputError(f"usd-core could not pack {path}: try another folder.")
        with atomic_path(Path(path)) as temporary:
            temporary.write_bytes(package.read_bytes())


def _write_scene(avatar: Avatar, path: Path) -> None:
    from pxr import Usd, UsdGeom, UsdSkel

    stage = Usd.Stage.CreateNew(str(path))
    UsdGeom.SetStageMetersPerUnit(stage, 1.0)
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.y)
    root = UsdSkel.Root.Define(stage, _ROOT)
    stage.SetDefaultPrim(root.GetPrim())
    root.GetPrim().SetCustomDataByKey("model", avatar.info.name)
    root.GetPrim().SetCustomDataByKey("model_licence", avatar.info.licence)
    _add_skin(stage)
    if avatar.hair_png is not None:
        _add_hair(stage)
    joints = _joint_paths(avatar.bones)
    _add_skeleton(stage, avatar.bones, joints)
    for part in avatar.parts:
        _add_part(stage, part)
    _add_shown(stage, avatar)
    stage.GetRootLayer().Save()


def _joint_paths(bones: tuple[Bone, ...]) -> list[str]:
    paths: list[str] = []
    for bone in bones:
        above = "" if bone.parent is None else f"{paths[bone.parent]}/"
        paths.append(above + bone.name)
    return paths


def _add_skeleton(stage: Any, bones: tuple[Bone, ...], joints: list[str]) -> None:
    from pxr import Gf, UsdSkel

    def moved(place_mm: np.ndarray) -> Any:
        return Gf.Matrix4d().SetTranslate(Gf.Vec3d(*(place_mm / _MM_PER_M).tolist()))

    origins = [np.zeros(3) if b.parent is None else bones[b.parent].place_mm for b in bones]
    skeleton = UsdSkel.Skeleton.Define(stage, _SKELETON)
    skeleton.CreateJointsAttr(joints)
    skeleton.CreateBindTransformsAttr([moved(bone.place_mm) for bone in bones])
    skeleton.CreateRestTransformsAttr(
        [moved(bone.place_mm - origin) for bone, origin in zip(bones, origins, strict=True)]
    )
    binding = UsdSkel.BindingAPI.Apply(skeleton.GetPrim())
    binding.CreateAnimationSourceRel().SetTargets([_SHOWN])


def _add_part(stage: Any, part: AvatarPart) -> None:
    from pxr import Sdf, UsdGeom, UsdShade, UsdSkel, Vt

    mesh = UsdGeom.Mesh.Define(stage, f"{_ROOT}/{part.name}")
    points_m = _floats(part.positions_mm / _MM_PER_M)
    mesh.CreatePointsAttr(Vt.Vec3fArray.FromNumpy(points_m))
    mesh.CreateExtentAttr(Vt.Vec3fArray.FromNumpy(np.stack([points_m.min(0), points_m.max(0)])))
    mesh.CreateFaceVertexCountsAttr(np.full(len(part.triangles), 3, np.int32))
    mesh.CreateFaceVertexIndicesAttr(part.triangles.ravel().astype(np.int32))
    mesh.CreateNormalsAttr(Vt.Vec3fArray.FromNumpy(_floats(part.normals)))
    mesh.SetNormalsInterpolation(UsdGeom.Tokens.vertex)
    mesh.CreateSubdivisionSchemeAttr(UsdGeom.Tokens.none)
    mesh.CreateDoubleSidedAttr(True)
    kind = Sdf.ValueTypeNames.TexCoord2fArray
    uv = UsdGeom.PrimvarsAPI(mesh).CreatePrimvar("st", kind, UsdGeom.Tokens.vertex)
    uv.Set(Vt.Vec2fArray.FromNumpy(_floats(part.uv)))
    look = UsdShade.Material.Get(stage, _HAIR if part.name == HANGING else _SKIN)
    UsdShade.MaterialBindingAPI.Apply(mesh.GetPrim()).Bind(look)

    binding = UsdSkel.BindingAPI.Apply(mesh.GetPrim())
    binding.CreateSkeletonRel().SetTargets([_SKELETON])
    n_bones = part.bone_weights.shape[1]
    bone = np.tile(np.arange(n_bones, dtype=np.int32), len(points_m))
    binding.CreateJointIndicesPrimvar(False, n_bones).Set(bone)
    binding.CreateJointWeightsPrimvar(False, n_bones).Set(_floats(part.bone_weights).ravel())
    if part.targets:
        binding.CreateBlendShapesAttr([target.name for target in part.targets])
        paths = []
        for target in part.targets:
            paths.append(f"{_ROOT}/{part.name}/{target.name}")
            shape = UsdSkel.BlendShape.Define(stage, paths[-1])
            shape.CreateOffsetsAttr(Vt.Vec3fArray.FromNumpy(_floats(target.shift_mm / _MM_PER_M)))
            shape.CreateNormalOffsetsAttr(Vt.Vec3fArray.FromNumpy(_floats(target.turn)))
            shape.CreatePointIndicesAttr(target.rows.astype(np.int32))
        binding.CreateBlendShapeTargetsRel().SetTargets(paths)


def _add_shown(stage: Any, avatar: Avatar) -> None:
    from pxr import UsdSkel

    shown = UsdSkel.Animation.Define(stage, _SHOWN)
    weights = {target.name: target.weight for part in avatar.parts for target in part.targets}
    shown.CreateBlendShapesAttr(list(weights))
    shown.CreateBlendShapeWeightsAttr([round(weight, 5) for weight in weights.values()])


def _add_skin(stage: Any) -> None:
    look = _Look(stage, _SKIN)
    colour = look.texture("base_colour", _COLOUR_FILE, "sRGB", (1.0, 1.0, 1.0, 1.0))
    rough = look.texture("occlusion_roughness", _OCCLUSION_FILE, "raw", (1.0, ROUGHNESS, 1.0, 1.0))
    look.shows("diffuseColor", colour, "rgb")
    look.shows("occlusion", rough, "r")
    look.shows("roughness", rough, "g")


def _add_hair(stage: Any) -> None:
    look = _Look(stage, _HAIR, HAIR_ROUGHNESS)
    look.shows("diffuseColor", look.texture("hair", _HAIR_FILE, "sRGB", (1.0,) * 4), "rgb")


class _Look:
    """A material whose surface reads pictures."""

    def __init__(self, stage: Any, path: str, roughness: float | None = None) -> None:
        from pxr import Sdf, UsdShade

        self.stage, self.path, self.kinds = stage, path, Sdf.ValueTypeNames
        material = UsdShade.Material.Define(stage, path)
        kinds = self.kinds
        self.uv = self._shader("uv", "UsdPrimvarReader_float2", varname=(kinds.String, "st"))
        self.uv.CreateOutput("result", kinds.Float2)
        more = {} if roughness is None else {"roughness": (kinds.Float, roughness)}
        surface = {"metallic": (kinds.Float, 0.0), **more}
        self.surface = self._shader("surface", "UsdPreviewSurface", **surface)
        self.surface.CreateOutput("surface", kinds.Token)
        material.CreateSurfaceOutput().ConnectToSource(self.surface.ConnectableAPI(), "surface")

    def texture(self, name: str, file: str, space: str, scale: tuple[float, ...]) -> Any:
        """A picture that lies in the package."""
        kinds = self.kinds
        made = self._shader(
            name,
            "UsdUVTexture",
            file=(kinds.Asset, f"./{file}"),
            sourceColorSpace=(kinds.Token, space),
            wrapS=(kinds.Token, "clamp"),
            wrapT=(kinds.Token, "clamp"),
            scale=(kinds.Float4, scale),
        )
        made.CreateInput("st", kinds.Float2).ConnectToSource(self.uv.ConnectableAPI(), "result")
        return made

    def shows(self, name: str, source: Any, channel: str) -> None:
        """The surface takes an input from a picture."""
        rgb = channel == "rgb"
        source.CreateOutput(channel, self.kinds.Float3 if rgb else self.kinds.Float)
        target = self.surface.CreateInput(name, self.kinds.Color3f if rgb else self.kinds.Float)
        target.ConnectToSource(source.ConnectableAPI(), channel)

    def _shader(self, name: str, kind: str, **inputs: tuple[Any, Any]) -> Any:
        from pxr import UsdShade

        made = UsdShade.Shader.Define(self.stage, f"{self.path}/{name}")
        made.CreateIdAttr(kind)
        for key, (value_type, value) in inputs.items():
            made.CreateInput(key, value_type).Set(value)
        return made


def _floats(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values, np.float32)
