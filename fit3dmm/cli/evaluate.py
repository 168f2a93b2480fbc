"""`fit3dmm evaluate`: score fits or meshes by the field's benchmarks."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from fit3dmm._errors import InputError
from fit3dmm._parallel import available_cores
from fit3dmm.cli.console import console, printable, say
from fit3dmm.cli.evaluation_tables import (
    print_evaluation,
    print_losses,
    table_of,
    turned_table,
)
from fit3dmm.cli.inputs import find_photos
from fit3dmm.evaluate.aflw2000 import Aflw2000
from fit3dmm.evaluate.bu3dfe import Bu3dfe
from fit3dmm.evaluate.facewarehouse import FaceWarehouse
from fit3dmm.evaluate.fitter import Fitter
from fit3dmm.evaluate.identity_set import Identity, run_identity
from fit3dmm.evaluate.load_fitter import load_fitter
from fit3dmm.evaluate.mesh_pair import MeshPair, compare_meshes
from fit3dmm.evaluate.micc import Micc
from fit3dmm.evaluate.now import Now
from fit3dmm.evaluate.protocol import EvaluationProtocol
from fit3dmm.evaluate.realy import Realy
from fit3dmm.evaluate.run import run_evaluation
from fit3dmm.evaluate.stirling import Stirling
from fit3dmm.evaluate.synthetic import Synthetic, compare_methods, make_set
from fit3dmm.evaluate.synthetic.methods import METHODS, make_fitters
from fit3dmm.evaluate.synthetic.protocol import HEADLINE


@dataclass(frozen=True)
class Options:
    """What every benchmark is given."""

    data: Path
    """Folder of the set, in its official layout."""
    out: Path
    """Folder for the results; run the same command again to resume there."""
    predictions: Path | None = None
    """Folder of meshes (or landmarks) that any system made."""
    fit: str | None = None
    """Fit the photos instead: a preset, or a function of yours as package.module:factory."""
    model: str = "commons"
    """The face model that a preset fits: a name or a file."""
    refine: Path | None = None
    """Folder of coefficients that any system made of the photos, called like them: refine these
    (docs/refine.md), by the preset of --fit or the default one."""
    basis: Path | None = None
    """3DDFA_V2's bases, for its numbers."""
    submission: bool = False
    """Also write the folder that the benchmark's organisers take."""
    jobs: int = 0
    """Processes at once; 0 takes one for each core."""


@dataclass(frozen=True)
class RunBenchmark:
    """A benchmark with its options: what the command line was parsed to."""

    protocol: EvaluationProtocol
    options: Options

    def run(self) -> None:
        """Run and print the table."""
        options = self.options
        if options.jobs < 0:
            raise InputError(f"Expected --jobs 0 or more, got {options.jobs}.")
        with _shown_progress() as show:
            evaluation = run_evaluation(
                self.protocol,
                options.data,
                options.out,
                predictions=options.predictions,
                fitter=_fitter(options),
                submission=options.submission,
                jobs=options.jobs or available_cores(),
                progress=show,
            )
        print_evaluation(evaluation, self.protocol.name, options.out)


def _fitter(options: Options) -> Fitter | None:
    if options.refine is not None:
        # The pipeline takes seconds to load, and scoring meshes does not need it.
        from fit3dmm.refining.fitter import RefineFitter

        named = options.fit or "default"
        fitter = RefineFitter(options.refine, named, options.model, options.basis)
        fitter.fingerprint  # noqa: B018, a wrong name shall end here and not in every worker
        return fitter
    return None if options.fit is None else load_fitter(options.fit, options.model)


@contextlib.contextmanager
def _shown_progress() -> Iterator[Callable[[str, int, int], None]]:
    """A bar on the terminal for each thing that is done."""
    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console(stderr=True),
    )
    tasks: dict[str, Any] = {}

    def show(doing: str, done: int, total: int) -> None:
        if doing not in tasks:
            tasks[doing] = bars.add_task(doing, total=total)
        bars.update(tasks[doing], completed=done)

    with bars:
        yield show


def _benchmark(protocol: type) -> Callable[..., RunBenchmark]:
    """A subcommand whose options are those of every benchmark and the protocol's own."""

    def make(options, protocol) -> RunBenchmark:
        return RunBenchmark(protocol, options)

    flat = tyro.conf.arg(name="")
    make.__annotations__ |= {
        "options": Annotated[Options, flat],
        "protocol": Annotated[protocol, flat],
    }
    make.__doc__ = protocol.__doc__
    return make


