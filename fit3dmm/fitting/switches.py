"""Settings by words: terms switched on and off, counted more or less, single numbers changed."""

import ast
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from fit3dmm._errors import InputError, unlike
from fit3dmm._settings import Settings
from fit3dmm.fitting.config import FitConfig
from fit3dmm.fitting.evidence import Evidence
from fit3dmm.fitting.stage import Stage
from fit3dmm.unknowns import IDENTITY


def having(config: FitConfig, *terms: str) -> FitConfig:
    """The settings with terms switched on, in the stages that the default has them in; others in
    all stages that move what they are about, and what is slow in the last one alone.

    Raises:
        InputError: there is no such term.
    """
    known = config.evidence()
    for name in terms:
        _check(name, known, "term")
        places = _places(name, known[name], config)
        config = replace(
            config,
            stages=tuple(
                replace(stage, terms=(*stage.terms, name))
                if stage.name in places and name not in stage.terms
                else stage
                for stage in config.stages
            ),
        )
    return config


def without(config: FitConfig, *terms: str) -> FitConfig:
    """The settings with terms switched off in all stages.

    Raises:
        InputError: there is no such term, it counts in no stage, or a stage would have none left.
    """
    used = dict.fromkeys(name for stage in config.stages for name in stage.terms)
    for name in terms:
        _check(name, config.evidence(), "term")
        if name not in used:
            raise InputError(
                f"The term {name} can't be switched off, as the preset {config.preset} has none: "
                f"it has {', '.join(used)}."
            )
    stages = tuple(
        replace(stage, terms=tuple(name for name in stage.terms if name not in terms))
        for stage in config.stages
    )
    empty = [stage.name for stage in stages if not stage.terms]
    if empty:
        raise InputError(
            f"Without {', '.join(terms)} nothing counts in the stage {empty[0]}: leave a term."
        )
    return replace(config, stages=stages)


def counting(config: FitConfig, times: Mapping[str, float]) -> FitConfig:
    """The settings with the energy of terms multiplied.

    Raises:
        InputError: there is no such term, or a number is not above 0.
    """
    for name in times:
        _check(name, config.evidence(), "term")
    return replace(config, counts=tuple({**dict(config.counts), **times}.items()))


def changed(config: FitConfig, values: Mapping[str, Any]) -> FitConfig:
    """The settings with single numbers changed.

    Args:
        config: the settings.
        values: by name, such as `landmarks.noise_floor_mm` or `size_px`; a text is read as a
            number, a pair of numbers or a word.

    Raises:
        InputError: there is no such setting, or no such value for it.
    """
    for path, value in values.items():
        config = _changed(config, path.replace("-", "_").split("."), value, path)
    return config


def _changed(record: Any, names: list[str], value: Any, path: str) -> Any:
    known = {one.name: getattr(record, one.name) for one in fields(record)}
    first, *rest = names
    _check(first, known, "setting")
    now = known[first]
    if rest:
        if not isinstance(now, Settings):
            raise InputError(f"{path} is no setting: {first} has none of its own.")
        return replace(record, **{first: _changed(now, rest, value, path)})
    if isinstance(now, Settings):
        inner = ", ".join(f"{first}.{one.name}" for one in fields(now))
        raise InputError(f"{path} is no number: choose one of its settings, {inner}.")
    return replace(record, **{first: _read(value, now, path)})


def _read(value: Any, now: Any, path: str) -> Any:
    """What a text stands for, of the kind that the setting is of now."""
    if isinstance(value, str) and not isinstance(now, str):
        try:
            value = ast.literal_eval(value)
        except (ValueError, SyntaxError) as error:
            raise InputError(f"{path} is now {now!r}; {value!r} is nothing of the kind.") from error
    wanted = {bool: bool, int: int, float: int | float, str: str, tuple: tuple}.get(type(now))
    fits = wanted is None or (
        isinstance(value, wanted) and isinstance(value, bool) == isinstance(now, bool)
    )
    if not fits:
        raise InputError(f"{path} is now {now!r}; {value!r} is nothing of the kind.")
    return float(value) if isinstance(now, float) else value


def _places(name: str, evidence: Evidence, config: FitConfig) -> list[str]:
    """Names of the stages in which a term that is switched on counts."""
    usual = [stage.name for stage in FitConfig().stages if name in stage.terms]
    there = [stage.name for stage in config.stages if stage.name in usual]
    if there:
        return there
    concerned = [stage for stage in config.stages if _moves(stage, evidence)] or config.stages
    if evidence.slow:
        # Where no step is taken it would only be looked at.
        stepping = [stage for stage in concerned if stage.solver.max_steps]
        concerned = (stepping or concerned)[-1:]
    return [stage.name for stage in concerned]


def _moves(stage: Stage, evidence: Evidence) -> bool:
    return any(name in stage.free for name in evidence.about or (IDENTITY,))


def _check(name: str, known: Mapping[str, Any], what: str) -> None:
    if name not in known:
        raise InputError(unlike(name, known, what))
