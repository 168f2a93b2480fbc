"""What of a photo is taken into a texture, and how the rest of the head is drawn."""

from dataclasses import dataclass, field

from fit3dmm._settings import Settings
from fit3dmm.export.alignment import AlignmentSettings
from fit3dmm.export.beard import BeardSettings
from fit3dmm.export.covered import CoverSettings
from fit3dmm.export.delight import DelightSettings
from fit3dmm.export.hair_below import HairBelowSettings
from fit3dmm.export.hair_colour import HairSettings
from fit3dmm.export.hair_fringe_settings import FringeSettings
from fit3dmm.export.hair_layer import HairLayerSettings
from fit3dmm.export.hair_panel import PanelSettings
from fit3dmm.export.hair_volume import HairVolumeSettings
from fit3dmm.export.infill import InfillSettings
from fit3dmm.export.iris import IrisSettings
from fit3dmm.export.lids import LidSettings
from fit3dmm.export.occlusion import OcclusionSettings
from fit3dmm.export.one_sided import ShadowSettings
from fit3dmm.export.organs import OrganSettings
from fit3dmm.export.tint import TintSettings
from fit3dmm.export.traced import TraceSettings


@dataclass(frozen=True)
class TextureSettings(Settings):
    """What of a photo is taken into a texture.

    Pairs are where a weight begins to rise and where it is 1 (or to fall, and is 0). The
    numbers are judgements for the reasons given, not measurements.
    """

    grazing: tuple[float, float] = (0.2, 0.6)
    """Cosine of the angle between normal and view: a surface is seen from the first, well from the
    second."""
    folded: tuple[float, float] = (0.3, 0.6)
    """Share of a place's area with shut eyes: the lid of an open eye is folded, and the little that
    is seen of it would be drawn out when it shuts."""
    dark: tuple[float, float] = (0.1, 0.3)
    """Share of the face's median light, channel by channel, below which a colour is mostly noise
    when it is divided by it."""
    clipped: tuple[float, float] = (0.9, 0.99)
    """Linear light at which the brightest channel of a photo is cut off."""
    glare: tuple[float, float] = (0.3, 0.6)
    """Natural logarithm of a colour over what the fitted one with its tint makes expected:
    highlights."""
    downward: tuple[float, float] = (0.5, 0.8)
    """Minus the vertical part of the normal: from the first on a chin is seen from below, in its
    own shadow and beside what is behind it, and from the second not taken at all."""
    feather_rounds: int = 6
    """The width over which weights fade, in edges."""
    occlusion: OcclusionSettings = field(default_factory=OcclusionSettings)
    """What stands before the face."""
    tint: TintSettings = field(default_factory=TintSettings)
    """How the photo's colours differ at large."""
    iris: IrisSettings = field(default_factory=IrisSettings)
    """What is looked at of the eyes."""
    cover: CoverSettings = field(default_factory=CoverSettings)
    """How far the network's map of what lies before the face is trusted."""
    trace: TraceSettings = field(default_factory=TraceSettings)
    """How strands and rims are followed from there."""
    delight: DelightSettings = field(default_factory=DelightSettings)
    """What of light and expression is taken out."""
    shadow: ShadowSettings = field(default_factory=ShadowSettings)
    """What of shadows that fall on one side is taken out."""
    infill: InfillSettings = field(default_factory=InfillSettings)
    """How far what lies about a place goes on in it, where it is not taken from the photo."""
    alignment: AlignmentSettings = field(default_factory=AlignmentSettings)
    """How far lips and lids may lie off."""
    organs: OrganSettings = field(default_factory=OrganSettings)
    """What clean eyes and teeth look like."""
    lids: LidSettings = field(default_factory=LidSettings)
    """What lids and lashes do to eyes."""
    beard: BeardSettings = field(default_factory=BeardSettings)
    """What a white beard is."""
    hair_layer: HairLayerSettings = field(default_factory=HairLayerSettings)
    """What of the hair is taken from a photo."""
    hair: HairSettings = field(default_factory=HairSettings)
    """What hair is and how it is drawn."""
    volume: HairVolumeSettings = field(default_factory=HairVolumeSettings)
    """How far it stands off."""
    below: HairBelowSettings = field(default_factory=HairBelowSettings)
    """How it hangs beside face and neck."""
    fringe: FringeSettings = field(default_factory=FringeSettings)
    """What hangs over a forehead."""
    panel: PanelSettings = field(default_factory=PanelSettings)
    """What that looks like."""
