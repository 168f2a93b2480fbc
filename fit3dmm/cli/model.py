"""`fit3dmm model`: list, inspect, show, convert and download face models."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import tyro
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table

from fit3dmm._errors import InputError
from fit3dmm.cli.console import console, say
from fit3dmm.model.complete import Completion, complete
from fit3dmm.model.download import DOWNLOADS, download_model
from fit3dmm.model.files import load_model, read_stored, write_stored
from fit3dmm.model.formats import read_source
from fit3dmm.model.library import SHIPPED, find_model, installed_models, models_folder
from fit3dmm.model.stored import StoredModel


@dataclass(frozen=True)
class List:
    """List the models that can be used by name, and those that can be downloaded."""

    def run(self) -> None:
        table = Table("name", "what", "licence", "where", box=None, pad_edge=False)
        installed = installed_models()
        for name, path in installed.items():
            try:
                info = read_stored(path).info
                row = (f"{info.family} {info.version}", info.licence, str(path))
            except InputError:
                row = ("can't be read; convert or download it again", "", str(path))
            table.add_row(name, *row)
        for name, download in DOWNLOADS.items():
            if name not in installed:
                get = f"fit3dmm model download {name} ({download.size_mb} MB)"
                table.add_row(name, download.title, download.licence, get)
        console().print(table)


@dataclass(frozen=True)
class Info:
    """Say what a model holds, where it comes from and what may be done with it."""

    model: Annotated[str, tyro.conf.Positional] = SHIPPED
    """A model's name (see `fit3dmm model list`) or the path of its file."""

    def run(self) -> None:
        path = find_model(self.model)
        stored = read_stored(path)
        table = Table("", "", show_header=False, box=None, pad_edge=False)
        for name, value in _facts(path, stored).items():
            table.add_row(name, value)
        console().print(table)


@dataclass(frozen=True)
class Show:
    """Draw a contact sheet: mean, first modes, expressions, colours and random people."""

    model: Annotated[str, tyro.conf.Positional] = SHIPPED
    """A model's name (see `fit3dmm model list`) or the path of its file."""
    output: Annotated[Path | None, tyro.conf.arg(aliases=["-o"])] = None
    """The picture; by default NAME.png in this folder."""
    seed: int = 0
    """Of the random people."""
    tile_px: int = 160
    """Width of one face."""

    def run(self) -> None:
        from fit3dmm.export.contact_sheet import contact_sheet, unnamed_sheet, write_sheet

        model = load_model(self.model)
        output = self.output or unnamed_sheet(model.info.name)
        write_sheet(contact_sheet(model, seed=self.seed, tile_px=self.tile_px), output)
        say(f"{output}: {model.info.name}, {model.n_vertices:,} vertices")


@dataclass(frozen=True)
class Convert:
    """Make a fit3dmm model of another family's files; they are recognised by their content.

    ICT-FaceKit Light, GNM Head v3, FLAME, Basel Face Model 2009 (its parts, or BFM_model_front.mat
    of Deep3DFaceRecon), 2017 and 2019: docs/models.md says which files each needs. What a source
    lacks (colours, the 478 points, contours, regions) is taken from the shipped model.
    """

    source: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """The model's files, or the folder that holds them."""
    output: Annotated[Path | None, tyro.conf.arg(aliases=["-o"])] = None
    """The new file; by default the user's folder, where its name is the family's."""

    def run(self) -> None:
        source = read_source(list(self.source))
        completion = complete(source, read_stored(find_model(SHIPPED)))
        output = self.output or models_folder() / f"{source.stored.info.name}.h5"
        write_stored(completion.stored, output)
        _report(output, completion)


@dataclass(frozen=True)
class Download:
    """Fetch a free model from its makers and convert it, so that its name can be used."""

    model: Annotated[Literal["ict", "gnm"], tyro.conf.Positional]
    """`ict`: ICT-FaceKit Light (MIT). `gnm`: GNM Head v3 (Apache-2.0)."""

    def run(self) -> None:
        download = DOWNLOADS[self.model]
        columns = (TextColumn(download.title), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        with Progress(*columns, console=console(stderr=True)) as bar:
            task = bar.add_task("", total=None)
            done = download_model(
                download, lambda got, total: bar.update(task, completed=got, total=total)
            )
        _report(done.path, done.completion)


def _facts(path: Path, stored: StoredModel) -> dict[str, str]:
    info = stored.info
    n_base, n_faces = len(stored.mean_mm), len(stored.base_faces)
    kind = "quads" if stored.is_quad_mesh else "triangles"
    names = ", ".join(stored.expression_names[:6])
    more = "" if len(stored.expression_names) <= 6 else ", ..."
    points = {name: len(p.names) for name, p in {**stored.landmarks, **stored.contours}.items()}
    return {
        "name": f"{info.name} ({info.family} {info.version})",
        "file": f"{path} ({path.stat().st_size / 1e6:.1f} MB)",
        "licence": info.licence,
        "mesh": f"{n_base:,} vertices, {n_faces:,} {kind}; used at level {stored.default_level}",
        "identity": f"{len(stored.identity_basis_mm)} components",
        "detail": f"{len(stored.detail_basis_mm)} components",
        "expression": f"{len(stored.expression_names)}: {names}{more}",
        **({} if stored.rig is None else {"joints": ", ".join(stored.rig.names)}),
        "albedo": f"{len(stored.albedo_basis_linear)} components at level {stored.albedo_level}",
        "points": ", ".join(f"{name} ({count})" for name, count in points.items()),
        "regions": ", ".join(stored.regions),
        "provenance": info.provenance,
        "citation": info.citation,
        "notes": info.notes,
    }


def _report(path: Path, completion: Completion) -> None:
    stored = completion.stored
    say(
        f"{path}: {stored.info.name}, {len(stored.mean_mm):,} vertices, "
        f"{len(stored.identity_basis_mm)} identity, {len(stored.expression_names)} expression and "
        f"{len(stored.albedo_basis_linear)} albedo components"
    )
    say(
        f"Commons laid over its mean: {completion.residual_mean_mm:.2f} mm mean residual, "
        f"{completion.residual_p90_mm:.2f} mm at the 90th percentile"
    )
    if len(completion.landmark_distance_mm) > 0:
        distance = np.median(completion.landmark_distance_mm)
        say(f"Its own 68 points and those of Commons: {distance:.1f} mm apart (median)")


COMMAND = {"list": List, "info": Info, "show": Show, "convert": Convert, "download": Download}
