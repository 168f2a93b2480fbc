"""A video: one person from key frames, then pose, expression and light of every frame."""

from fit3dmm.fitting.tracking.config import KeyFrames as KeyFrames
from fit3dmm.fitting.tracking.config import Motion as Motion
from fit3dmm.fitting.tracking.config import TrackConfig as TrackConfig
from fit3dmm.fitting.tracking.config import frame_config as frame_config
from fit3dmm.fitting.tracking.config import without_network as without_network
from fit3dmm.fitting.tracking.track import Track as Track
