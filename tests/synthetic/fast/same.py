import numpy as np

from fit3dmm.synthetic.fast import Example


def same_example(a: Example, b: Example) -> bool:
    """Whether two examples agree in every number."""
    pairs = zip(vars(a).values(), vars(b).values(), strict=True)
    return all(np.array_equal(one, other) for one, other in pairs)
