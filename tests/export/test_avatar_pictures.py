"""The avatar, read back from its file and drawn: it is the model's face, with no holes."""

import numpy as np
import pytest
import torch
from scipy.ndimage import label
from torch import Tensor

from fit3dmm.export.split import drawn_surface
from fit3dmm.geometry.camera import Camera
from fit3dmm.geometry.mesh import Topology, build_topology
from fit3dmm.geometry.rotation import rotation_from_angles
from fit3dmm.render import Rendering, render_mesh
from fit3dmm.scene import Lighting
from tests.export.faces import Rigged, rigged_face
from tests.export.gltf_reader import ReadAvatar

_BOTH_SMILE = {"mouthSmileLeft": 1.0, "mouthSmileRight": 1.0}
_EYES_LEFT = {"eyeLookOutLeft": 1.0, "eyeLookInRight": 1.0}
VIEWS = {
    "neutral": ({}, 0.0),
    "jaw open": ({"jawOpen": 1.0}, 0.0),
    "smile": (_BOTH_SMILE, 20.0),
    "eyes left": (_EYES_LEFT, 0.0),
    "profile": ({}, 90.0),
}
TURNS = {
    "jaw": (20.0, 0.0),
    "head": (-20.0, 30.0),
    "neck": (20.0, 0.0),
    "eye_left": (10.0, 25.0),
}


@pytest.fixture(scope="module")
def rigged(tmp_path_factory: pytest.TempPathFactory) -> Rigged:
    return rigged_face(tmp_path_factory.mktemp("pictures"), seed=8)


def draw(points_mm: np.ndarray, topology: Topology, yaw_deg: float, size_px: int) -> Rendering:
    """From 90 cm, the head as large as the picture."""
    turned = points_mm @ rotation_from_angles(0.0, yaw_deg, 0.0).T + [0.0, 0.0, -900.0]
    points = torch.from_numpy(turned).float()
    camera = Camera.centred(3.0 * size_px, size_px, size_px)
    grey, light = torch.full_like(points, 0.5), Lighting.ambient_white()
    return render_mesh(points, grey, topology, camera, light, silhouettes=False)


def whole(read: ReadAvatar, **pose) -> tuple[np.ndarray, Topology]:
    """All meshes of the file in one."""
    points, triangles, n = [], [], 0
    for name in read.meshes:
        drawn = read.drawn(name, **pose)
        points.append(drawn.points_mm)
        triangles.append(drawn.triangles + n)
        n += len(drawn.points_mm)
    return np.concatenate(points), build_topology(torch.from_numpy(np.concatenate(triangles)), n)


def holes_px(seen: Tensor) -> int:
    """Pixels of the background that the outside does not reach, diagonals included."""
    parts, n = label(~seen.numpy(), structure=np.ones((3, 3)))
    outside = set(np.unique(parts[0])) | set(np.unique(parts[:, 0])) | set(np.unique(parts[:, -1]))
    return sum(int((parts == k).sum()) for k in range(1, n + 1) if k not in outside)


@pytest.mark.parametrize("view", VIEWS)
def test_the_file_looks_as_the_model_does(rigged, view):
    activations, yaw_deg = VIEWS[view]
    model, person = rigged.model, rigged.person
    expression = torch.tensor([activations.get(name, 0.0) for name in model.expression_names])
    points_mm = model.shape_mm(person.replace(expression=expression)).double().numpy()
    expected = draw(points_mm, drawn_surface(model).topology, yaw_deg, 256)
    found = draw(*whole(rigged.read, activations=activations), yaw_deg, 256)
    seen = (expected.coverage > 0) & (found.coverage > 0)
    assert seen.float().mean() > 0.2
    # Pixels whose centre a silhouette touches may fall to either side.
    assert (expected.coverage != found.coverage).sum() <= 2
    apart_mm = (expected.depth_mm - found.depth_mm)[seen].abs()
    assert torch.quantile(apart_mm, 0.999) < 0.05


@pytest.mark.parametrize("yaw_deg", [0.0, 45.0, -90.0])
def test_no_picture_has_pinholes(rigged, yaw_deg):
    """Parts that are cut apart, and seams that bones bend, must not let the background through."""
    turns = {name: rotation_from_angles(*angles, 0.0) for name, angles in TURNS.items()}
    for pose in ({}, {"turns": turns}, {"activations": {"jawOpen": 0.7, **_EYES_LEFT}}):
        picture = draw(*whole(rigged.read, **pose), yaw_deg, 1024)
        assert holes_px(picture.coverage > 0) == 0
