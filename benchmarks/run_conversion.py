"""How well a foreign model becomes a whole one: ICT-FaceKit Light, all of it.

    python benchmarks/run_conversion.py FACEKIT_FOLDER [--output MODEL.h5] [--json FILE]

The folder is a clone of ICT-FaceKit or its FaceXModel. Reported are how far Commons' mean stays from
ICT's after registration, how far its 68 points come to lie from ICT's own (by part of the face), how
far a decoded person is from ICT's own sum of meshes, and what it costs.
"""

import argparse
import json
import platform
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from fit3dmm.model.complete import Completion, complete
from fit3dmm.model.files import load_model, read_stored, write_stored
from fit3dmm.model.formats import SourceModel, read_source
from fit3dmm.model.library import find_model

PARTS = {
    "jaw": slice(0, 17),
    "brows": slice(17, 27),
    "nose": slice(27, 36),
    "eyes": slice(36, 48),
    "mouth": slice(48, 68),
    "NoW's seven": [36, 39, 42, 45, 33, 48, 54],
    "all but the jaw": slice(17, 68),
}


@dataclass(frozen=True)
class Metric:
    """One measured number."""

    name: str
    value: float
    unit: str
    lower_is_better: bool = True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        output = arguments.output or Path(folder) / "ict.h5"
        metrics = _measure(arguments.folder, output)
    for metric in metrics:
        print(f"{metric.name:<48} {metric.value:10.3f} {metric.unit}")
    if arguments.json:
        report = {"machine": platform.platform(), "metrics": [asdict(m) for m in metrics]}
        arguments.json.write_text(json.dumps(report, indent=1))


def _measure(folder: Path, output: Path) -> list[Metric]:
    seconds = [time.perf_counter()]
    source = read_source([folder])
    seconds.append(time.perf_counter())
    completion = complete(source, read_stored(find_model("commons")))
    seconds.append(time.perf_counter())
    write_stored(completion.stored, output)
    seconds.append(time.perf_counter())
    load_model(output)
    seconds.append(time.perf_counter())
    steps = ("read the OBJ files", "register and complete", "write the model", "load the model")
    return [
        Metric("residual of Commons on ICT's mean, mean", completion.residual_mean_mm, "mm"),
        Metric("residual, 90th percentile", completion.residual_p90_mm, "mm"),
        *(
            Metric(
                f"iBUG points apart, {name}", float(completion.landmark_gap_mm[rows].mean()), "mm"
            )
            for name, rows in PARTS.items()
        ),
        Metric(
            "decoded people against ICT's sum, largest",
            _decoding_error(source, completion, output),
            "mm",
        ),
        Metric("file size", output.stat().st_size / 1e6, "MB"),
        *(
            Metric(name, after - before, "s")
            for name, before, after in zip(steps, seconds, seconds[1:], strict=False)
        ),
    ]


def _decoding_error(source: SourceModel, completion: Completion, output: Path) -> float:
    """Largest distance of a vertex over 20 people with expressions, after writing and reading."""
    model = load_model(output)
    people = model.sample(20, generator=torch.Generator().manual_seed(0), expression=True)
    stored = source.stored
    exact = stored.mean_mm + (completion.stored.mean_mm - stored.mean_mm)
    exact = exact + np.einsum("pk,kvx->pvx", people.identity.numpy(), stored.identity_basis_mm)
    exact += np.einsum("pk,kvx->pvx", people.expression.numpy(), stored.expression_basis_mm)
    return float(np.linalg.norm(model.shape_mm(people).numpy() - exact, axis=2).max())


if __name__ == "__main__":
    main()
