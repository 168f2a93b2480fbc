"""`report.html`: a result that anybody can look at in a browser, in one file and without a network.

It holds the photo's face, what was fitted laid over it, and the avatar itself (`face.glb`) with a
slider for each blendshape and lamps that can be moved. The page is in `export/web`; three.js is
inlined from data/.
"""

import base64
import html
import io
import json
from pathlib import Path
from string import Template

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from fit3dmm._files import atomic_path, data_path
from fit3dmm._version import __version__
from fit3dmm.colour import srgb_to_linear
from fit3dmm.export.depth import depth_map
from fit3dmm.export.drawing import Drawing, draw, sight
from fit3dmm.export.hair_hanging import HairShape
from fit3dmm.export.picture import srgb_bytes
from fit3dmm.export.ramp import ramp_srgb
from fit3dmm.export.report_folds import fold_facts
from fit3dmm.export.report_sigma import sigma_facts
from fit3dmm.export.resting import from_rest
from fit3dmm.export.sigma import VertexSigma
from fit3dmm.fitting.result import FitResult
from fit3dmm.geometry.transform import Similarity
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.observe.crop import extract_crop
from fit3dmm.observe.photo import Photo
from fit3dmm.render.lights import named_lights
from fit3dmm.scene import Scene

WEB = Path(__file__).parent / "web"
_SIDE_PX = 560
# Side of the square that is shown, in units of the longer side of the face's box.
_MARGIN = 1.9
_JPEG_QUALITY = 88


def write_report(
    result: FitResult,
    model: MorphableModel,
    photo: Photo,
    texture: UInt8[np.ndarray, "size size 3"],
    glb: bytes,
    path: Path,
    sure: VertexSigma | None = None,
    rest: Float[Tensor, "expression"] | None = None,
    folded: UInt8[np.ndarray, "size size 3"] | None = None,
    hair_shape: HairShape | None = None,
) -> None:
    """Write the page of one face.

    Args:
        result: of a fit.
        model: the one that was fitted.
        photo: the one that was fitted.
        texture: of the face, sRGB.
        glb: the avatar, as `face.glb` holds it.
        path: of the page.
        sure: how sure the fit is of each vertex, by which the viewer can colour the avatar.
        rest: activations of the avatar's mesh itself, as it was written with; zeros if left out.
        folded: the texture with the folds of the fitted expression, which the viewer blends in the
            more, the nearer its sliders come to that expression.
        hair_shape: where the avatar's hair stands off and hangs; None where it lies flat.

    Raises:
        InputError: the folder can't be written to.
    """
    with torch.no_grad():
        pictures = _pictures(result, model, photo, texture, hair_shape)
    quality, info = result.quality, result.model
    facts = {
        "expression": _expression(result, model, rest),
        "bounds": [0, 1] if _are_activations(model) else [-3, 3],
        "layers": {name: _data(picture) for name, picture in pictures.items() if name != "photo"},
        "folds": None if folded is None else fold_facts(result, model, folded, rest),
        "sigma": None if sure is None else sigma_facts(sure, model),
    }
    text = Template((WEB / "report.html").read_text(encoding="utf-8")).substitute(
        title=html.escape(f"{result.observation.name} - fit3dmm"),
        name=html.escape(result.observation.name),
        verdict=quality.verdict,
        remarks="".join(f"<li>{html.escape(one)}</li>" for one in _remarks(result)),
        numbers="".join(f"<tr><td>{k}</td><td>{v}</td></tr>" for k, v in _numbers(result).items()),
        photo=_data(pictures["photo"]),
        version=__version__,
        model=html.escape(info.name),
        licence=html.escape(info.licence),
        glb=base64.b64encode(glb).decode("ascii"),
        # A name may hold what would end the script.
        facts=json.dumps(facts).replace("<", "\\u003c"),
        style=(WEB / "style.css").read_text(encoding="utf-8"),
        three=data_path("three.min.js").read_text(encoding="utf-8"),
        viewer=(WEB / "viewer.js").read_text(encoding="utf-8"),
    )
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def _pictures(
    result: FitResult,
    model: MorphableModel,
    photo: Photo,
    texture: np.ndarray,
    hair_shape: HairShape | None,
) -> dict[str, Image.Image]:
    """The photo's face, and what is laid over it."""
    points = result.observation.face_points_px
    low, high = points.amin(0), points.amax(0)
    side = float((high - low).max().clamp_min(1)) * _MARGIN
    scale = _SIDE_PX / side
    left, top = ((low + high - side) / 2).tolist()
    T_view_photo = Similarity.in_plane(scale, (-scale * left, -scale * top))
    behind = extract_crop(photo, T_view_photo, _SIDE_PX).image_linear
    camera = result.scene.camera.cropped(T_view_photo, _SIDE_PX, _SIDE_PX)
    scene = result.scene.replace(camera=camera)
    seen = sight(model, scene)
    clay = draw(model, scene.replace(lighting=named_lights()["studio"]), None, seen)
    worn = draw(model, scene, texture, seen)
    whole = worn
    if hair_shape is not None:
        whole = draw(model, scene, texture, sight(model, scene, hair_shape))
    light = {
        "photo": behind,
        "avatar": worn.face_over(behind),
        "whole head": whole.over(behind),
        "shape": clay.face_over(behind),
        "depth": _depth(model, scene, worn, behind),
    }
    return {name: Image.fromarray(srgb_bytes(picture)) for name, picture in light.items()}


