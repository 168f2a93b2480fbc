"""MakeHuman's controls as displacements of the head: phenotypes and local modifiers.

The phenotypes (sex, age, ancestry, weight, muscle) combine as MakeHuman combines them: each named
target has the product of its factors as weight, and age, weight and muscle are piecewise linear
between their named stations.
"""

import itertools
from dataclasses import dataclass

import numpy as np

from commons.head import Head
from commons.sources import BaseMesh, Sources, read_target_mm

ANCESTRIES = ("african", "asian", "caucasian")
# Folders of local modifiers that shape the head. Expressions are no identity.
_LOCAL_FOLDERS = (
    "asym", "cheek", "chin", "ears", "eyebrows", "eyes", "forehead", "head", "mouth", "neck",
    "nose",
)  # fmt: skip
# Each pair is one two-sided control; modifiers without a partner are one-sided.
_OPPOSITES = (
    ("decr", "incr"), ("down", "up"), ("in", "out"), ("backward", "forward"),
    ("concave", "convex"), ("compress", "uncompress"),
)  # fmt: skip


@dataclass(frozen=True)
class Phenotype:
    """Arrays of people, each value in 0..1 as in MakeHuman; age 0.5 is 25 years and 1 is 90."""

    male: np.ndarray
    age: np.ndarray
    weight: np.ndarray
    muscle: np.ndarray
    ancestry: np.ndarray
    """(people, 3) shares of ANCESTRIES."""


def phenotype_shapes_mm(
    sources: Sources, mesh: BaseMesh, head: Head, people: Phenotype
) -> np.ndarray:
    """(people, base, 3) heads of adults, in MakeHuman's frame."""
    folder = sources.mpfb2 / "targets" / "macrodetails"
    sexes = {"female": 1 - people.male, "male": people.male}
    old = np.clip((people.age - 0.5) / 0.5, 0, 1)
    ages = {"young": 1 - old, "old": old}
    weights = _stations("weight", people.weight)
    muscles = _stations("muscle", people.muscle)
    shape = np.repeat(mesh.vertices_mm[head.vertex][None], len(people.male), axis=0)
    for (sex, w_sex), (age, w_age) in itertools.product(sexes.items(), ages.items()):
        for i, ancestry in enumerate(ANCESTRIES):
            target = read_target_mm(folder / f"{ancestry}-{sex}-{age}.target.gz")[head.vertex]
            shape += (w_sex * w_age * people.ancestry[:, i])[:, None, None] * target
        for (muscle, w_muscle), (weight, w_weight) in itertools.product(
            muscles.items(), weights.items()
        ):
            name = f"universal-{sex}-{age}-{muscle}-{weight}.target.gz"
            target = read_target_mm(folder / name)[head.vertex]
            shape += (w_sex * w_age * w_muscle * w_weight)[:, None, None] * target
    return shape


def _stations(name: str, value: np.ndarray) -> dict[str, np.ndarray]:
    return {
        f"min{name}": np.clip(1 - 2 * value, 0, 1),
        f"average{name}": 1 - np.abs(2 * value - 1),
        f"max{name}": np.clip(2 * value - 1, 0, 1),
    }


def local_controls_mm(sources: Sources, head: Head) -> tuple[tuple[str, ...], np.ndarray]:
    """Names and (controls, base, 3) displacements at full deflection of the local modifiers.

    Two opposite targets become one direction, half their difference: what they have in common is
    not a deflection. Modifiers that do not move the head are left out.
    """
    targets = {}
    for folder in _LOCAL_FOLDERS:
        for path in sorted((sources.mpfb2 / "targets" / folder).glob("*.target.gz")):
            name = path.name.removesuffix(".target.gz")
            displacement = read_target_mm(path)[head.vertex]
            if np.abs(displacement).max() > 0.05:
                targets[name] = displacement
    controls = {}
    for name, displacement in targets.items():
        for minus, plus in _OPPOSITES:
            if name.endswith(f"-{plus}") and (other := f"{name[: -len(plus)]}{minus}") in targets:
                controls[name] = (displacement - targets[other]) / 2
                break
        else:
            if not any(
                name.endswith(f"-{minus}") and f"{name[: -len(minus)]}{plus}" in targets
                for minus, plus in _OPPOSITES
            ):
                controls[name] = displacement
    return tuple(controls), np.stack(list(controls.values()))


def average_adult_mm(sources: Sources, mesh: BaseMesh, head: Head) -> np.ndarray:
    """(base, 3) mean of both sexes and all ancestries at about 45 years, in MakeHuman's frame."""
    cases = np.array(list(itertools.product((0.0, 1.0), range(len(ANCESTRIES)))))
    n = len(cases)
    people = Phenotype(
        male=cases[:, 0],
        age=np.full(n, 0.65),
        weight=np.full(n, 0.5),
        muscle=np.full(n, 0.5),
        ancestry=np.eye(len(ANCESTRIES))[cases[:, 1].astype(int)],
    )
    shapes = phenotype_shapes_mm(sources, mesh, head, people)
    return (shapes - shapes.mean(axis=1, keepdims=True)).mean(axis=0)
