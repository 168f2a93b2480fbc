"""A track that nobody had to follow."""

import torch

from fit3dmm.fitting.tracking import Track, TrackConfig
from fit3dmm.geometry.camera import Camera
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.scene import Lighting, Pose

TIMES_S = (0.0, 0.05, 0.1, 0.3, 0.35)
LOST = 2


def known_track(model: MorphableModel) -> Track:
    """Five frames, unevenly apart, of which one shows no face."""
    n = len(TIMES_S)
    generator = torch.Generator().manual_seed(5)
    person = model.sample(generator=generator)
    expression = torch.rand(n, model.n_expression, generator=generator)
    rotation = torch.stack([torch.tensor([0.1, 0.3 * k - 0.5, 0.05 * k]) for k in range(n)])
    place = torch.stack([torch.tensor([10.0 * k, -4.0 * k, -650.0 - 5 * k]) for k in range(n)])
    light = Lighting.ambient_white(0.8).irradiance_sh.expand(n, 9, 3).clone()
    found = torch.ones(n, dtype=torch.bool)
    found[LOST] = False
    for values in (expression, rotation, place, light):
        values[LOST] = torch.nan
    return Track(
        name="clip",
        times_s=torch.tensor(TIMES_S, dtype=torch.float64),
        found=found,
        person=person,
        camera=Camera.centred(500.0, 320, 240),
        expression=expression,
        expression_names=model.expression_names,
        pose=Pose(rotation, place),
        lighting=Lighting(light),
        landmark_error_mm=torch.where(found, 0.5, torch.nan),
        key_frames=(0, 3),
        doubtful_key_frames=(),
        model=model.info,
        level=model.surface.level,
        config=TrackConfig(),
        versions={"fit3dmm": "0"},
    )
