"""The 257 numbers of Deep3DFaceRecon, HRN and 3DDFA-V3, with their camera and crop.

Y. Deng et al., "Accurate 3D face reconstruction with weakly-supervised learning", CVPRW 2019. The
names and the crop are those of the released codes: `util/preprocess.py` of Deep3DFaceRecon_pytorch.
"""

from collections.abc import Mapping

import numpy as np
import torch

from fit3dmm._errors import InputError
from fit3dmm.geometry.camera import Camera
from fit3dmm.geometry.harmonics import irradiance_from_deng2019
from fit3dmm.geometry.rotation import rotation_vector
from fit3dmm.geometry.transform import Similarity
from fit3dmm.model import deep3d
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.refining.containers import BARE, vector
from fit3dmm.refining.start import Start
from fit3dmm.scene import Lighting, Pose

_NAMES = {"tex": ("tex", "alb"), "gamma": ("gamma", "sh")}
"""3DDFA-V3 says `alb` and `sh`."""
_WHOLE = (BARE, "coeffs", "coeff", "alpha", "output_coeff")
_CROP = ("trans_params", "trans_param")


def is_deep3d(arrays: Mapping[str, np.ndarray]) -> bool:
    """Whether the arrays are such a vector, whole or in its parts."""
    whole = any(name in arrays and arrays[name].shape[-1] == 257 for name in _WHOLE)
    return whole or ({"id", "exp", "angle", "trans"} <= arrays.keys())


def deep3d_start(arrays: Mapping[str, np.ndarray], model: MorphableModel) -> Start:
    """What the vector says of a face.

    Args:
        arrays: of the file; with `trans_params` (width, height, scale and place of the photo) where
            their crop was kept.
        model: the Basel Face Model 2009 as Deep3DFaceRecon cuts it.

    Raises:
        InputError: it is another model, or the numbers are not as they should be.
    """
    sizes = (model.n_identity, model.n_expression, model.n_albedo)
    if sizes != (80, 64, 80) or model.n_detail or model.rig is not None:
        raise InputError(
            "These 257 numbers are of the Basel Face Model 2009 as Deep3DFaceRecon cuts it, not of "
            f"{model.info.name}: give `--model bfm2009` (`fit3dmm model convert` makes it of your "
            "files)."
        )
    parts = deep3d.split(torch.from_numpy(_whole(arrays)))
    R_cam_model, translation_mm = deep3d.pose(parts, model.to(dtype=torch.float64))
    focal, size = deep3d.FOCAL_PX, deep3d.IMAGE_PX
    T_picture_photo, photo_px = _crop(arrays)
    return Start(
        "the 257 numbers of Deep3DFaceRecon, HRN or 3DDFA-V3",
        parts.coefficients(),
        Pose(rotation_vector(R_cam_model), translation_mm),
        Camera.centred(focal, size, size),
        T_picture_photo,
        Lighting(irradiance_from_deng2019(parts.gamma)),
        photo_px,
    ).to(dtype=torch.float32)


def _whole(arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    whole = vector(arrays, *_WHOLE)
    if whole is not None and len(whole) == 257:
        return whole
    parts = []
    for name, size in deep3d.SIZES.items():
        part = vector(arrays, *_NAMES.get(name, (name,)), size=size)
        if part is None:
            raise InputError(f"The vector lacks its part {name}, of {size} numbers.")
        parts.append(part)
    return np.concatenate(parts)


def _crop(
    arrays: Mapping[str, np.ndarray],
) -> tuple[Similarity | None, tuple[int, int] | None]:
    """Their crop, as their code cuts it: scaled to whole pixels, shifted by whole pixels."""
    kept = vector(arrays, *_CROP, size=5)
    if kept is None:
        return None, None
    width, height, scale, x, y_up = kept
    half = deep3d.IMAGE_PX / 2
    scaled_width, scaled_height = int(width * scale), int(height * scale)
    left = int(scaled_width / 2 - half + (x - width / 2) * scale)
    up = int(scaled_height / 2 - half + (height / 2 - y_up) * scale)
    T = Similarity.in_plane(float(scale), (-float(left), -float(up)))
    return T, (int(width), int(height))
