"""How likely a colour is to be skin's: stored mixtures, and a scikit-learn estimator to train them.

    from fit3dmm.observe.skin import SkinModel, skin_probability

    skin_probability(image_srgb)  # by the published table
    SkinModel.trained().probability(image_srgb)

`SkinClassifier` lies in `fit3dmm.observe.skin.classifier`, the one module that needs scikit-learn:
a fit evaluates stored mixtures without it.
"""

from fit3dmm.observe.skin.model import SkinModel as SkinModel
from fit3dmm.observe.skin.probability import skin_probability as skin_probability
