"""A photo that a texture is made of, and what it shows of a head: records."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from fit3dmm.export.beard import Beard
from fit3dmm.export.hair_beside import HairBeside
from fit3dmm.export.hair_cover import Sight
from fit3dmm.export.hair_fringe import Fringe
from fit3dmm.export.hair_map import HairMap
from fit3dmm.export.hair_outline import HairOutline
from fit3dmm.export.view import PhotoView
from fit3dmm.observe.photo import Photo
from fit3dmm.observe.predicted import Predicted
from fit3dmm.scene import Scene


@dataclass(frozen=True)
class Shown:
    """A photo that a texture is made of."""

    scene: Scene
    """In the `photo` frame, without batch axes."""
    photo: Photo
    """The one that was fitted."""
    points_px: Float[Tensor, "478 2"] | None = None
    """MediaPipe's points in the photo; without them it says nothing of the irises, and lips lie
    where they were fitted."""
    predicted: Predicted | None = None
    """What the model's network saw; without it hair has the model's colour, and glasses stay."""


@dataclass(frozen=True)
class Layer:
    """Vertex values from which one layer of the texture is made; see `mirrored`."""

    places_px: Float[Tensor, "vertices 2"]
    """Where the view shows each vertex."""
    log_factor: Float[Tensor, "vertices 3"]
    """Natural logarithm of what the photo's colour is multiplied with, but for the skin's tint."""
    weight: Float[Tensor, "vertices"]
    """How well the photo shows the vertex, 0..1."""
    px_per_mm: Float[Tensor, "vertices"]
    """How fine the photo is there."""


@dataclass(frozen=True)
class HairSeen:
    """Hair in one photo."""

    colour_linear: Float[Tensor, "3"] | None
    """Its albedo; None where too little is seen."""
    sight: Sight
    outline: HairOutline
    """Where it ends."""
    volume_mm: Float[Tensor, "vertices"] | None
    """How far it stands off, by this photo alone; None where that is not told."""
    map: HairMap
    beside: HairBeside | None
    """What hangs beside face and neck."""
    fringe: Fringe | None
    """What hangs over the forehead."""
    face_light_linear: Float[Tensor, "3"]
    """What white would show on the face."""


@dataclass(frozen=True)
class Seen:
    """What one photo shows of a head."""

    view: PhotoView
    points_cam_mm: Float[Tensor, "vertices 3"]
    light_linear: Float[Tensor, "vertices 3"]
    """What a white surface would show."""
    tint: Float[Tensor, "vertices 3"]
    """Logarithm of the photo's colour over the fitted one, at large."""
    own_tint: Float[Tensor, "vertices 3"]
    """What of it is the skin's own."""
    layer: Layer
    around: Float[Tensor, "vertices 3"]
    """Logarithm of what lies about each vertex over the fitted colour with its tint."""
    hair: HairSeen | None
    """What it shows of the hair."""
    beard: Beard | None
    """A white one."""


def mirrored(layer: Layer, mirror: Tensor) -> Layer:
    """For each vertex what its counterpart on the other side shows."""
    return Layer(
        layer.places_px[mirror],
        layer.log_factor[mirror],
        layer.weight[mirror],
        layer.px_per_mm[mirror],
    )