@dataclass(frozen=True)
class RunMeshPair:
    """Two meshes to compare."""

    pair: Annotated[MeshPair, tyro.conf.arg(name="")]

    def run(self) -> None:
        """Measure and print."""
        result = compare_meshes(self.pair)
        console().print(table_of("mesh-pair", result.rows))
        say(f"Scale of the alignment {float(result.T_truth_prediction.scale):.6f}.")
        say(f"Results are in {self.pair.out}.")


@dataclass(frozen=True)
class RunSynthetic:
    """Generated photos of heads that the model cannot represent: no licence and no download."""

    protocol: Annotated[Synthetic, tyro.conf.arg(name="")]
    out: Path
    """Folder for photos and results; run the same command again to resume there."""
    fit: str = "default"
    """What is examined: a preset, or a function of yours as package.module:factory."""
    methods: tuple[str, ...] = METHODS
    """What is run on the same photos."""
    model: str = "commons"
    """The face model that is fitted: a name or a file."""
    identities: str = "commons"
    """The face model whose people are photographed: a name or a file."""
    photos_only: bool = False
    """Make the photos and truths, and fit nothing."""
    jobs: int = 0
    """Processes at once; 0 takes one for each core."""

    def run(self) -> None:
        """Make the photos, run every method on them, and print the tables."""
        if self.jobs < 0:
            raise InputError(f"Expected --jobs 0 or more, got {self.jobs}.")
        fitters = make_fitters(self.methods, self.fit, self.model)
        jobs = self.jobs or available_cores()
        with _shown_progress() as show:
            folder = make_set(self.protocol, self.out, self.identities, jobs, show)
            if self.photos_only:
                return
            comparison = compare_methods(self.protocol, folder, self.out, fitters, jobs, show)
        screen = console()
        for name, evaluation in comparison.evaluations.items():
            shown = ("group", "scored", *HEADLINE)
            rows = [{k: row[k] for k in shown if k in row} for row in evaluation.table]
            screen.print(table_of(f"synthetic, {name}", rows))
            print_losses(screen, evaluation)
        screen.print(turned_table("synthetic, all methods", "method", comparison.table))
        say(f"Results are in {self.out}.")


@dataclass(frozen=True)
class RunIdentity:
    """Any folder of photos named by person: neutral faces within and between people."""

    protocol: Annotated[Identity, tyro.conf.arg(name="")]
    data: Path
    """Folder of the photos: PERSON/photo.jpg, or PERSON1.jpg, PERSON2.jpg and so on."""
    out: Path
    """Folder for the results; run the same command again to resume there."""
    fit: str = "default"
    """What is examined: a preset, or a function of yours as package.module:factory."""
    model: str = "commons"
    """The face model that a preset fits: a name or a file."""
    jobs: int = 0
    """Processes at once; 0 takes one for each core."""

    def run(self) -> None:
        """Fit the photos, compare them and print the table."""
        if self.jobs < 0:
            raise InputError(f"Expected --jobs 0 or more, got {self.jobs}.")
        if not self.data.is_dir():
            raise InputError(f"Expected a folder of photos, got {self.data}; check the path.")
        inputs = find_photos([self.data], recursive=True, out=self.out)
        if inputs.failed:
            raise inputs.failed[0][1]
        fitter = load_fitter(self.fit, self.model)
        jobs = self.jobs or available_cores()
        with _shown_progress() as show:
            found = run_identity(
                self.protocol, inputs.photos, self.data, self.out, fitter, jobs, show
            )
        screen = console()
        screen.print(table_of("identity", found.rows))
        for outcome in found.lost:
            line = f"  {outcome.status}: {outcome.case.name}: {outcome.reason}"
            screen.print(printable(line), style="yellow")
        if found.pairs_left_out:
            screen.print(f"{found.pairs_left_out} pairs were left out.", style="bold yellow")
        say(f"Results are in {self.out}.")


_FORMER_SPLITS = {"report": "test", "choose": "validation"}


def in_current_words(arguments: list[str]) -> list[str]:
    """Arguments with the splits of the synthetic set by their present names, where they have the
    former ones: `--half choose` is `--split validation`."""
    current: list[str] = []
    for argument in arguments:
        option, equals, value = argument.partition("=")
        if option == "--half":
            argument = f"--split{equals}{_FORMER_SPLITS.get(value, value)}"
        elif current[-1:] == ["--split"]:
            argument = _FORMER_SPLITS.get(argument, argument)
        current.append(argument)
    return current


COMMAND = {
    **{
        protocol.name: _benchmark(protocol)
        for protocol in (Now, Realy, Micc, FaceWarehouse, Bu3dfe, Stirling, Aflw2000)
    },
    Synthetic.name: RunSynthetic,
    Identity.name: RunIdentity,
    "mesh-pair": RunMeshPair,
}
