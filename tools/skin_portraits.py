"""Skin in photos, labelled by a fit: the face of the fitted mesh is skin, what is far from the head
is not."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from scipy.ndimage import binary_dilation, binary_erosion

from fit3dmm._errors import InputError
from fit3dmm.colour import luminance
from fit3dmm.fitting.pipeline import fit_photo
from fit3dmm.fitting.prepared import prepare
from fit3dmm.fitting.result import FitResult
from fit3dmm.model.files import load_model
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.observe import FaceDetector, Photo, read_photo
from fit3dmm.observe.skin.pixels import OTHER, SKIN, UNKNOWN, LabelledPixels, labelled_pixels
from fit3dmm.render.synthesise import synthesise
from fit3dmm.synthetic.fast.skin_pictures import monk_group, nearest_monk

_FEATURES = ("eyes", "lips", "brows", "teeth", "mouth_interior")
# Of the face's width: a fit is off by less, and the head's own hair and ears by more.
_EDGE, _FAR = 0.03, 0.12
# Of the labelled face: hair, glasses and beards lie on some, and the fit doesn't know where.
_STRANGE = 0.1


def label_portraits(paths: Sequence[Path]) -> Iterator[LabelledPixels]:
    """Those photos in which a face is found and well fitted, in the group of its albedo's tone."""
    model = load_model()
    prepared = prepare(model)
    with FaceDetector() as detector:
        for path in paths:
            photo = read_photo(path)
            try:
                (result,) = fit_photo(photo, prepared, "default", "largest", detector)
            except InputError:
                continue
            if result.quality.verdict != "failed":
                image, mask = photo.pixels_srgb.numpy(), portrait_mask(result, model, photo)
                group = monk_group(nearest_monk(_tone(result, model)))
                yield without_strangers(labelled_pixels(path.stem, group, image, mask))


def portrait_mask(
    result: FitResult, model: MorphableModel, photo: Photo
) -> UInt8[np.ndarray, "height width"]:
    """`SKIN` well within the face, `OTHER` away from the head and not below it, else `UNKNOWN`."""
    with torch.no_grad():
        drawn = synthesise(model, result.scene, silhouettes=False)
    triangle = drawn.fragments.triangle[0].numpy()
    face = np.greater(model.regions["face"].numpy(), 0.5)
    for name in _FEATURES:
        if name in model.regions:
            face &= model.regions[name].numpy() < 0.1
    of_face = np.all(face[model.surface.triangles.numpy()], axis=1)
    head = triangle >= 0
    bare = head & of_face[triangle]
    width_px = max(int(bare.any(axis=0).sum()), 1)
    skin = binary_erosion(bare, iterations=max(1, round(_EDGE * width_px)))
    near = np.asarray(binary_dilation(head, iterations=max(1, round(_FAR * width_px))))
    # The neck and what is open of the chest lie below the head.
    below = np.cumsum(near, axis=0) > 0
    middle = np.flatnonzero(head.any(axis=1)).mean() if head.any() else 0
    lower = (np.arange(len(head)) > middle)[:, None]
    other = np.logical_not(np.logical_or(near, below & lower))
    return np.where(skin, SKIN, np.where(other, OTHER, UNKNOWN)).astype(np.uint8)


def without_strangers(pixels: LabelledPixels) -> LabelledPixels:
    """Without the tenth of the skin that looks least like the rest of it."""
    skin = np.log(pixels.colours_srgb[pixels.is_skin] + 0.02)
    if len(skin) < 100:
        return pixels
    centre, spread = np.median(skin, axis=0), np.cov(skin.T) + 1e-4 * np.eye(3)
    off = skin - centre
    distance = np.einsum("ni,ij,nj->n", off, np.linalg.inv(spread), off)
    kept = np.ones(len(pixels.is_skin), dtype=bool)
    kept[np.flatnonzero(pixels.is_skin)[distance > np.quantile(distance, 1 - _STRANGE)]] = False
    return LabelledPixels(
        pixels.name, pixels.group, pixels.colours_srgb[kept], pixels.is_skin[kept]
    )


def _tone(result: FitResult, model: MorphableModel) -> float:
    """Mean luminance of the fitted albedo on the face."""
    albedo = model.albedo_linear(result.scene.coefficients)
    weight = model.regions["face"] * (1 - model.regions["lips"])
    return float((luminance(albedo) * weight).sum() / weight.sum())


def even_choice(folder: Path, count: int) -> list[Path]:
    """So many pictures of a folder, spread evenly over their names.

    Raises:
        SystemExit: there is none.
    """
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in (".jpg", ".png"))
    if not paths:
        raise SystemExit(f"There is no JPEG or PNG file in {folder}.")
    places = np.unique(np.linspace(0, len(paths) - 1, count).round().astype(int))
    return [paths[place] for place in places]
