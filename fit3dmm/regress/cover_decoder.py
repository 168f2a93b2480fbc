"""From a trunk's features to a map of what covers the face."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from fit3dmm.observe.predicted import COVERS
from fit3dmm.regress.trunks import Features
from fit3dmm.regress.zeroed import zeroed


class CoverDecoder(nn.Module):
    """From coarse to fine, with what each resolution knows (T.-Y. Lin et al., "Feature pyramid
    networks for object detection", CVPR 2017)."""

    _WIDTH = 32

    def __init__(self, fine: int, middle: int, coarse: int, cells: int) -> None:
        super().__init__()
        self._cells = cells
        self.laterals = nn.ModuleList(nn.Conv2d(c, self._WIDTH, 1) for c in (coarse, middle, fine))
        self.smooth = nn.ModuleList(
            nn.Conv2d(self._WIDTH, self._WIDTH, 3, padding=1, groups=1) for _ in range(3)
        )
        self.say = zeroed(nn.Conv2d(self._WIDTH, len(COVERS), 1))

    def forward(self, features: Features) -> Float[Tensor, "batch kinds cells cells"]:
        maps = (features.coarse, features.middle, features.fine)
        x = self.laterals[0](maps[0])
        for place in (1, 2):
            lateral = self.laterals[place](maps[place])
            x = F.silu(self.smooth[place - 1](_enlarged(x, lateral.shape[-1]) + lateral))
        return self.say(F.silu(self.smooth[2](_enlarged(x, self._cells))))


def _enlarged(x: Tensor, side: int) -> Tensor:
    return F.interpolate(x, (side, side), mode="bilinear", align_corners=False)
