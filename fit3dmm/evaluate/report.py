"""Write what an evaluation found: a line a case, a summary, the curve, the worst ten."""

import csv
import io
import json
import platform
from collections.abc import Sequence
from dataclasses import asdict, is_dataclass
from importlib.metadata import version
from pathlib import Path

from fit3dmm._files import atomic_path
from fit3dmm.evaluate.contact_sheet import write_contact_sheet
from fit3dmm.evaluate.curve import write_curve
from fit3dmm.evaluate.protocol import (
    EvaluationProtocol,
    Outcome,
    Row,
    count_statuses,
    scored,
)

_N_WORST = 10
_FORMAT = 1


def write_report(
    protocol: EvaluationProtocol,
    outcomes: Sequence[Outcome],
    table: list[Row],
    predictions: Path,
    out: Path,
) -> None:
    """Write cases.csv, summary.json and, where something was scored, curve.png and worst.png.

    Args:
        protocol: what was run.
        outcomes: of every case.
        table: the protocol's summary of them.
        predictions: folder of what was scored; the worst are scored again for their pictures.
        out: folder to write to.

    Raises:
        InputError: the folder can't be written to.
    """
    _write_text(out / "cases.csv", cases_csv(outcomes))
    _write_text(
        out / "summary.json", json.dumps(summary(protocol, outcomes, table), indent=2) + "\n"
    )
    if not scored(outcomes):
        return
    write_curve(
        out / "curve.png", protocol.curves(outcomes), f"{protocol.name}: share below a bound"
    )
    ordered = sorted(
        (o for o in outcomes if o.score is not None),
        key=lambda o: -o.score.numbers[protocol.worst_by] if o.score else 0.0,
    )
    # Pictures are not kept with the scores, because they are large; ten cases are soon done again.
    worst = [
        (o.case, protocol.score(o.case, protocol.find_prediction(o.case, predictions)))
        for o in ordered[:_N_WORST]
    ]
    title = f"{protocol.name}: the worst {len(worst)} of {len(ordered)} by {protocol.worst_by}"
    write_contact_sheet(out / "worst.png", worst, protocol.worst_by, title)


def cases_csv(outcomes: Sequence[Outcome]) -> str:
    """A header and a line a case, also for those without a score."""
    numbers = list(dict.fromkeys(n for o in outcomes if o.score for n in o.score.numbers))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["case", "groups", "status", *numbers, "reason"])
    for o in outcomes:
        have = o.score.numbers if o.score else {}
        cells = [_cell(have.get(n)) for n in numbers]
        writer.writerow([o.case.name, "; ".join(o.case.groups), o.status, *cells, o.reason])
    return text.getvalue()


def _cell(number: int | float | None) -> str:
    if number is None:
        return ""
    return str(number) if isinstance(number, int) else f"{number:.6f}"


def summary(
    protocol: EvaluationProtocol, outcomes: Sequence[Outcome], table: list[Row]
) -> dict[str, object]:
    """Everything but the cases' numbers, without times or paths: equal runs give equal files."""
    given = asdict(protocol) if is_dataclass(protocol) and not isinstance(protocol, type) else {}
    settings = {k: v.name if isinstance(v, Path) else v for k, v in given.items()}
    return {
        "format": f"fit3dmm-evaluation-{_FORMAT}",
        "protocol": protocol.name,
        "settings": settings,
        "counts": count_statuses(outcomes),
        "table": table,
        "without_score": [
            {"case": o.case.name, "status": o.status, "reason": o.reason}
            for o in outcomes
            if o.score is None
        ],
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("fit3dmm", "numpy", "numba", "scipy")},
        },
    }


def _write_text(path: Path, text: str) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
