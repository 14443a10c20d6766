"""Running instruments for the command line: settings as text, kept findings, two models beside.

A finding is kept in ``OUT/<instrument>/`` together with what was asked for; the same question
again is answered from there, so that a killed panel goes on with the next instrument.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from scrubjay import __version__
from scrubjay.core.errors import InputError
from scrubjay.core.figures import draw
from scrubjay.core.files import dump_json, write_atomic
from scrubjay.core.finding import Finding, Number
from scrubjay.core.progress import Progress
from scrubjay.probing.anatomy import Anatomy
from scrubjay.probing.errors import ProbeError
from scrubjay.probing.instruments import INSTRUMENTS, get_instrument
from scrubjay.probing.open import OpenModel, load_open
from scrubjay.studies import load_finding, save_finding


@dataclass(frozen=True, slots=True)
class Result:
    """What an instrument found in a model, or why it could not."""

    instrument: str
    model: str
    finding: Finding | None = None
    obstacle: str | None = None


def settings_of(name: str) -> list[dict[str, str]]:
    """``setting, default`` of an instrument.

    Raises:
        UnknownName: there is no such instrument.
    """
    return [{"setting": k, "default": _text(v)} for k, v in _defaults(name).items()]


def parse_settings(name: str, texts: Sequence[str]) -> dict[str, Any]:
    """``NAME=VALUE`` texts as values of the kinds that the instrument's defaults have.

    Raises:
        InputError: a text has no '=', names no setting, or its value is of another kind.
    """
    defaults, found = _defaults(name), dict[str, Any]()
    for text in texts:
        key, sign, value = text.partition("=")
        key = key.strip().replace("-", "_")
        if not sign:
            raise InputError(f"--set takes NAME=VALUE, not '{text}'")
        if key not in defaults:
            known = ", ".join(defaults) or "none"
            raise InputError(f"{name} has no setting '{key}'; it has: {known}")
        found[key] = _value(key, value.strip(), defaults[key])
    return found


def measure_one(
    name: str,
    model: str | OpenModel,
    settings: Mapping[str, Any],
    *,
    dtype: str = "float32",
    progress: Progress,
) -> Finding:
    """What an instrument with these settings measures in a model.

    Raises:
        ScrubjayError: the model can't be loaded or measured, or a setting is out of range.
    """
    instrument = get_instrument(name)(**settings)
    opened = load_open(model, dtype=dtype) if isinstance(model, str) else model
    totals = dict[str, int]()

    def heard(what: str, done: int, total: int) -> None:
        totals[what] = total
        progress(what, done, total)

    found = instrument.measure(opened, progress=heard)
    for what, total in totals.items():  # instruments tell what they begin, not that it is over
        progress(what, total, total)
    spec = {"model": model} if isinstance(model, str) else {}
    return replace(found, name=name, settings={**found.settings, **spec, "dtype": dtype})


def measure_all(
    spec: str,
    out: Path,
    *,
    opened: OpenModel | None = None,
    names: Sequence[str] = (),
    dtype: str = "float32",
    progress: Progress,
) -> list[Result]:
    """Every instrument (or those named) with its own defaults, kept under ``out``.

    ``opened``: the model of ``spec``, if it is loaded already.

    Raises:
        ScrubjayError: there is no such instrument, the model can't be loaded, or ``out`` can't be
            written.
    """
    chosen = list(names) or list(INSTRUMENTS)
    for name in chosen:
        get_instrument(name)
    results = []
    for done, name in enumerate(chosen):
        progress(f"instruments, {Path(spec).name}", done, len(chosen))
        asked = {"instrument": name, "model": spec, "dtype": dtype, "version": __version__}
        result = _kept(name, spec, out, asked)
        if result is None:
            opened = opened or load_open(spec, dtype=dtype)
            try:
                found = measure_one(name, opened, {}, dtype=dtype, progress=progress)
            except ProbeError as error:
                result = Result(name, spec, obstacle=str(error))
            else:
                save(replace(found, settings={**found.settings, "model": spec}), out)
                write_atomic(out / name / "asked.json", dump_json(asked, indent=1) + "\n")
                result = Result(name, spec, found)
        results.append(result)
    progress(f"instruments, {Path(spec).name}", len(chosen), len(chosen))
    return results


def save(finding: Finding, out: Path) -> None:
    """Keep a finding with its figure, drawn and as it is.

    Raises:
        DiskError: the folder can't be written.
    """
    folder = save_finding(finding, out)
    if finding.figure:
        for ending in ("svg", "png"):
            draw(finding.figure, folder / f"figure.{ending}")


def number_rows(finding: Finding) -> list[dict[str, Any]]:
    """``what, value, low, high, n`` of each number."""
    return [
        {"what": what, "value": n.value, "low": n.low, "high": n.high, "n": n.n}
        for what, n in finding.numbers.items()
    ]


def check_family(models: Mapping[str, OpenModel]) -> None:
    """Models, by their specs, can be compared number by number.

    Raises:
        ProbeError: they are of different family or shape.
    """
    shapes = {}
    for spec, opened in models.items():
        anatomy = Anatomy.of(opened.model)
        shapes[spec] = (anatomy.name, anatomy.n_layers, anatomy.n_heads, anatomy.d_model)
    if len(set(shapes.values())) > 1:
        told = (
            f"{spec} is {s[0]} of {s[1]} layers, {s[2]} heads, width {s[3]}"
            for spec, s in shapes.items()
        )
        raise ProbeError(f"only checkpoints of one family can be compared; {'; '.join(told)}")


def differences(first: Sequence[Result], second: Sequence[Result]) -> list[dict[str, Any]]:
    """Each number that both models have: ``instrument, what, A, B, B - A, apart``.

    ``apart``: the two intervals don't meet (empty where there are none).
    """
    rows = []
    for a, b in zip(first, second):
        if a.finding is None or b.finding is None:
            continue
        for what, x in a.finding.numbers.items():
            y = b.finding.numbers.get(what)
            if y is not None:
                rows.append(
                    {"instrument": a.instrument, "what": what, "A": x.value, "B": y.value}
                    | {"B - A": y.value - x.value, "apart": _apart(x, y)}
                )
    return rows


def _apart(x: Number, y: Number) -> str:
    if x.low is None or x.high is None or y.low is None or y.high is None:
        return ""
    return "yes" if x.high < y.low or y.high < x.low else "no"


def _kept(name: str, spec: str, out: Path, asked: Mapping[str, Any]) -> Result | None:
    note = out / name / "asked.json"
    try:
        same = json.loads(note.read_text("utf-8")) == asked
    except (OSError, ValueError):
        return None
    if not same:
        raise InputError("holds findings of another model or version; give another --out", file=out)
    found = load_finding(name, out)
    return Result(name, spec, found) if found else None


def _defaults(name: str) -> dict[str, Any]:
    made = get_instrument(name)
    if not is_dataclass(made):
        return {}
    return {
        f.name: f.default_factory() if f.default is MISSING else f.default
        for f in fields(made)
        if f.default is not MISSING or f.default_factory is not MISSING
    }


def _value(key: str, text: str, default: Any) -> Any:
    """The text as a value of the kind of ``default``; of sequences, commas part the items."""
    if isinstance(default, (tuple, list)):
        kind = default[0] if default else 0
        return tuple(_value(key, part.strip(), kind) for part in text.split(",") if part.strip())
    if isinstance(default, bool):
        if text.lower() not in ("true", "false", "yes", "no"):
            raise InputError(f"the setting {key} is true or false, not '{text}'")
        return text.lower() in ("true", "yes")
    kind = type(default) if isinstance(default, (int, float)) else str
    try:
        return kind(text)
    except ValueError as error:
        what = "a whole number" if kind is int else "a number"
        raise InputError(f"the setting {key} is {what}, not '{text}'") from error


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)
