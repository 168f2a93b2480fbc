"""Takes pictures: draws everything that can be drawn, shoots, develops, and writes the labels."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import UInt8

from fit3dmm.model.morphable import MorphableModel
from fit3dmm.observe.predicted import BACKGROUND, COVERS, GLASSES, HAIR, SKIN
from fit3dmm.synthetic.eyes import Eyes, draw_eyes
from fit3dmm.synthetic.fast.backdrop import backdrop
from fit3dmm.synthetic.fast.example import Example
from fit3dmm.synthetic.fast.film import develop, expose
from fit3dmm.synthetic.fast.folds import Folds, folds_of
from fit3dmm.synthetic.fast.lamps import draw_light
from fit3dmm.synthetic.fast.people import Person, draw_person
from fit3dmm.synthetic.fast.sitters import Sitters, gather_sitters
from fit3dmm.synthetic.fast.stage import SAMPLES, Piece, Shot, behind_lenses, shoot
from fit3dmm.synthetic.fast.strands import (
    Strands,
    beard_style,
    brow_style,
    hair_style,
    ribbons,
)
from fit3dmm.synthetic.fast.views import CropView, draw_view
from fit3dmm.synthetic.fast.wardrobe import Lenses, Thing, cap, clothes, held, scarf, spectacles
from fit3dmm.synthetic.props import has_shoulders

FACE_POINTS = 468
"""Points of the first set whose box the crop is taken around."""
_IRIS_CENTRES = (468, 473)
_GROWN_OVER = 0.5
"""Share of the skin's colour that is hair's above which it is called hair."""


@dataclass(frozen=True)
class StudioSettings:
    """What pictures are like."""

    size_px: int = 224
    """Side of the crop."""
    cover_cells: int = 64
    """Side of the map of what covers the face."""
    point_sets: tuple[str, ...] = ("mediapipe478",)
    """Points of the model whose places are told."""
    hair_styles: int = 60
    """How many heads of hair are grown at the start for all pictures of a model's people."""
    beard_styles: int = 24
    """The same of beards."""
    other_share: float = 0.5
    """Share of people of the other models, where there are any."""


@dataclass(frozen=True)
class Cast:
    """A model's people with their hair."""

    sitters: Sitters
    folds: Folds
    hair: tuple[Strands, ...]
    beards: tuple[Strands, ...]
    brows: tuple[Strands, ...]


