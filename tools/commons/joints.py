"""What turns and about where: eyeballs in gaze units, lower teeth and tongue with the jaw."""

import numpy as np

from commons.head import PARTS, Head
from commons.sources import BaseMesh, Sources, read_target_mm
from commons.tongue import tongue

_EYES = ("eye_left", "eye_right")
_ON_LOWER_JAW = ("teeth_lower", "gums_lower", "tongue")
_JAW_UNITS = ("jawForward", "jawLeft", "jawOpen", "jawRight")
# What eyes turn by without effort, and where detectors' scores end.
_LOOK_UP_DOWN_RAD, _LOOK_ASIDE_RAD = np.radians(25.0), np.radians(30.0)
# Skin of the chin, which has nothing but bone under it: this far from the lower lip's rim, in mm.
_CHIN_BELOW_LIP_MM = (22.0, 40.0)
_CHIN_HALF_WIDTH_MM = 14.0
# Skin whose mean, shifted, is the jaw's hinge: around the ends of the hinge's axis.
_HINGE_REACH_MM = 22.0


def with_turning_things(
    names: tuple[str, ...],
    units_mm: np.ndarray,
    mean_mm: np.ndarray,
    head: Head,
    sources: Sources,
    mesh: BaseMesh,
) -> np.ndarray:
    """(units, base, 3) displacements in which things move too.

    Args:
        units_mm: (units, cut, 3) of the vertices that come from MakeHuman.
        mean_mm: (base, 3) of `organs.with_things`.
    """
    result = np.zeros((len(names), head.n_base, 3))
    result[:, : head.n_cut] = units_mm
    lower = head.in_part(*_ON_LOWER_JAW)
    for row, name in enumerate(names):
        if name.startswith("eyeLook"):
            part = "eye_left" if name.endswith("Left") else "eye_right"
            ball = head.in_part(part)
            result[row, ball] = head.own_mm[ball] @ _gaze_turn(name).T
        elif name in _JAW_UNITS:
            turn, shift = _jaw_motion(name, units_mm[row], mean_mm, head, sources, mesh)
            result[row, lower] = mean_mm[lower] @ turn.T + shift
        elif name == "tongueOut":
            result[row, head.in_part("tongue")] = tongue().out_mm
    return result


def _gaze_turn(name: str) -> np.ndarray:
    """(3, 3) displacement a unit makes of places on the eyeball, from its centre.

    Units move in straight lines, so a turn half-way would sink below the ball; the end of the line
    is put as far above it.
    """
    left = name.endswith("Left")
    way = name.removeprefix("eyeLook").removesuffix("Left").removesuffix("Right")
    if way in ("Up", "Down"):
        angle, axes = _LOOK_UP_DOWN_RAD, (1, 2)
        sign = -1 if way == "Up" else 1
    else:
        angle, axes = _LOOK_ASIDE_RAD, (2, 0)
        sign = 1 if left == (way == "Out") else -1
    turn = np.eye(3)
    a, b = axes
    turn[a, a] = turn[b, b] = np.cos(angle)
    turn[b, a], turn[a, b] = sign * np.sin(angle), -sign * np.sin(angle)
    half_way = np.cos(angle / 2)
    return turn * (1 + (1 - half_way) / (1 + half_way / 2)) - np.eye(3)


def _jaw_motion(
    name: str,
    unit_mm: np.ndarray,
    mean_mm: np.ndarray,
    head: Head,
    sources: Sources,
    mesh: BaseMesh,
) -> tuple[np.ndarray, np.ndarray]:
    """(3, 3) and (3,) affine displacement of the lower jaw in a unit.

    How the jaw turns is read off the artists' lower teeth, how far off the chin: theirs moves as
    their teeth do, ours may have been corrected.
    """
    teeth = np.unique(mesh.quads[mesh.group == "helper-lower-teeth"])
    theirs = read_target_mm(sources.face_units / f"{name}.target")
    system = np.column_stack([mesh.vertices_mm[teeth], np.ones(len(teeth))])
    affine = np.linalg.lstsq(system, theirs[teeth], rcond=None)[0]
    chin = _chin(mean_mm, head)
    place = mesh.vertices_mm[head.vertex[chin]].mean(axis=0)
    expected = place @ affine[:3] + affine[3]
    moved = unit_mm[chin].mean(axis=0)
    strength = (moved @ expected) / (expected @ expected)
    turn = strength * affine[:3].T
    return turn, moved - turn @ mean_mm[chin].mean(axis=0)


def _chin(mean_mm: np.ndarray, head: Head) -> np.ndarray:
    lips = mean_mm[head.lip_rim]
    below = lips[:, 1].mean() - mean_mm[:, 1]
    on_chin = (below > _CHIN_BELOW_LIP_MM[0]) & (below < _CHIN_BELOW_LIP_MM[1])
    on_chin &= np.abs(mean_mm[:, 0]) < _CHIN_HALF_WIDTH_MM
    on_chin &= mean_mm[:, 2] > lips[:, 2].mean() - 15
    return np.flatnonzero(on_chin & (head.part == PARTS.index("skin")))


def joint_weights(
    names: tuple[str, ...], units_mm: np.ndarray, mean_mm: np.ndarray, head: Head
) -> dict[str, np.ndarray]:
    """(base,) weights of each joint: the centres of the eyeballs, and the hinge of the jaw.

    Args:
        units_mm: (units, base, 3) of `with_turning_things`.
    """
    joints = {
        part: _weights(head.origin_mm(part, mean_mm), np.flatnonzero(head.in_part(part)), mean_mm)
        for part in _EYES
    }
    hinge = _hinge_mm(units_mm[names.index("jawOpen")], mean_mm, head)
    skin = np.flatnonzero(head.part == PARTS.index("skin"))
    beside = np.linalg.norm(mean_mm[skin, 1:] - hinge[1:], axis=1) < _HINGE_REACH_MM
    joints["jaw"] = _weights(hinge, skin[beside], mean_mm)
    return joints


def _weights(place_mm: np.ndarray, vertices: np.ndarray, mean_mm: np.ndarray) -> np.ndarray:
    """(base,) the smallest weights of the given vertices that add up to 1 and give a place."""
    system = np.column_stack([mean_mm[vertices], np.ones(len(vertices))]).T
    weights = np.zeros(len(mean_mm))
    weights[vertices] = np.linalg.lstsq(system, np.append(place_mm, 1.0), rcond=None)[0]
    return weights


def _hinge_mm(jaw_open_mm: np.ndarray, mean_mm: np.ndarray, head: Head) -> np.ndarray:
    """(3,) the point of the mid-plane about which the lower teeth turn."""
    teeth = head.in_part("teeth_lower")
    system = np.column_stack([mean_mm[teeth][:, 1:], np.ones(teeth.sum())])
    affine = np.linalg.lstsq(system, jaw_open_mm[teeth][:, 1:], rcond=None)[0]
    return np.append(0.0, -np.linalg.solve(affine[:2].T, affine[2]))
