"""Mixing mechanisms (paper 04): is a bound thing found by position alone?

One instrument on one open model, for the last and the first column of a clause, and on planted
readers whose mechanisms are known. A column that the model doesn't bind above chance can't be
measured; that is reported, and what needs it does not hold. Any decoder by the variable
SCRUBJAY_STUDY_MODEL; scale ``full`` is meant for tuned models of 2 billion weights or more.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from scrubjay.core.finding import Claim, Finding, Number
from scrubjay.core.progress import Progress
from scrubjay.probing.errors import ProbeError
from scrubjay.probing.mixing import MixingMechanisms, fitted
from scrubjay.probing.mixture import mixture_of
from scrubjay.probing.open import OpenModel, load_open
from scrubjay.studies.kept import kept
from scrubjay.studies.parallel import one_thread
from scrubjay.studies.study import Scale, study
from scrubjay.worlds.binding import SCHEMAS, pairs

ENOUGH, BETTER = 0.85, 0.1
LAST, FIRST = "last column", "first column"
CLAIMS = (
    f"The mixture of three mechanisms predicts patched answers: JSS at least {ENOUGH} on held-out "
    f"triples, and {BETTER} above a single position",
    "The pointer is needed where the answer stands first in its clause, the word where it stands "
    "last: leaving each out costs most there",
    "Position decides less in the middle third of the groups than at both ends",
)
READERS: Mapping[str, dict[str, float]] = {
    "position": {"position": 6.0},
    "word": {"lexical": 6.0},
    "pointer": {"reflexive": 6.0},
    "all three": {"position": 3.0, "lexical": 2.0, "reflexive": 1.5},
}
NOTES = (
    "Planted readers, whose mechanisms are known, go through the same fit: 'JSS, planted reader'. "
    "They check the instrument and are no claim of the paper.",
    "The model is as shipped: the sheet's fine-tuning that first elicits binding is left out, and "
    "texts are completed, not chatted.",
    "The layer is chosen on pairs whose counterfactual answer isn't in the original; a layer that "
    "says that answer holds the answer and no pointer.",
    "A column that is named no better than chance is refused by the instrument; a claim that "
    "compares columns then does not hold.",
    "Triples are few: similarity is of means over one or two pairs, and its ceiling is that of the "
    "oracle variant.",
)


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured."""

    instrument: MixingMechanisms
    planted: int


SIZES = {
    "smoke": Size(MixingMechanisms(n=4, count=12, control=6, layers=(18, 20), margin=-1.0), 40),
    "laptop": Size(MixingMechanisms(n=5, count=96, control=24), 400),
    "full": Size(MixingMechanisms(n=14, count=3000, control=200), 3000),
}


@study("mixing-mechanisms", claims=CLAIMS)
def run(scale: Scale, *, out: Path, seed: int, progress: Progress) -> Finding:
    """Measure both columns and the planted readers, and judge."""
    size = SIZES[scale]
    name = os.environ.get("SCRUBJAY_STUDY_MODEL", "smollm2-135m")
    opened: list[OpenModel] = []

    def measured(target: int) -> dict[str, Any]:
        if not opened:
            opened.append(load_open(name))
        instrument = replace(size.instrument, target=target, seed=seed)
        try:
            return {"finding": instrument.measure(opened[0]).to_dict()}
        except ProbeError as error:
            return {"refused": str(error)}

    stem = name.replace("/", "-")
    with one_thread():
        found = {}
        for done, (what, target) in enumerate(((LAST, 2), (FIRST, 0))):
            path = out / f"{stem}-{target}-{seed}.json"
            found[what] = kept(path, lambda target=target: measured(target))  # type: ignore[misc]
            progress("columns", done + 1, 3)
        planted = kept(out / f"planted-{seed}.json", lambda: recovered(size, seed))
    settings = {**asdict(size.instrument), "model": name, "planted pairs": size.planted}
    return replace(judge(found, planted), settings=settings, notes=NOTES)


def recovered(size: Size, seed: int) -> dict[str, float]:
    """JSS of the mixture fitted to each planted reader's answers."""
    n = size.instrument.n
    some = pairs(SCHEMAS["objects"], n, 2, size.planted, seed=seed + 1)
    index = torch.tensor([(p.position, p.lexical, p.reflexive) for p in some])
    similar = {}
    for name, weights in READERS.items():
        with torch.no_grad():
            answers = mixture_of(n, **weights)(index).exp()
        similar[name] = fitted(some, answers, variants=["M"], seed=seed)[0]["JSS, M"].value
    return similar


def judge(found: Mapping[str, Any], planted: Mapping[str, float]) -> Finding:
    """Each column is {finding} or {refused: why}."""
    findings = {
        what: Finding.from_dict(part["finding"])
        for what, part in found.items()
        if "finding" in part
    }
    numbers = {
        f"{key}, {what}": number
        for what, f in findings.items()
        for key, number in f.numbers.items()
    }
    numbers |= {f"JSS, planted reader by {k}": Number(v) for k, v in planted.items()}
    refused = {what: part["refused"] for what, part in found.items() if "refused" in part}
    tables = {
        f"{key}, {what}": rows for what, f in findings.items() for key, rows in f.tables.items()
    }
    if refused:
        tables["Not measured"] = [{"column": k, "why": v} for k, v in refused.items()]
    last = findings.get(LAST)
    claims = (
        _mixture(last, refused.get(LAST, "")),
        _needed(findings, refused),
        _ends(last, refused.get(LAST, "")),
    )
    return Finding("mixing-mechanisms", numbers, claims, tables, last.figure if last else None)


def _mixture(last: Finding | None, why: str) -> Claim:
    if last is None:
        return Claim(CLAIMS[0], False, why)
    whole, one = (last.numbers[f"JSS, {name}"] for name in ("M", "P one-hot"))
    holds = whole.value >= ENOUGH and whole.value >= one.value + BETTER
    return Claim(CLAIMS[0], holds, f"M {_told(whole)}, one position {_told(one)}")


def _needed(findings: Mapping[str, Finding], refused: Mapping[str, str]) -> Claim:
    if refused:
        return Claim(CLAIMS[1], False, "; ".join(f"{k}: {v}" for k, v in refused.items()))

    def cost(what: str, term: str) -> float:
        jss = findings[what].numbers
        return jss["JSS, M"].value - jss[f"JSS, M without {term}"].value

    costs = {(w, t): cost(w, t) for w in (FIRST, LAST) for t in "LR"}
    holds = costs[FIRST, "R"] > costs[LAST, "R"] and costs[LAST, "L"] > costs[FIRST, "L"]
    told = ", ".join(f"{w}, without {t}: {v:.3f}" for (w, t), v in costs.items())
    return Claim(CLAIMS[1], holds, told)


def _ends(last: Finding | None, why: str) -> Claim:
    if last is None:
        return Claim(CLAIMS[2], False, why)
    rows = last.tables["Effects by position"]
    third = max(1, len(rows) // 3)
    parts = (rows[:third], rows[third:-third], rows[-third:])
    shares = [
        sum(r["pairs"] * r["position"] for r in part) / max(1, sum(r["pairs"] for r in part))
        for part in parts
    ]
    told = "first {:.2f}, middle {:.2f}, last {:.2f}".format(*shares)
    return Claim(CLAIMS[2], shares[1] < min(shares[0], shares[2]), told)


def _told(number: Number) -> str:
    if number.low is None or number.high is None:
        return f"{number.value:.3g}"
    return f"{number.value:.3g} [{number.low:.3g}, {number.high:.3g}]"
