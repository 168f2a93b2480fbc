"""Points of a model with joints: linear at rest, then carried by what they hang on.

Equations 2-6 of M. Loper et al., "SMPL: a skinned multi-person linear model", SIGGRAPH Asia 2015,
for points of the surface. Their derivatives are told like a mechanic's: when a joint turns, all
that it carries turns about its axis through the place where its centre is by then.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from fit3dmm._tensors import TensorRecord
from fit3dmm.energy.points import LinearPoints, Located
from fit3dmm.geometry.rotation import cross_matrix, left_jacobian, rotation_matrix
from fit3dmm.model.rig import AXES, Motion, motion_of, turn_features
from fit3dmm.solve.problem import Values
from fit3dmm.unknowns import JOINTS

FEATURES = "turn_features"
"""What pose correctives are linear in: a function of the joints, and no unknown of its own."""


@dataclass(frozen=True)
class JointTree(TensorRecord):
    """What carries what, and about what it turns."""

    parents: tuple[int, ...]
    """As a `Rig` has them."""
    centres: LinearPoints
    """Of the joints, before anything turns."""

    def carriers(self, joint: int) -> list[int]:
        """The joint and those that carry it."""
        found = []
        while joint >= 0:
            found.append(joint)
            joint = self.parents[joint]
        return found


@dataclass(frozen=True)
class SkinnedPoints(TensorRecord):
    """Points that go with joints by shares; what they have of the head goes with none.

    A point that n joints carry is listed n times in what is `carried`: most are by none or one.
    """

    rest: LinearPoints
    """Before anything turns: linear in the coefficients and in `FEATURES`."""
    carried: LinearPoints
    """For each pair of a point and a joint, the point times the joint's share in it."""
    point: Int[Tensor, "pairs"]
    joint: Int[Tensor, "pairs"]
    share: Float[Tensor, "pairs"]
    """Of the joint in the point."""
    tree: JointTree

    def __len__(self) -> int:
        return len(self.rest)

    @property
    def mean(self) -> Float[Tensor, "points c"]:
        """On the mean face, with all joints at rest."""
        return self.rest.mean

    def at(self, values: Values) -> Located:
        """See `Points`."""
        vectors = values[JOINTS].unflatten(-1, (-1, AXES))
        turns = rotation_matrix(vectors)
        values = {**values, FEATURES: turn_features(turns)}
        rest, carried = self.rest.at(values), self.carried.at(values)
        centres = self.tree.centres.at(values)
        motion = motion_of(self.tree.parents, turns, centres.mm)
        more = motion.rotation[..., self.joint, :, :] - torch.eye(3).to(turns)
        lifted = self.share[:, None] * motion.shift_mm[..., self.joint, :]
        apart = _turned(more, carried.coordinates[..., None])[..., 0]
        apart = torch.cat([apart[..., :3] + lifted, apart[..., 3:]], -1)
        wrt = {
            name: self._added(part, _turned(more, carried.wrt[name]))
            for name, part in rest.wrt.items()
        }
        for name, part in centres.wrt.items():
            wrt[name] = self._added_to_places(wrt[name], self._shift_wrt(motion, turns, part))
        of_features = wrt.pop(FEATURES)
        moved = carried.coordinates + apart
        by_turning = self._wrt_joints(vectors, motion, centres.mm, moved)
        by_correcting = of_features @ _features_wrt(vectors, turns)
        wrt[JOINTS] = by_turning + by_correcting
        return Located(self._added(rest.coordinates[..., None], apart[..., None])[..., 0], wrt)

    def select(self, rows: Tensor) -> "SkinnedPoints":
        """See `Points`."""
        # A point may be asked for twice: each asking gets all pairs of its point.
        asked, pair = torch.nonzero(rows[:, None] == self.point, as_tuple=True)
        return self.replace(
            rest=self.rest.select(rows),
            carried=self.carried.select(pair),
            point=asked,
            joint=self.joint[pair],
            share=self.share[pair],
        )

    def followed_by(self, *others: "SkinnedPoints") -> "SkinnedPoints":
        """These points and others of the same model, one after another."""
        every = (self, *others)
        counts = torch.tensor([0, *(len(one) for one in every[:-1])]).cumsum(0).tolist()
        return self.replace(
            rest=self.rest.followed_by(*(one.rest for one in others)),
            carried=self.carried.followed_by(*(one.carried for one in others)),
            point=torch.cat([one.point + n for one, n in zip(every, counts, strict=True)]),
            joint=torch.cat([one.joint for one in every]),
            share=torch.cat([one.share for one in every]),
        )

    def shifted(self, by: Float[Tensor, "points c"]) -> "SkinnedPoints":
        """See `Points`: at rest, so that what is shifted still turns with its joint."""
        of_pairs = self.share[:, None] * by[self.point]
        return self.replace(rest=self.rest.shifted(by), carried=self.carried.shifted(of_pairs))

    def unturned(self, values: Values, by: Float[Tensor, "points 3"]) -> Float[Tensor, "points 3"]:
        """Vectors at the points as they are at some values, back before the joints turned: what
        `shifted` adds to the normals for them to be longer by these."""
        turns = rotation_matrix(values[JOINTS].unflatten(-1, (-1, AXES)))
        motion = motion_of(self.tree.parents, turns, self.tree.centres.at(values).mm)
        eye = torch.eye(3).to(turns)
        more = self.share[:, None, None] * (motion.rotation[self.joint] - eye)
        turn = eye.expand(len(self), 3, 3).index_add(0, self.point, more)
        return torch.linalg.solve(turn, by[..., None])[..., 0]

    def _added(self, whole: Tensor, of_pairs: Tensor) -> Tensor:
        """What each point has at rest, and what its joints make of it."""
        batch = torch.broadcast_shapes(whole.shape[:-3], of_pairs.shape[:-3])
        whole = whole.expand(*batch, *whole.shape[-3:])
        of_pairs = of_pairs.expand(*batch, *of_pairs.shape[-3:])
        return whole.index_add(-3, self.point, of_pairs)

    def _added_to_places(self, whole: Tensor, of_pairs: Tensor) -> Tensor:
        """The same where normals stay as they are."""
        still = torch.zeros_like(whole[..., :1, 3:, :]).expand(
            *of_pairs.shape[:-2], whole.shape[-2] - 3, whole.shape[-1]
        )
        return self._added(whole, torch.cat([of_pairs, still], -2))

    def _shift_wrt(
        self, motion: Motion, turns: Tensor, centres_wrt: Float[Tensor, "joints 3 n"]
    ) -> Float[Tensor, "*batch pairs 3 n"]:
        """How the shifts of all pairs follow the centres: a joint's own and its carriers'."""
        eye = torch.eye(3).to(turns)
        shifts = []
        for joint in range(len(self.tree.parents)):
            total = 0.0
            for one in self.tree.carriers(joint):
                parent = self.tree.parents[one]
                before = eye if parent < 0 else motion.rotation[..., parent, :, :]
                total = total + before @ (eye - turns[..., one, :, :]) @ centres_wrt[one]
            shifts.append(total)
        return self.share[:, None, None] * torch.stack(shifts, -3)[..., self.joint, :, :]

    def _wrt_joints(
        self, vectors: Tensor, motion: Motion, centres_mm: Tensor, moved: Tensor
    ) -> Float[Tensor, "*batch points c turns"]:
        """What the turning itself does to the pairs, as they lie by now, and so to the points."""
        jacobian = left_jacobian(vectors)
        parts = []
        for joint, parent in enumerate(self.tree.parents):
            axes, centre = jacobian[..., joint, :, :], centres_mm[..., joint, :]
            if parent >= 0:
                turn = motion.rotation[..., parent, :, :]
                axes = turn @ axes
                centre = (turn @ centre[..., None])[..., 0] + motion.shift_mm[..., parent, :]
            carries = torch.tensor(
                [joint in self.tree.carriers(k) for k in range(len(self.tree.parents))]
            ).to(self.share)
            arms = moved.unflatten(-1, (-1, 3))
            arms = torch.cat(
                [arms[..., :1, :] - (self.share[:, None] * centre[..., None, :])[..., None, :],
                 arms[..., 1:, :]],
                -2,
            )  # fmt: skip
            swept = -cross_matrix(arms) @ axes[..., None, None, :, :]
            parts.append((carries[self.joint][:, None, None, None] * swept).flatten(-3, -2))
        swept = torch.cat(parts, -1)
        points = swept.new_zeros(len(self), *swept.shape[-2:])
        return self._added(points, swept)


def _turned(
    turn: Float[Tensor, "*batch pairs 3 3"], columns: Float[Tensor, "*any pairs c n"]
) -> Float[Tensor, "*all pairs c n"]:
    """Places and normals each turned."""
    return torch.cat([turn @ part for part in columns.split(3, -2)], -2)


def _features_wrt(
    vectors: Float[Tensor, "*batch joints 3"], turns: Float[Tensor, "*batch joints 3 3"]
) -> Float[Tensor, "*batch 1 features turns"]:
    """Derivatives of `turn_features` with respect to all rotation vectors."""
    axes = left_jacobian(vectors).mT  # one a row
    by_axis = cross_matrix(axes) @ turns[..., None, :, :]
    of_joint = by_axis.flatten(-2).mT
    n = vectors.shape[-2]
    blocks = torch.zeros(*vectors.shape[:-2], n, 9, n, AXES).to(of_joint)
    for joint in range(n):
        blocks[..., joint, :, joint, :] = of_joint[..., joint, :, :]
    return blocks.flatten(-2).flatten(-3, -2)[..., None, :, :]
