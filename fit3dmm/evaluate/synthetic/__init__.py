"""A benchmark that needs no licence and no download: photos of heads made for it."""

from fit3dmm.evaluate.synthetic.compare import Comparison as Comparison
from fit3dmm.evaluate.synthetic.compare import compare_methods as compare_methods
from fit3dmm.evaluate.synthetic.compare import make_set as make_set
from fit3dmm.evaluate.synthetic.protocol import Synthetic as Synthetic
