"""`fit3dmm fit --explain`: the settings as tables, 80 columns wide."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from fit3dmm.cli.console import console, say

if TYPE_CHECKING:
    from rich.table import Table

    from fit3dmm.fitting.explain import Explanation, SettingLine, TermLine

WIDTH = 80


def print_explanation(explanation: "Explanation", as_json: bool) -> None:
    """Print settings in words.

    Args:
        explanation: of the settings.
        as_json: as one JSON document instead of tables.
    """
    if as_json:
        say(json.dumps(asdict(explanation)))
        return
    out = console()
    out.width = min(out.width, WIDTH)
    out.print(f"preset {explanation.preset}")
    out.print(f"crop   {explanation.crop}")
    out.print(f"camera {explanation.camera}\n")
    terms = _table("term", "what is compared", "weights")
    for term in explanation.terms:
        terms.add_row(term.name, _what(term), "\n".join(map(_setting, term.settings)))
    out.print(terms)
    unknowns = _table("unknown", "numbers", "of each", "moves in")
    for one in explanation.unknowns:
        size = "by detector" if one.size is None else str(one.size)
        unknowns.add_row(one.name, size, one.per, ", ".join(one.stages))
    out.print(unknowns)
    stages = _table("stage", "solver", "terms")
    for stage in explanation.stages:
        blur = f", blur {stage.blur_px:g} px" if stage.blur_px else ""
        stages.add_row(stage.name, stage.solver + blur, ", ".join(stage.terms))
    out.print(stages)


def _what(term: "TermLine") -> str:
    return term.what if term.counts == 1 else f"{term.what}; counts {term.counts:g} times"


def _setting(one: "SettingLine") -> str:
    values = one.value if isinstance(one.value, tuple) else (one.value,)
    return f"{one.name} {' to '.join(f'{value:.4g}' for value in values)} {one.unit}".rstrip()


def _table(*columns: str) -> "Table":
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in columns:
        table.add_column(name, overflow="fold")
    return table
