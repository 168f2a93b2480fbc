"""The photos on which the regressor is measured: rendered, traced and real people.

What a set holds are functions that open one subject each: they are small, and workers call them.
"""

import os
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import torch

from fit3dmm._errors import InputError
from fit3dmm.evaluate.aflw2000 import Aflw2000
from fit3dmm.evaluate.mesh_files import read_array
from fit3dmm.evaluate.protocol import Case
from fit3dmm.geometry.camera import Camera
from fit3dmm.model.landmarks import NOW7_IN_IBUG68
from fit3dmm.observe.photo import photo_from_array, read_photo
from fit3dmm.regress.people import coarse_model
from fit3dmm.synthetic.fast import Studio, StudioSettings
from fit3dmm.synthetic.truth import read_truth
from real_heads import ScannedHead, View, find_jon, find_lee_perry_smith, shared_folder
from regressor_scores import Subject, groups_of_example

FIRST_SEED = 3 * 10**12
"""Pictures from here on serve no training (`fit3dmm train`)."""
OTHERS = "FIT3DMM_ICT"
"""Names the file of a converted model whose people are photographed, too."""
# As large as the photos that people crop faces out of; the training's pictures are half of it.
_SIDE_PX = 480
# Bins of the synthetic set that the renders have, too.
_BINS = ("yaw", "tone", "occluded", "clear")

Opener = Callable[[], Subject]
Subjects = Mapping[str, Opener]
"""By name."""


def rendered(cases: int) -> Subjects:
    """People of Commons."""
    return {f"{k:04d}": partial(open_render, FIRST_SEED + k) for k in range(cases)}


def rendered_others(cases: int) -> Subjects | None:
    """People of another model, where one is named."""
    file = os.environ.get(OTHERS)
    if not file or not Path(file).is_file():
        return None
    return {f"{k:04d}": partial(open_render, FIRST_SEED + k, file) for k in range(cases)}


def traced(cases: list[Case]) -> Subjects:
    """Photos of the synthetic set."""
    return {case.name: partial(open_traced, case) for case in cases}


def scanned(name: str) -> Subjects | None:
    """A real head, where this machine has it."""
    head = {"jon": find_jon, "lee-perry-smith": find_lee_perry_smith}[name]()
    if head is None:
        return None
    return {view.name: partial(open_scanned, head, view) for view in head.views}


def annotated() -> Subjects | None:
    """Pictures of AFLW2000-3D, where this machine has them."""
    folder = shared_folder() / "aflw2000"
    try:
        cases = Aflw2000().list_cases(folder)
    except InputError:
        return None
    return {case.name: partial(open_annotated, case) for case in cases}


def open_render(seed: int, others: str | None = None) -> Subject:
    """A crop as if it were somebody's photo. The neutral face is all skin outside."""
    rooms = studio(others)
    example, person = rooms.take(seed), rooms.sitter(seed)
    sitters = person.sitters
    seven = sitters.landmarks68_mm(person.neutral_mm)[list(NOW7_IN_IBUG68)]
    face = person.neutral_mm[sitters.face > 0.5]
    points_cam = example.points_mm @ example.rotation.T + example.translation_mm
    return Subject(
        photo_from_array(example.image_srgb),
        groups_of_example(example),
        ScannedHead(face.astype(np.float64), seven.astype(np.float64), ()),
        example.points_px.astype(np.float64),
        points_cam.astype(np.float64),
    )


def open_traced(case: Case) -> Subject:
    """A photo of the synthetic set with its truth."""
    assert case.photo is not None
    photo, truth = read_photo(case.photo), read_truth(case.truth[0])
    camera = Camera.centred(truth.focal_px, photo.width_px, photo.height_px)
    points_cam = truth.points478_cam_mm
    points_px = camera.to(dtype=torch.float64).project(torch.from_numpy(points_cam)).numpy()
    seven = truth.landmarks68_mm[list(NOW7_IN_IBUG68)]
    return Subject(
        photo,
        tuple(group for group in case.groups if group.startswith(_BINS)),
        ScannedHead(truth.neutral_mm[truth.face > 0.5], seven, ()),
        points_px,
        points_cam,
        {"nme_percent": truth.landmarks68_px},
    )


def open_scanned(head: ScannedHead, view: View) -> Subject:
    """A photo of a real head."""
    return Subject(read_photo(view.photo), head=head)


def open_annotated(case: Case) -> Subject:
    """A picture of AFLW2000-3D with both annotations, in our convention of pixels."""
    assert case.photo is not None
    landmarks = {}
    numbers = ("nme_percent", "nme_again_percent")
    for number, path in zip(numbers, case.truth, strict=False):
        points = read_array(path, (None, None, 68))[case.row, :2].T
        # MATLAB's centre of the first pixel is 1; ours is 0.5.
        landmarks[number] = points.astype(np.float64) - 0.5
    return Subject(
        read_photo(case.photo),
        tuple(f"yaw {group}" for group in case.groups),
        landmarks68_px=landmarks,
    )


@lru_cache(maxsize=2)
def studio(others: str | None) -> Studio:
    """Once a process: it takes seconds."""
    settings = StudioSettings(size_px=_SIDE_PX, other_share=1.0)
    return Studio(coarse_model("commons"), [coarse_model(others)] if others else [], settings)
