"""Writes data/landmark_sigmas.csv: how far the detector's points lie from the model's own.

Heads are drawn from the model and rendered with known pose, light and expression; the detector
looks at the pictures. What it misses the true points by, in mm on the face, is noise of the
detector and error of the correspondence together. Points left and right share one figure.

    python tools/calibrate_landmarks.py [--scenes 300] [--model commons] [--photos DIR]

Renders are of the model's own kind: on people, the detector puts some points elsewhere, such as the
creases of the lids. A folder of photos, one face each, adds what the points are off on average
after a fit to the landmarks alone; the table in data/ was made with 691 official portraits of
members of the US Congress (public domain, from the images of the @unitedstates project).
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from rich.progress import track

from fit3dmm._files import atomic_path
from fit3dmm.fitting import fit_observation, prepare, preset
from fit3dmm.geometry.camera import Camera
from fit3dmm.geometry.rotation import rotation_matrix
from fit3dmm.model.files import load_model
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.observe.colour import linear_to_srgb
from fit3dmm.observe.detect import DetectedFace, FaceDetector
from fit3dmm.observe.observation import observe
from fit3dmm.observe.photo import photo_from_array, read_photo
from fit3dmm.render.synthesise import synthesise
from fit3dmm.scene import Lighting, Pose, Scene

TABLE = Path(__file__).resolve().parents[1] / "data" / "landmark_sigmas.csv"
SIZE_PX = 384
# Without photos: about how much less the points of detector and model agree on people.
CORRESPONDENCE_MM = 1.0
MAX_YAW_RAD = 0.7


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", type=int, default=300)
    parser.add_argument("--model", default="commons")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--photos", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    model = load_model(arguments.model)
    generator = torch.Generator().manual_seed(arguments.seed)

    errors, missed = [], 0
    with FaceDetector() as detector, torch.no_grad():
        for _ in range(arguments.scenes):
            scene = random_scene(model, generator)
            found = detector.detect(photo_from_array(picture(model, scene, generator)))
            if len(found) == 1:
                errors.append(errors_mm(model, scene, found[0]))
            else:
                missed += 1
    print(f"{len(errors)} faces found, {missed} missed")
    of_renders = mirrored_mean(model, robust_sigma(torch.stack(errors)))
    of_photos = torch.full_like(of_renders, CORRESPONDENCE_MM)
    n_photos = 0
    if arguments.photos is not None:
        left_over, n_photos = left_over_mm(model, arguments.photos)
        of_photos = mirrored_mean(model, left_over)
    sigma = (of_renders**2 + of_photos**2).sqrt()
    write(sigma, model, len(errors), n_photos)
    print(f"sigma_mm: median {sigma.median():.2f}, {sigma.min():.2f} to {sigma.max():.2f}")


def random_scene(model: MorphableModel, generator: torch.Generator) -> Scene:
    """A person at portrait distance, turned up to 40 degrees, under uneven light."""

    def uniform(low: float, high: float) -> float:
        return low + (high - low) * float(torch.rand((), generator=generator))

    face = model.sample(generator=generator, expression=True)
    # Few of the units are active at a time.
    active = torch.rand(model.n_expression, generator=generator) < 0.2
    face = face.replace(identity=0.8 * face.identity, expression=face.expression * active)
    rotation = torch.tensor(
        [uniform(-0.3, 0.3), uniform(-MAX_YAW_RAD, MAX_YAW_RAD), uniform(-0.2, 0.2)]
    )
    distance_mm = uniform(450, 2000)
    focal_px = SIZE_PX * 0.65 / 200 * distance_mm
    direction = torch.tensor([uniform(-1, 1), uniform(-0.3, 1), uniform(0.2, 1)])
    tint = torch.tensor([uniform(0.9, 1.1), 1.0, uniform(0.85, 1.1)])
    ambient = Lighting(Lighting.ambient_white(uniform(0.4, 0.8)).irradiance_sh * tint)
    light = ambient + uniform(0.2, 0.6) * Lighting.directional(direction)
    translation = torch.tensor([uniform(-20, 20), uniform(-20, 20), -distance_mm])
    camera = Camera.centred(focal_px, SIZE_PX, SIZE_PX)
    return Scene(face, Pose(rotation, translation), camera, light)


def picture(model: MorphableModel, scene: Scene, generator: torch.Generator) -> np.ndarray:
    """sRGB in 0..1 over a plain background, with a little noise."""
    background = torch.rand(3, generator=generator)
    linear = synthesise(model, scene, background_linear=background).rgb_linear
    srgb = linear_to_srgb(linear.clamp(0, 1))
    noise = 0.01 * torch.randn(srgb.shape, generator=generator)
    return (srgb + noise).clamp(0, 1).numpy()


def errors_mm(model: MorphableModel, scene: Scene, face: DetectedFace) -> torch.Tensor:
    """(478, 2) detected minus true, at the distance of the face."""
    points = scene.pose.T_cam_model @ model.landmarks_mm("mediapipe478", scene.coefficients)
    px_per_mm = scene.camera.focal_px / -points[:, 2:]
    return (face.points_px - scene.camera.project(points)) / px_per_mm


def left_over_mm(model: MorphableModel, folder: Path) -> tuple[torch.Tensor, int]:
    """(478,) what the mean person's points are off after fits to the landmarks alone, an axis.

    The mean over people is what no person of the model explains: noise and shape average out.
    """
    config = preset("landmarks")
    prepared = prepare(model, config.skin_points)
    errors = []
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".png"))
    with FaceDetector() as detector, torch.no_grad():
        for path in track(paths, "photos"):
            seen = observe(read_photo(path), config.size_px, "largest", detector)[0]
            scene = fit_observation(seen, prepared, config).scene
            points = scene.pose.T_cam_model @ model.landmarks_mm("mediapipe478", scene.coefficients)
            mm_per_px = -points[:, 2:] / scene.camera.focal_px
            off = (seen.points_px - scene.camera.project(points)) * mm_per_px
            errors.append(upright(off, scene.pose))
    mean = torch.stack(errors).mean(0)
    return mean.square().mean(-1).sqrt(), len(errors)


def upright(off_mm: torch.Tensor, pose: Pose) -> torch.Tensor:
    """(n, 2) offsets in the picture, turned back by the head's roll."""
    across = rotation_matrix(pose.rotation_rad)[:2, 0] * torch.tensor([1.0, -1.0])
    across = across / across.norm()
    down = torch.stack([-across[1], across[0]])
    return torch.stack([off_mm @ across, off_mm @ down], dim=1)


