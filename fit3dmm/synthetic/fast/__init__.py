"""Pictures to train networks on: many a second, every label exact, one seed one picture.

A `Studio` holds what all pictures share; `Studio.take(seed)` gives an `Example`. Photos to measure
fits on are traced, slowly, by `fit3dmm.synthetic.generate`; nothing is shared with them but the
light probes and the props.
"""

from fit3dmm.observe.predicted import COVERS as COVERS
from fit3dmm.synthetic.fast.example import Example as Example
from fit3dmm.synthetic.fast.studio import Studio as Studio
from fit3dmm.synthetic.fast.studio import StudioSettings as StudioSettings
