"""Heads that are drawn with hair which is known."""

import numpy as np
import torch
from scipy.ndimage import binary_dilation

from fit3dmm.colour import linear_to_srgb
from fit3dmm.export.hair_beside import HairBeside
from fit3dmm.export.hair_cover import HairCoverSettings, Sight
from fit3dmm.export.hair_curtain import HairCurtainSettings, curtain
from fit3dmm.export.hair_fringe import Fringe
from fit3dmm.export.hair_fringe_settings import FringeSettings
from fit3dmm.export.hair_front import front
from fit3dmm.export.hair_hanging import HairShape, HangingHair
from fit3dmm.export.hair_layer import sight_of_hair
from fit3dmm.export.hair_map import HairMap, hair_map
from fit3dmm.export.hair_map_settings import HairMapSettings
from fit3dmm.export.hair_panel import PanelSettings, panel
from fit3dmm.export.hair_raised import outward, raised
from fit3dmm.export.hair_volume import HairVolumeSettings, standing
from fit3dmm.geometry.mesh import build_topology
from fit3dmm.geometry.transform import Similarity
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.observe.photo import Photo, photo_from_array
from fit3dmm.observe.predicted import Predicted
from fit3dmm.render.backend import choose_backend
from fit3dmm.render.depth import depth, posed
from fit3dmm.scene import Scene

SIDE_PX, LIGHT = 256, 0.8
SKIN_LINEAR = torch.tensor([0.42, 0.26, 0.19])
WALL_LINEAR = torch.tensor([0.12, 0.2, 0.28])
COLOURS = {
    "white": (0.62, 0.61, 0.58),
    "grey": (0.22, 0.21, 0.2),
    "blond": (0.36, 0.25, 0.12),
    "brown": (0.07, 0.04, 0.02),
    "black": (0.016, 0.013, 0.01),
}


def told(cover: torch.Tensor) -> Predicted:
    """A network that says nothing but the cover of a whole photo."""
    none = torch.zeros(0)
    return Predicted(
        none, none, none, none, torch.zeros(3), torch.zeros(3), torch.zeros(1), torch.zeros(9, 3),
        torch.zeros(10), torch.tensor(700.0), torch.tensor(0.2), torch.tensor(0.2), cover,
        Similarity.in_plane(1.0, (0.0, 0.0)), SIDE_PX,
    )  # fmt: skip


def long_lines() -> HairBeside:
    """Hair from the temples to beside the throat, a little wider further down."""
    heights = 84.0 - 3.0 * np.arange(83)
    inner = np.interp(-heights, [-84, 30, 165], [56.0, 66.0, 56.0])
    outer = np.interp(-heights, [-84, -40, 165], [84.0, 100.0, 112.0])
    lines = (np.stack([line, line]) for line in (inner, outer))
    return HairBeside(heights, *lines, np.array([-110.0, -95.0]), np.array([True, True]))


def long_hair(model: MorphableModel) -> HairShape:
    """It hangs along these lines from 20 mm of hair, of one colour."""
    raised_mm = 20 * standing(model.regions["scalp"], model, HairVolumeSettings())
    head_mm = raised(model, model.shape_mm(model.zeros()), raised_mm)[model.in_parts("skin")]
    points = curtain(long_lines(), head_mm.double().numpy(), HairCurtainSettings())
    return HairShape(raised_mm, HangingHair(points, np.full((16, 32, 3), 90, np.uint8)))