def _depth(
    model: MorphableModel, scene: Scene, drawn: Drawing, behind: Float[Tensor, "height width 3"]
) -> Float[Tensor, "height width 3"]:
    """Depth in colours over the photo, from the nearest to the furthest point of the face."""
    found = depth_map(model, scene)
    if not found.face.any():
        return behind
    left, top, right, bottom = found.box_px
    near, far = np.nanpercentile(found.depth_mm[found.face], [0, 98])
    share = np.clip((found.depth_mm - near) / max(far - near, 1e-6), 0, 1)
    colours = ramp_srgb(share)
    picture = behind.clone()
    picture[top:bottom, left:right] = srgb_to_linear(
        torch.from_numpy(np.nan_to_num(colours)).float()
    )
    return behind + drawn.face * (picture - behind)


def _remarks(result: FitResult) -> list[str]:
    if result.quality.remarks:
        return list(result.quality.remarks)
    return ["Nothing speaks against this fit: points, colours and shape agree with the photo."]


def _numbers(result: FitResult) -> dict[str, str]:
    """The few that people ask for, in words."""
    quality = result.quality
    low_cm, high_cm = (border_mm / 10 for border_mm in result.distance_interval_mm(0.95))
    low_px, high_px = result.focal_interval_px(0.95)
    numbers = {
        "points off by": quality.points_off,
        "face seen": f"{100 * quality.visible_share:.0f} %",
        "face in the photo": f"{quality.face_px:.0f} px",
        "distance (95 %)": f"{result.distance_mm / 10:.0f} cm ({low_cm:.0f} to {high_cm:.0f})",
        "focal length (95 %)": f"{result.focal_px:.0f} px ({low_px:.0f} to {high_px:.0f})",
    }
    if quality.failure_chance is not None:
        numbers["chance that it is no better than a mean face"] = (
            f"{100 * quality.failure_chance:.0f} %"
        )
    return numbers


def _expression(
    result: FitResult, model: MorphableModel, rest: Float[Tensor, "expression"] | None
) -> dict[str, float]:
    """The fitted one, as weights of the avatar's targets."""
    rest = model.zeros().expression if rest is None else rest
    given = from_rest(result.scene.coefficients.expression, rest).tolist()
    return {
        name: round(value, 4) for name, value in zip(model.expression_names, given, strict=True)
    }


def _are_activations(model: MorphableModel) -> bool:
    return bool(torch.isfinite(model.expression_bounds).all())


def _data(picture: Image.Image) -> str:
    file = io.BytesIO()
    picture.save(file, format="JPEG", quality=_JPEG_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode("ascii")
