"""From a scene to a picture: one contract, a fast processor backend and an optional CUDA one."""
