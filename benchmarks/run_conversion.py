"""How well a foreign model becomes a whole one: ICT-FaceKit Light, all of it.

    python benchmarks/run_conversion.py FACEKIT_FOLDER [--picture PNG]

The folder is a clone of ICT-FaceKit or its FaceXModel. Reported are how far Commons' mean stays
from ICT's after registration, how far its 68 points come to lie from ICT's own (by part of the
face), how far a decoded person is from ICT's own sum of meshes, and its processor time. The picture
shows the points on ICT's mean: its own 68 in red, Commons' 478 in blue, irises in orange, jaw
contours in green.
"""

import sys
import tempfile
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw

from fit3dmm.colour import linear_to_srgb
from fit3dmm.geometry.camera import Camera
from fit3dmm.model import MorphableModel
from fit3dmm.model.complete import Completion, complete
from fit3dmm.model.files import load_model, read_stored, write_stored
from fit3dmm.model.formats import SourceModel, read_source
from fit3dmm.model.landmarks import NOW7_IN_IBUG68
from fit3dmm.model.library import find_model
from fit3dmm.render.synthesise import synthesise
from fit3dmm.scene import Lighting, Pose, Scene
from harness import Metric, run

PARTS = {
    "jaw": slice(0, 17),
    "brows": slice(17, 27),
    "nose": slice(27, 36),
    "eyes": slice(36, 48),
    "mouth": slice(48, 68),
    "NoW's seven": list(NOW7_IN_IBUG68),
    "all but the jaw": slice(17, 68),
}


def measure(options: Namespace) -> Iterator[Metric]:
    """Convert it once, and look at what came out."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "ict.h5"
        yield from _measure(options.folder, output)
        if options.picture:
            views = [_points(load_model(output), yaw_deg) for yaw_deg in (0.0, 40.0)]
            Image.fromarray(np.concatenate(views, axis=1)).save(options.picture)


def _measure(folder: Path, output: Path) -> Iterator[Metric]:
    seconds = [time.process_time()]
    source = read_source([folder])
    seconds.append(time.process_time())
    completion = complete(source, read_stored(find_model("commons")))
    seconds.append(time.process_time())
    write_stored(completion.stored, output)
    seconds.append(time.process_time())
    load_model(output)
    seconds.append(time.process_time())
    yield Metric("residual of Commons on ICT's mean, mean", completion.residual_mean_mm, "mm")
    yield Metric("residual, 90th percentile", completion.residual_p90_mm, "mm")
    for name, rows in PARTS.items():
        distance_mm = float(completion.landmark_distance_mm[rows].mean())
        yield Metric(f"iBUG points apart, {name}", distance_mm, "mm")
    error_mm = _decoding_error(source, completion, output)
    yield Metric("decoded people against ICT's sum, largest", error_mm, "mm")
    yield Metric("file size", output.stat().st_size / 1e6, "MB")
    steps = ("read the OBJ files", "register and complete", "write the model", "load the model")
    for name, before, after in zip(steps, seconds, seconds[1:], strict=False):
        # Taken once, as the registration is long.
        yield Metric(name, after - before, "s", noise=0.3)


def _options(parser: ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, help="ICT-FaceKit or its FaceXModel")
    parser.add_argument("--picture", type=Path, metavar="PNG")


def _decoding_error(source: SourceModel, completion: Completion, output: Path) -> float:
    """Largest distance of a vertex over 20 people with expressions, after writing and reading."""
    model = load_model(output)
    people = model.sample(20, generator=torch.Generator().manual_seed(0), expression=True)
    stored = source.stored
    exact = stored.mean_mm + (completion.stored.mean_mm - stored.mean_mm)
    exact = exact + np.einsum("pk,kvx->pvx", people.identity.numpy(), stored.identity_basis_mm)
    exact += np.einsum("pk,kvx->pvx", people.expression.numpy(), stored.expression_basis_mm)
    return float(np.linalg.norm(model.shape_mm(people).numpy() - exact, axis=2).max())


def _points(model: MorphableModel, yaw_deg: float, size_px: int = 600) -> np.ndarray:
    """The mean from one side with its points drawn over it."""
    mean = model.zeros()
    turn = torch.tensor([0.0, float(np.radians(yaw_deg)), 0.0])
    pose = Pose.facing(1000.0).replace(rotation_rad=turn)
    camera = Camera.centred(4.2 * size_px, size_px, size_px)
    light = Lighting.ambient_white(0.45) + Lighting.directional((-0.5, 0.6, 0.9), (0.75,) * 3)
    scene = Scene(mean, pose, camera, light)
    seen = synthesise(model, scene, background_linear=torch.tensor([0.85] * 3))
    pixels = (linear_to_srgb(seen.rgb_linear.clamp(0, 1)) * 255).to(torch.uint8).numpy()
    picture = Image.fromarray(pixels)
    draw = ImageDraw.Draw(picture)
    for name, colour, radius in (
        ("jaw17", (0, 150, 0), 1.0),
        ("mediapipe478", (30, 60, 255), 1.2),
        ("ibug68", (255, 30, 30), 2.2),
    ):
        points = (model.landmarks | model.contours)[name]
        places = points.locate(model.shape_mm(mean), model.surface.triangles).reshape(-1, 3)
        places_px = camera.project(pose.T_cam_model @ places).tolist()
        for k, (x, y) in enumerate(places_px):
            iris = name == "mediapipe478" and k >= 468
            box = (x - radius, y - radius, x + radius, y + radius)
            draw.ellipse(box, fill=(255, 160, 0) if iris else colour)
    return np.asarray(picture)


if __name__ == "__main__":
    sys.exit(run("conversion", __doc__, measure, _options))
