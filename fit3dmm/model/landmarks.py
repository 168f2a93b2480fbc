"""Point sets that models have, by what their fields call them."""

NOW7_IN_IBUG68 = (36, 39, 42, 45, 33, 48, 54)
"""The seven points of the NoW challenge among the 68 of iBUG, in NoW's order: the outer and inner
corner of the right eye, the inner and outer corner of the left one, the nose's bottom, the right
and left corner of the mouth."""

NETWORK_POINTS = ("mediapipe478", "spread200")
"""The sets that a network learns to see, one after another: the detector's, and points spread over
what it leaves out."""