def robust_sigma(errors: torch.Tensor) -> torch.Tensor:
    """(478,) root mean square of a coordinate, where the worst twentieth is left out.

    The mean error stays in: a point that is always off by 3 mm is no better than a noisy one.
    """
    square = errors.square().mean(-1).sort(dim=0).values
    kept = square[: max(1, int(0.95 * len(square)))]
    return kept.mean(0).sqrt()


def mirrored_mean(model: MorphableModel, sigma: torch.Tensor) -> torch.Tensor:
    """Mean of each point's figure and its mirror image's."""
    points = model.landmarks_mm("mediapipe478", model.zeros())
    flipped = points * torch.tensor([-1.0, 1.0, 1.0])
    return (sigma + sigma[torch.cdist(flipped, points).argmin(1)]) / 2


def write(sigma: torch.Tensor, model: MorphableModel, n: int, n_photos: int) -> None:
    with atomic_path(TABLE) as path, path.open("w") as file:
        file.write(
            f"# Written by tools/calibrate_landmarks.py from {n} renders of {model.info.name} "
            f"{model.info.version} and {n_photos} photos; see data/README.md.\n"
        )
        file.write("point,sigma_mm\n")
        for k, value in enumerate(sigma.tolist()):
            file.write(f"{k},{value:.2f}\n")


if __name__ == "__main__":
    main()
