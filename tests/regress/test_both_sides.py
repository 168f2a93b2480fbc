import pytest
import torch

from fit3dmm.geometry.camera import Camera
from fit3dmm.geometry.harmonics import sh_basis
from fit3dmm.geometry.rotation import rotation_matrix
from fit3dmm.regress.both_sides import BothSides, mean_of, turned_over
from fit3dmm.regress.network import BLOCKS, SIGMAS, Outputs
from fit3dmm.regress.targets import crop_pose

N, SIDE = 6, 64
MIRROR = torch.tensor([1, 0, 3, 2, 4, 5])


def _face_mm() -> torch.Tensor:
    """Symmetric points: two pairs and two of the middle."""
    half = torch.tensor([[30.0, 20.0, 5.0], [45.0, -10.0, -20.0]])
    flipped = half * torch.tensor([-1.0, 1.0, 1.0])
    middle = torch.tensor([[0.0, 30.0, 10.0], [0.0, -40.0, 12.0]])
    return torch.cat([torch.stack([half, flipped], 1).flatten(0, 1), middle])


def _true(rotation_rad, translation_mm, camera, light, coefficients) -> Outputs:
    """What a perfect network says of a head before the camera of a crop."""
    rotation = rotation_matrix(rotation_rad)
    points_px = camera.project(_face_mm() @ rotation.T + translation_mm)
    cover = torch.zeros(1, 6, 4, 4)
    cover[0, 1] = points_px.mean(0)[0] / SIDE * torch.linspace(0, 1, 4)
    pose = crop_pose(rotation, translation_mm, camera)
    return Outputs(
        points=points_px[None] / SIDE,
        log_sigma=points_px[None].log(),
        correlation=torch.tanh((_face_mm() @ rotation.T)[None, :, 0] / 50),
        coefficients={name: coefficients[None] for name in BLOCKS},
        log_sigmas={name: torch.zeros(1) for name in SIGMAS},
        pose=pose.map(lambda t: t[None]),
        light_asinh=light[None].asinh(),
        log_tone=torch.tensor([-1.0]),
        cover=cover,
    )


@pytest.fixture
def seen() -> tuple[Outputs, Outputs]:
    """A head in a crop, and the same head in the mirror image of the crop."""
    rotation_rad = torch.tensor([0.2, -0.5, 0.1])
    translation_mm = torch.tensor([10.0, 5.0, -600.0])
    flip = torch.tensor([-1.0, 1.0, 1.0])
    camera = Camera(torch.tensor(400.0), torch.tensor([20.0, 35.0]), SIDE, SIDE)
    turned_camera = camera.replace(principal_point_px=torch.tensor([SIDE - 20.0, 35.0]))
    generator = torch.Generator().manual_seed(0)
    light = torch.randn(9, 3, generator=generator)
    directions = torch.nn.functional.normalize(torch.randn(40, 3, generator=generator), dim=-1)
    seen_in_mirror = sh_basis(directions * flip) @ light
    turned_light = torch.linalg.lstsq(sh_basis(directions), seen_in_mirror).solution
    # A rotation vector is an axial one: what turns about x stays.
    turned_rotation = rotation_rad * torch.tensor([1.0, -1.0, -1.0])
    one = torch.tensor([1.0, 2.0])
    return (
        _true(rotation_rad, translation_mm, camera, light, one),
        _true(turned_rotation, translation_mm * flip, turned_camera, turned_light, -one),
    )


NAMES = ("points", "light_asinh", "log_tone")


def test_what_is_said_of_a_mirror_image_is_told_of_the_crop(seen):
    here, turned = seen[0], turned_over(seen[1], MIRROR)
    for name in NAMES:
        torch.testing.assert_close(getattr(turned, name), getattr(here, name), atol=1e-4, rtol=1e-4)
    for name, value in vars(turned.pose).items():
        torch.testing.assert_close(value, getattr(here.pose, name), atol=1e-5, rtol=1e-4)


def test_covariances_are_turned_over_with_their_points(seen):
    flip = torch.tensor([-1.0, 1.0])
    expected = (flip[:, None] * seen[1].covariance * flip)[:, MIRROR]
    torch.testing.assert_close(turned_over(seen[1], MIRROR).covariance, expected)


def test_turning_over_twice_changes_nothing(seen):
    back = turned_over(turned_over(seen[0], MIRROR), MIRROR)
    for name in (*NAMES, "log_sigma", "correlation", "cover"):
        torch.testing.assert_close(getattr(back, name), getattr(seen[0], name))
    torch.testing.assert_close(back.pose.turned, seen[0].pose.turned)


def test_coefficients_are_those_of_the_crop(seen):
    both = mean_of(seen[0], turned_over(seen[1], MIRROR))
    for name in BLOCKS:
        assert torch.equal(both.coefficients[name], seen[0].coefficients[name])


def test_errors_of_both_sides_are_halved_or_cancel(seen):
    """A network that is right of one side and wrong of the other; and one that errs alike to its
    left on both, which is left and right of the crop."""
    here, there = seen

    def says(of_crop: Outputs, of_mirror: Outputs) -> BothSides:
        def network(image):
            assert len(image) == 2
            torch.testing.assert_close(image[1], image[0].flip(-1))
            together = {
                name: torch.cat([getattr(of_crop, name), getattr(of_mirror, name)])
                for name in (
                    "points",
                    "log_sigma",
                    "correlation",
                    "light_asinh",
                    "log_tone",
                    "cover",
                )
            }
            pose = of_crop.pose.map(lambda t: t)
            pose = pose.replace(
                **{k: torch.cat([v, getattr(of_mirror.pose, k)]) for k, v in vars(pose).items()}
            )
            return of_crop.replace(
                **together,
                pose=pose,
                coefficients={k: v.repeat(2, 1) for k, v in of_crop.coefficients.items()},
                log_sigmas={k: v.repeat(2) for k, v in of_crop.log_sigmas.items()},
            )

        return BothSides(network, MIRROR)

    image = torch.rand(1, 3, SIDE, SIDE)
    off = torch.tensor([0.04, 0.0])
    once = says(here.replace(points=here.points + off), there)(image)
    torch.testing.assert_close(
        once.points - here.points, (off / 2).expand(1, N, 2), atol=1e-5, rtol=0
    )
    alike = says(here.replace(points=here.points + off), there.replace(points=there.points + off))
    torch.testing.assert_close(alike(image).points, here.points, atol=1e-5, rtol=0)
    torch.testing.assert_close(alike(image).pose.turned, here.pose.turned, atol=1e-5, rtol=0)
