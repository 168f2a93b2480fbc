"""Making the set: for every case a photo, its truth and the mask of what hides the face."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float
from PIL import Image

from fit3dmm._files import atomic_path
from fit3dmm._parallel import Progress, run_in_parallel
from fit3dmm.geometry.closest_point import index_surface
from fit3dmm.geometry.correspondence import topology_name
from fit3dmm.geometry.rotation import rotation_from_angles
from fit3dmm.model.files import load_model
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.synthetic.cameras import View, view_of
from fit3dmm.synthetic.eyes import Eyes, draw_eyes
from fit3dmm.synthetic.hair import shell_hair
from fit3dmm.synthetic.heads import Head, draw_head, outer_face
from fit3dmm.synthetic.looks import LOOKS
from fit3dmm.synthetic.parts import Material, Part, assemble
from fit3dmm.synthetic.photo import Photograph, take_photo
from fit3dmm.synthetic.probes import softened, turned_probe
from fit3dmm.synthetic.props import has_shoulders, occluder_part, torso_part
from fit3dmm.synthetic.skin import detailed_skin
from fit3dmm.synthetic.specification import Specification
from fit3dmm.synthetic.strands import strand_hair
from fit3dmm.synthetic.tracer import first_hits
from fit3dmm.synthetic.truth import Truth, write_truth

_IRIS_CENTRES = (468, 473)
_SEEN_TOLERANCE_MM = 0.1
"""A vertex this far behind what is seen still counts as that surface: rounding."""


def generate_set(
    cases: Sequence[Specification],
    identities: str,
    folder: Path,
    jobs: int = 1,
    progress: Progress = lambda doing, done, total: None,
) -> None:
    """Write the cases that are not there yet: `NAME.jpg`, `NAME.h5` and `NAME_hidden.png`.

    Args:
        cases: what the photos show.
        identities: the model whose people they are: a name or a file.
        folder: is made where there is none.
        jobs: processes at once.
        progress: called with what is being done, how much of it is done, and of how much.

    Raises:
        InputError: the model can't be used or the folder not be written to.
    """
    tasks = [(case, identities, folder) for case in cases]
    progress("photos", 0, len(tasks))
    for done, _ in enumerate(run_in_parallel(_make, tasks, jobs), start=1):
        progress("photos", done, len(tasks))


def _make(case: Specification, identities: str, folder: Path) -> None:
    truth_path = folder / f"{case.name}.h5"
    # The truth is written last: where it is, the case is whole.
    if truth_path.is_file():
        return
    photograph, truth = make_case(case, identities)
    with atomic_path(folder / f"{case.name}.jpg") as temporary:
        temporary.write_bytes(photograph.jpeg)
    with atomic_path(folder / f"{case.name}_hidden.png") as temporary:
        Image.fromarray(truth.hidden).save(temporary)
    write_truth(truth, truth_path)


def make_case(case: Specification, identities: str = "commons") -> tuple[Photograph, Truth]:
    """One photo and what is known of it."""
    model = _model(identities)
    head = draw_head(model, case)
    triangles = model.surface.triangles.numpy()
    neutral68 = _locate(model, "ibug68", head.neutral_mm)
    view = view_of(case, head.expressive_mm, _locate(model, "ibug68", head.expressive_mm)[8])
    kept = _scan_size(identities)
    parts, eyes, albedo = _parts(model, head, case, view, kept)
    face = outer_face(model)
    probe = turned_probe(case.probe, case.probe_turn)
    if case.soft_light:
        probe = softened(probe)
    photograph = take_photo(
        parts,
        np.all(face[triangles] > 0.5, axis=1),
        view,
        probe,
        case,
        None if eyes is None else eyes.albedo,
    )
    cam = view.to_camera(head.expressive_mm)
    landmarks_cam = view.to_camera(_locate(model, "ibug68", head.expressive_mm))
    coarse = _coarse(identities)
    truth = Truth(
        case=case,
        topology=topology_name(model.surface.base_faces.numpy(), model.surface.level),
        neutral_mm=head.neutral_mm[:kept],
        expressive_mm=head.expressive_mm[:kept],
        triangles=coarse.surface.triangles.numpy(),
        face=face[:kept],
        visible=_seen(parts, view, cam[:kept]),
        albedo_linear=albedo[:kept],
        landmarks68_mm=neutral68,
        landmarks68_cam_mm=landmarks_cam,
        landmarks68_px=view.project(landmarks_cam),
        points478_mm=_locate(model, "mediapipe478", head.neutral_mm),
        points478_cam_mm=view.to_camera(_locate(model, "mediapipe478", head.expressive_mm)),
        rotation=view.rotation,
        translation_mm=view.translation_mm,
        focal_px=view.focal_px,
        radiance=probe.radiance.values * photograph.gains,
        hidden=photograph.rendered.hidden,
        face_pixels=photograph.rendered.face,
        deformation_mm=head.deformation_mm,
    )
    return photograph, truth


def _parts(
    model: MorphableModel, head: Head, case: Specification, view: View, measured: int
) -> tuple[list[Part], Eyes | None, np.ndarray]:
    """Everything before the camera in `cam`, the head first; sharper eyes; the head's colours.

    Args:
        measured: so many first vertices of the head have their shadows found one by one.
    """
    triangles = model.surface.triangles.numpy()
    regions = {name: weight.double().numpy() for name, weight in model.regions.items()}
    regions["face"] = outer_face(model)
    material = np.where(
        (regions["eyes"][triangles] > 0.5).all(axis=1), int(Material.EYE), int(Material.SKIN)
    )
    points = _locate(model, "ibug68", head.expressive_mm)
    albedo, eyes, others = np.clip(head.albedo_linear, 0.004, 0.95), None, []
    if case.kind == "held-out":
        neutral68 = _locate(model, "ibug68", head.neutral_mm)
        albedo = detailed_skin(
            albedo, head.neutral_mm, regions, neutral68, case.tone, LOOKS[case.edition],
            case.generator("skin"),
        )  # fmt: skip
        eyes = _eyes(model, head, case, view)
        grow = strand_hair if LOOKS[case.edition].strands else shell_hair
        hair = grow(
            head.expressive_mm, triangles, regions, points, case.tone,
            case.occluder == "fringe", case.generator("hair"),
        )  # fmt: skip
        others = list(hair.parts)
        albedo = albedo + hair.roots[:, None] * (hair.colour_linear - albedo)
        if case.occluder not in ("", "fringe"):
            hand = np.average(albedo, axis=0, weights=regions["face"])
            camera_mm = -view.rotation.T @ view.translation_mm
            others.append(
                occluder_part(case.occluder, points, camera_mm, hand, case.generator("occluder"))
            )
    spared = np.arange(len(albedo)) >= measured
    whole = [Part(head.expressive_mm, triangles, albedo, material, spared=spared), *others]
    parts = [part.moved(view.rotation, view.translation_mm) for part in whole]
    if case.kind == "held-out" and not has_shoulders(head.neutral_mm):
        parts.append(_torso(head, case, view))
    return parts, eyes, albedo


def _torso(head: Head, case: Specification, view: View) -> Part:
    """Upright shoulders under the neck, turned half as far as the head."""
    torso = torso_part(head.neutral_mm, case.generator("torso"))
    neck = head.neutral_mm[head.neutral_mm[:, 1] < head.neutral_mm[:, 1].min() + 8].mean(axis=0)
    turn = rotation_from_angles(0.0, case.yaw_deg / 2, 0.0)
    return torso.moved(np.eye(3), -neck).moved(turn, view.to_camera(neck[None])[0])


def _eyes(model: MorphableModel, head: Head, case: Specification, view: View) -> Eyes:
    cam = view.to_camera(head.expressive_mm)
    balls = [cam[model.regions[name].numpy() > 0.5] for name in ("eye_right", "eye_left")]
    irises = view.to_camera(_locate(model, "mediapipe478", head.expressive_mm))
    return draw_eyes(balls, irises[list(_IRIS_CENTRES)], case.tone, case.generator("eyes"))


def _seen(
    parts: Sequence[Part], view: View, cam_mm: Float[np.ndarray, "n 3"]
) -> Bool[np.ndarray, "n"]:
    """Vertices that nothing hides and that lie within the picture."""
    scene = assemble(parts)
    surface = index_surface(scene.vertices_mm, scene.triangles)
    met = first_hits(surface, np.zeros(3), cam_mm).distance
    px = view.project(cam_mm)
    inside = ((px >= 0) & (px < [view.width_px, view.height_px])).all(axis=1)
    behind_mm = (1 - met) * np.linalg.norm(cam_mm, axis=1)
    return inside & (behind_mm < _SEEN_TOLERANCE_MM)


def _locate(model: MorphableModel, name: str, vertices_mm: np.ndarray) -> np.ndarray:
    return model.landmarks[name].numpy().locate(vertices_mm, model.surface.triangles.numpy())


@lru_cache(maxsize=2)
def _model(name: str) -> MorphableModel:
    return load_model(name)


@lru_cache(maxsize=2)
def _coarse(name: str) -> MorphableModel:
    """One level less: its vertices are the first ones of the model's, and enough to measure."""
    return load_model(name, level=max(_model(name).surface.level - 1, 0))


def _scan_size(name: str) -> int:
    return _coarse(name).n_vertices
