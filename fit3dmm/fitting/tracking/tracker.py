"""A video gone through from some frame on, and the track that its segments make."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from fit3dmm._parallel import worked_ahead
from fit3dmm._video import Frame, VideoFile
from fit3dmm.fitting.pipeline import package_versions
from fit3dmm.fitting.prepared import PreparedModel
from fit3dmm.fitting.tracking.config import TrackConfig
from fit3dmm.fitting.tracking.follow import Follower
from fit3dmm.fitting.tracking.learn import Learned
from fit3dmm.fitting.tracking.looking import Gaze, Lookout, Seen, Spotted
from fit3dmm.fitting.tracking.person import prepare_person
from fit3dmm.fitting.tracking.segments import Resumption, Segment, segments
from fit3dmm.fitting.tracking.track import Track
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.observe.detect import FaceDetector
from fit3dmm.regress.laid_out import laid_out
from fit3dmm.scene import Lighting, Pose

FOLLOWING = "following the face"
# Frames that are looked at before they are needed, and in which faces are found before they are
# looked at: enough for the three threads not to wait.
_AHEAD, _SPOTTED_AHEAD = 6, 2


@dataclass(frozen=True)
class Tracker:
    """Follows one person through one video."""

    video: VideoFile
    learned: Learned
    prepared: PreparedModel
    """That key frames were fitted with."""
    coarse: MorphableModel
    """The same model at the level by which frames are compared."""
    config: TrackConfig
    detector: FaceDetector

    def segments(
        self, begin: Resumption, advance: Callable[[int], None] = lambda done: None
    ) -> Iterator[tuple[Segment, Resumption]]:
        """Finished frames, from some frame on, with what those behind them need.

        Args:
            begin: `Resumption.start()`, or what came with the last segment of an earlier run.
            advance: called after each frame with how many have been followed.
        """
        looks = worked_ahead(self._looks(self.lookout(begin.gaze), begin.next), _AHEAD)
        try:
            yield from segments(_counted(looks, advance), self.follower(), begin)
        finally:
            looks.close()

    def lookout(self, gaze: Gaze | None = None) -> Lookout:
        """What looks at frames, with the network laid out for many of them.

        Args:
            gaze: where an earlier run was.
        """
        prepared, regressor = self.prepared, self.prepared.regressor
        if regressor is not None and self.config.frame.uses_network:
            network = laid_out(regressor.network, regressor.info.size_px)
            prepared = prepared.replace(regressor=replace(regressor, network=network))
        return Lookout(self.detector, prepared, self.config, gaze)

    def follower(self) -> Follower:
        """What frames are fitted with."""
        n_samples = self.config.frame.photometric.n_samples
        person = prepare_person(self.prepared, self.coarse, self.learned.person, n_samples)
        log_focal = self.learned.camera.focal_px.log()[None]
        return Follower(person, self.config, log_focal, self.learned.irradiance_sh)

    def track(self, parts: Sequence[Segment]) -> Track:
        """All segments together.

        Args:
            parts: in their order, from the first frame of the video on.
        """

        def joined(name: str) -> Tensor:
            return torch.cat([getattr(part, name) for part in parts])

        errors, model = joined("landmark_error_mm"), self.prepared.model
        return Track(
            name=self.video.name,
            times_s=joined("times_s"),
            found=errors.isfinite(),
            person=self.learned.person,
            camera=self.learned.camera,
            expression=joined("expression"),
            expression_names=model.expression_names,
            pose=Pose(joined("rotation_rad"), joined("translation_mm")),
            lighting=Lighting(joined("irradiance_sh")),
            landmark_error_mm=errors,
            key_frames=self.learned.key_frames,
            doubtful_key_frames=self.learned.doubtful,
            model=model.info,
            level=model.surface.level,
            config=self.config,
            versions=package_versions(),
        )

    def _looks(self, lookout: Lookout, first: int) -> Iterator[tuple[Seen, Gaze]]:
        """Looks at frames in which a further thread finds the face."""
        spots = worked_ahead(self._spots(lookout, first), _SPOTTED_AHEAD)
        try:
            # Whether derivatives are kept is a matter of each thread.
            with torch.no_grad():
                for spotted, gaze in spots:
                    yield lookout.seen(spotted), gaze
        finally:
            spots.close()

    def _spots(self, lookout: Lookout, first: int) -> Iterator[tuple[Spotted, Gaze]]:
        with torch.no_grad():
            yield from lookout.spots(_from(self.video.frames(), first))


def _counted(
    looks: Iterator[tuple[Seen, Gaze]], advance: Callable[[int], None]
) -> Iterator[tuple[Seen, Gaze]]:
    for one in looks:
        yield one
        # The next is asked for when this one has been followed.
        advance(one[0].index + 1)


def _from(frames: Iterator[Frame], first: int) -> Iterator[Frame]:
    """Without those before. They are decoded, for each frame rests on those before it."""
    return (frame for frame in frames if frame.index >= first)
