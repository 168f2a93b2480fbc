"""Lights with names, for looking at faces."""

from fit3dmm.scene import Lighting


def named_lights() -> dict[str, Lighting]:
    """What `fit3dmm render --light` knows; all are about as bright on the side that we see.

    `ambient` shows pure albedo, `studio` a soft lamp at the upper left, `side` and `above` one lamp
    with a little fill, `coloured` a warm lamp on the left and a cold one on the right.
    """
    lamp = Lighting.directional
    return {
        "ambient": Lighting.ambient_white(),
        "studio": Lighting.ambient_white(0.45) + lamp((-0.5, 0.6, 0.9), (0.75, 0.75, 0.75)),
        "side": Lighting.ambient_white(0.15) + lamp((-1.0, 0.1, 0.3), (1.1, 1.1, 1.1)),
        "above": Lighting.ambient_white(0.15) + lamp((0.0, 1.0, 0.35), (1.1, 1.1, 1.1)),
        "coloured": Lighting.ambient_white(0.1)
        + lamp((-1.0, 0.3, 0.5), (1.1, 0.65, 0.35))
        + lamp((1.0, 0.1, 0.4), (0.2, 0.45, 0.9)),
    }
