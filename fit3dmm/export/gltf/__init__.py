"""An avatar as glTF: the one door to pygltflib."""