class Studio:
    """Makes pictures of one model's people and of others'. A seed makes the same picture anywhere.

    Args:
        model: whose coefficients are the labels, at a low level of subdivision (1 for Commons).
        others: models whose people are photographed too; their coefficients are no labels.
    """

    def __init__(
        self,
        model: MorphableModel,
        others: Sequence[MorphableModel] = (),
        settings: StudioSettings | None = None,
    ) -> None:
        self.settings = settings or StudioSettings()
        self._casts = tuple(
            self._gather(one, deformed=place == 0) for place, one in enumerate((model, *others))
        )

    def _gather(self, model: MorphableModel, deformed: bool) -> Cast:
        sitters = gather_sitters(model, self.settings.point_sets, deformed)
        draw = np.random.default_rng(1)
        points68 = sitters.landmarks68_mm(sitters.mean_mm)
        with_brows = "brows" in sitters.regions
        return Cast(
            sitters,
            folds_of(sitters.mean_mm, points68, sitters.outer),
            tuple(hair_style(sitters, draw) for _ in range(self.settings.hair_styles)),
            tuple(beard_style(sitters, draw) for _ in range(self.settings.beard_styles)),
            tuple(brow_style(sitters, draw) for _ in range(8)) if with_brows else (),
        )

    @property
    def sitters(self) -> Sitters:
        """The people whose coefficients are labels."""
        return self._casts[0].sitters

    def sitter(self, seed: int) -> Person:
        """Who is in the picture of this seed."""
        return self._sit(np.random.default_rng(seed))[1]

    def cast_of(self, seed: int) -> tuple[Cast, Person]:
        """Who is in the picture of this seed, with the hair that such people have."""
        place, person = self._sit(np.random.default_rng(seed))
        return self._casts[place], person

    def _sit(self, draw: np.random.Generator, tone: float | None = None) -> tuple[int, Person]:
        """The number of the model, and one of its people."""
        place = 0
        if len(self._casts) > 1 and draw.uniform() < self.settings.other_share:
            place = int(draw.integers(1, len(self._casts)))
        cast = self._casts[place]
        return place, draw_person(cast.sitters, cast.folds, draw, tone)

    def take(self, seed: int, tone: float | None = None) -> Example:
        """One picture.

        Args:
            seed: of everything that is drawn.
            tone: mean luminance of the face's albedo, where that is not to be drawn.
        """
        draw = np.random.default_rng(seed)
        place, person = self._sit(draw, tone)
        cast = self._casts[place]
        points = cast.sitters.points_mm(person.vertices_mm)
        view = draw_view(points[:FACE_POINTS], self.settings.size_px, draw)
        pieces, lenses = self.dress(cast, person, view, draw)
        light = draw_light(draw)
        shot = shoot(pieces, view, light, eyes_of(person, points, view, draw))
        linear, glassed = shot.linear, np.zeros(shot.cover.shape, dtype=np.float32)
        if lenses is not None:
            mesh = type(lenses.mesh)(view.to_camera(lenses.mesh.vertices), lenses.mesh.triangles)
            linear, glassed = behind_lenses(
                shot, mesh, lenses.transmission, lenses.mirror, view, light, draw
            )
        if lenses is not None and lenses.transmission.max() < 0.5:
            shot = Shot(shot.linear, np.where(glassed > 0, GLASSES, shot.cover), shot.depth)
        behind = backdrop(light.probe, self.settings.size_px, draw)
        linear, face = self.pixels(shot, linear, behind)
        gains = expose(linear, face, person.complexion.tone, draw)
        return Example(
            image_srgb=develop(linear * gains, draw),
            points_px=view.project(view.to_camera(points)).astype(np.float32),
            points_mm=points.astype(np.float32),
            cover=self._cover(shot),
            rotation=view.rotation,
            translation_mm=view.translation_mm,
            focal_px=view.focal_px,
            principal_point_px=view.principal_point_px,
            **self._coefficients(person, place == 0),
            is_of_model=place == 0,
            irradiance_sh=(light.irradiance_sh() * gains).astype(np.float32),
            tone=person.complexion.tone,
        )

    def _coefficients(self, person: Person, is_of_model: bool) -> dict[str, np.ndarray]:
        zeros = self.sitters.model.zeros()
        names = ("identity", "detail", "expression", "albedo")
        if is_of_model:
            return {name: getattr(person, name) for name in names}
        return {name: getattr(zeros, name).numpy() for name in names}

    def pixels(
        self, shot: Shot, linear: np.ndarray, behind: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Samples averaged over pixels, with the background where nothing is seen, and the face's
        share of each."""
        seen = shot.cover >= 0
        covered = _pixel_means(seen.astype(np.float32))[..., None]
        face = _pixel_means((shot.cover == SKIN).astype(np.float32))
        picture = _pixel_means(linear * seen[..., None]) + (1 - covered) * behind
        return picture, face

    def _cover(self, shot: Shot) -> UInt8[np.ndarray, "cells cells"]:
        """What most of each cell shows."""
        cells = self.settings.cover_cells
        fine = len(shot.cover)
        known = np.where(shot.cover < 0, BACKGROUND, shot.cover)
        cell = np.arange(fine) * cells // fine
        place = (cell[:, None] * cells + cell[None, :]) * len(COVERS) + known
        counts = np.bincount(place.ravel(), minlength=cells * cells * len(COVERS))
        return counts.reshape(cells, cells, len(COVERS)).argmax(axis=2).astype(np.uint8)

    def dress(
        self, cast: Cast, person: Person, view: CropView, draw: np.random.Generator
    ) -> tuple[list[Piece], Lenses | None]:
        """The person with hair, clothes and things, in `cam`; and the lenses of spectacles."""
        sitters = cast.sitters
        points68 = sitters.landmarks68_mm(person.vertices_mm).astype(np.float64)
        colour = person.complexion.albedo_linear
        grown: list[tuple[Strands, np.ndarray]] = []
        hair = person.complexion.hair_linear
        hat, under_hat = None, np.zeros(len(person.vertices_mm), dtype=bool)
        if draw.uniform() < 0.08:
            hat, under_hat = cap(person, draw)
        if draw.uniform() < 0.9:
            grown.append((cast.hair[draw.integers(len(cast.hair))], hair))
        if person.complexion.beard > 1.6:
            grown.append((cast.beards[draw.integers(len(cast.beards))], hair * 1.1))
        if cast.brows and draw.uniform() < 0.8:
            grown.append((cast.brows[draw.integers(len(cast.brows))], hair * 0.8))
        for strands, tint in grown:
            ground = strands.ground[:, None]
            colour = (1 - ground) * colour + ground * tint
        grown_over = np.max([np.zeros(len(colour)), *(s.ground for s, _ in grown)], axis=0)
        pieces = [_head(person, view, colour, grown_over)]
        centre = (sitters.mean_mm.min(axis=0) + sitters.mean_mm.max(axis=0)) / 2
        for strands, tint in grown:
            free = strands.without(under_hat)
            if len(free.roots):
                pieces.append(_hair(free, tint, person, view, centre))
        things, lenses = [], None
        if not has_shoulders(person.neutral_mm) and draw.uniform() < 0.92:
            shirt = clothes(person, draw)
            pieces.append(_worn(shirt, person, view, draw))
        if draw.uniform() < 0.22:
            frame, lenses = spectacles(points68, draw)
            things.append(frame)
        if hat is not None:
            things.append(hat)
        if draw.uniform() < 0.06:
            things.append(scarf(person, draw))
        if draw.uniform() < 0.1 and -view.translation_mm[2] > 420:
            things += held(person, points68, view.camera_mm, draw)
        pieces += [_piece(one, view) for one in things]
        return pieces, lenses


def _pixel_means(samples: np.ndarray) -> np.ndarray:
    """Of the samples of each pixel. Sums of slices take a tenth of the time of `mean`."""
    parts = [samples[i::SAMPLES, j::SAMPLES] for i in range(SAMPLES) for j in range(SAMPLES)]
    return sum(parts[1:], parts[0]) / np.float32(len(parts))


def _head(person: Person, view: CropView, colour: np.ndarray, grown_over: np.ndarray) -> Piece:
    sitters = person.sitters
    triangles = sitters.triangles
    lips = sitters.regions["lips"]
    oil = person.complexion.oil
    return Piece(
        view.to_camera(person.vertices_mm),
        triangles,
        (person.normals @ view.rotation.T).astype(np.float32),
        colour.astype(np.float32),
        np.where(grown_over[triangles].min(axis=1) > _GROWN_OVER, HAIR, SKIN).astype(np.uint8),
        sitters.open_sky * person.creases,
        (0.02 + 0.09 * oil + 0.08 * lips).astype(np.float32),
        (12 + 30 * oil + 20 * lips).astype(np.float32),
        sitters.eyeballs,
    )


def _hair(
    strands: Strands, colour: np.ndarray, person: Person, view: CropView, centre: np.ndarray
) -> Piece:
    points, triangles, normals, shade = ribbons(strands, person.moved_mm, view.camera_mm, centre)
    return Piece(
        view.to_camera(points),
        triangles,
        (normals @ view.rotation.T).astype(np.float32),
        np.clip(colour * shade[:, None], 0.002, 0.9).astype(np.float32),
        np.full(len(triangles), HAIR, dtype=np.uint8),
        0.75,
        0.05,
        18.0,
    )


def _worn(shirt: Thing, person: Person, view: CropView, draw: np.random.Generator) -> Piece:
    """The body under the head: it turns less, and hardly nods."""
    neck = person.neutral_mm[person.neutral_mm[:, 1] < person.neutral_mm[:, 1].min() + 8]
    pivot = neck.mean(axis=0)
    body = view.body_rotation(draw.uniform(0.2, 0.9), draw.uniform(0.0, 0.3))
    place = view.to_camera(pivot) - body @ pivot
    return _piece(shirt, replace(view, rotation=body, translation_mm=place.astype(np.float32)))


def _piece(one: Thing, view: CropView) -> Piece:
    return Piece(
        view.to_camera(one.vertices_mm),
        one.triangles,
        (one.normals @ view.rotation.T).astype(np.float32),
        one.albedo_linear,
        np.full(len(one.triangles), one.cover, dtype=np.uint8),
        1.0,
        one.gloss,
        one.sharpness,
    )


def eyes_of(
    person: Person, points_mm: np.ndarray, view: CropView, draw: np.random.Generator
) -> Eyes | None:
    """The person's eyes, sharper than the mesh; None for models whose eyeballs are not told."""
    sitters = person.sitters
    if not {"eye_left", "eye_right"} <= set(sitters.regions):
        return None
    cam = view.to_camera(person.vertices_mm)
    balls = [cam[sitters.regions[name] > 0.5] for name in ("eye_right", "eye_left")]
    irises = view.to_camera(points_mm[list(_IRIS_CENTRES)])
    return draw_eyes(balls, irises, person.complexion.tone, draw)