def fringe_by(model: MorphableModel, raised_mm: torch.Tensor, ends_mm: list[float]) -> HangingHair:
    """A fringe that ends so far below the scalp, from the subject's right to the left."""
    grid = front(model, FringeSettings().front)
    assert grid is not None
    rows, columns = grid.shape
    scalp = grid.at(model.regions["scalp"][:, None]).reshape(rows, columns).numpy() > 0.5
    hairline = np.where(scalp, np.arange(rows)[:, None], 0).max(0)
    down_mm = np.interp(np.linspace(0, 1, columns), np.linspace(0, 1, len(ends_mm)), ends_mm)
    points = grid.at(model.shape_mm(model.zeros())).reshape(rows, columns, 3)
    row_mm = (points[1:] - points[:-1]).norm(dim=-1).mean(0).numpy()
    end = np.minimum(hairline + down_mm / row_mm, rows - 1)
    fringe = Fringe(end, (end - hairline) * row_mm)
    skin = model.shape_mm(model.zeros())
    how = (skin, raised(model, skin, raised_mm), outward(model), PanelSettings(tips_mm=0.0))
    return HangingHair(panel(fringe, grid, *how), np.full((16, 32, 3), 90, np.uint8))


class Sitting:
    """A head that is drawn with hair where a mask of its vertices says, and some beyond it."""

    def __init__(
        self,
        model: MorphableModel,
        scene: Scene,
        hair_mm: torch.Tensor | None = None,
        hanging: HangingHair | None = None,
    ) -> None:
        self.model, self.scene = model, scene
        self.points_mm = posed(model, scene)
        backend = choose_backend("auto", torch.device("cpu"))
        self.normals = backend.vertex_normals(self.points_mm, model.surface.topology)
        away = torch.nn.functional.normalize(self.points_mm, dim=-1)
        self.facing = -(self.normals * away).sum(-1)
        self.px = scene.camera.project(self.points_mm)
        shape_mm = raised(model, model.shape_mm(scene.coefficients), hair_mm)
        topology = model.surface.topology
        self.n_hanging = 0
        if hanging is not None:
            more = hanging.topology.triangles + len(shape_mm)
            self.n_hanging = len(more)
            shape_mm = torch.cat([shape_mm, hanging.vertices_mm])
            topology = build_topology(torch.cat([topology.triangles, more]), len(shape_mm))
        drawn_mm = scene.pose.T_cam_model @ shape_mm
        fragments = depth(drawn_mm, topology, scene.camera)[1]
        self.triangle = fragments.triangle[0].numpy()

    def mask(self, vertices: torch.Tensor) -> np.ndarray:
        """Pixels that show vertices of a mask, or hair that hangs."""
        corners = vertices[self.model.surface.triangles].all(1).numpy()
        corners = np.pad(corners, (0, self.n_hanging), constant_values=True)
        return (self.triangle >= 0) & corners[self.triangle]

    def photo(self, hair: torch.Tensor, colour, thick_px: int = 0) -> tuple[Photo, np.ndarray]:
        """The picture, and where it shows hair."""
        draw = np.random.default_rng(0)
        there = self.mask(hair)
        if thick_px:
            outside = np.asarray(binary_dilation(there, iterations=thick_px)) & (self.triangle < 0)
            there = there | outside
        linear = np.where((self.triangle >= 0)[..., None], SKIN_LINEAR, WALL_LINEAR / LIGHT)
        linear = linear * np.exp(0.03 * draw.standard_normal((SIDE_PX, SIDE_PX, 1)))
        strands = np.exp(0.35 * draw.standard_normal((SIDE_PX, SIDE_PX, 1)) - 0.02)
        linear = np.where(there[..., None], np.array(colour) * strands, linear) * LIGHT
        srgb = linear_to_srgb(torch.from_numpy(linear.clip(0, 1)))
        pixels = (255 * srgb).round().to(torch.uint8).numpy()
        return photo_from_array(pixels, name="drawn"), there

    def map(self, photo: Photo) -> HairMap:
        found = hair_map(photo, None, self.model, self.px, self.facing, 1.5, HairMapSettings())
        assert found is not None
        return found

    def sight(self, photo: Photo) -> Sight:
        seen = torch.ones_like(self.facing)
        return sight_of_hair(
            self.map(photo), self.px, self.facing, seen, HairCoverSettings().grazing
        )
