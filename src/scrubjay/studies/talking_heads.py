"""Talking heads (paper 11): do a few directions carry what heads tell each other, and lists too?

One instrument on one open model, over several draws of prompts: channels from weights alone, what
they carry, recall of lists by length, and a search within the channels' subspace beside the same
search elsewhere. Any decoder by the variable SCRUBJAY_STUDY_MODEL; scale ``full`` is meant for
GPT-2 small or Pythia-160M, the paper's models.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from scrubjay.core.finding import Claim, Finding, Number
from scrubjay.core.progress import Progress
from scrubjay.probing.open import OpenModel, load_open
from scrubjay.probing.talking_heads import TalkingHeads
from scrubjay.studies.kept import kept
from scrubjay.studies.parallel import one_thread
from scrubjay.studies.study import Scale, study

TIMES, POINTS = 3.0, 0.1
CLAIMS = (
    "Taking out the component that stands out changes the reader's attention at least "
    f"{TIMES:.0f} times as much as another component of the same head",
    "Recall of the thing that a list has left falls with the length of the list",
    f"Moving the stream within the channels' subspace raises recall by at least {100 * POINTS:.0f} "
    "points at some length, on held-out lists of other things, and the same search in a random "
    "subspace doesn't",
)
NOTES = (
    "Heads that look at the answer are found by attention on texts with two names; their writers "
    "by weights alone. The subspace is chosen before any list is read.",
    "Best points are chosen by the index of the missing thing, on other lists of other things: a "
    "gain says what the subspace controls, and is no repair that a model could make by itself.",
    "The random subspace and that of most variance get the same grid rule and the same search.",
    "One draw of prompts at laptop scale. How readers and writers are chosen was settled after a "
    "look at other prompts of the same kind; nothing was chosen on lists.",
    "The mean ratio comes from few channels: see the table of channels into the queries of movers.",
    "A random direction hardly varies between prompts, so its grid is narrow by the same rule; the "
    "subspace of most variance is the harder control.",
    "Weights are searched before rotation; a rotary model's queries and keys meet after it.",
)
SIZES = {
    "smoke": (TalkingHeads((), prompts=6, lengths=(2,), searched=(), lists=4, others=2), 1),
    "laptop": (TalkingHeads(), 1),
    "full": (
        TalkingHeads(
            readers=8,
            prompts=1000,
            lengths=tuple(range(2, 21)),
            searched=tuple(range(3, 13)),
            lists=250,
            side=11,
        ),
        3,
    ),
}


@study("talking-heads", claims=CLAIMS)
def run(scale: Scale, *, out: Path, seed: int, progress: Progress) -> Finding:
    """Point the instrument at the model once a draw, and judge."""
    instrument, draws = SIZES[scale]
    name = os.environ.get("SCRUBJAY_STUDY_MODEL", "smollm2-135m")
    opened: list[OpenModel] = []

    def measured(draw: int) -> dict[str, Any]:
        if not opened:
            opened.append(load_open(name))
        # The weights are the same in every draw: their channels are counted once.
        sides = instrument.sides if draw == 0 else ()
        return replace(instrument, seed=seed + draw, sides=sides).measure(opened[0]).to_dict()

    findings = []
    with one_thread():
        for draw in range(draws):
            path = out / f"{name.replace('/', '-')}-{seed + draw}.json"
            found = kept(path, lambda draw=draw: measured(draw))  # type: ignore[misc]
            findings.append(Finding.from_dict(found))
            progress("draws", draw + 1, draws)
    settings = {**asdict(instrument), "model": name, "draws": draws} | {
        k: findings[0].settings[k] for k in ("reader", "subspace")
    }
    settings.pop("words")
    return replace(judge(findings), settings=settings, notes=NOTES)


def judge(findings: Sequence[Finding]) -> Finding:
    """The claims, from one finding a draw; intervals of the first, values averaged over draws."""
    numbers = {k: _pooled(k, findings) for k in findings[0].numbers}
    ratio = numbers.get("channel over another component")
    first = Claim(
        CLAIMS[0],
        ratio is not None and ratio.value >= TIMES and (ratio.low or 0) > 1,
        f"ratio {_told(ratio)}" if ratio else "no component to compare with",
    )
    recall = {int(k.split()[1]): v for k, v in numbers.items() if k.startswith("recall")}
    short, long = min(recall), max(recall)
    falls = short < long and (recall[short].low or 0) > (recall[long].high or 1)
    second = Claim(
        CLAIMS[1],
        falls,
        f"{short} things {_told(recall[short])}, {long} things {_told(recall[long])}",
    )
    return Finding(
        "talking-heads",
        numbers,
        (first, second, _gains(numbers)),
        findings[0].tables,
        findings[0].figure,
    )


def _gains(numbers: dict[str, Number]) -> Claim:
    gains: dict[int, dict[str, Number]] = {}
    for key, number in numbers.items():
        if key.startswith("gain"):
            _, way, length = (part.strip() for part in key.split(","))
            gains.setdefault(int(length.split()[0]), {})[way] = number
    good = [
        n
        for n, ways in gains.items()
        if ways["channel"].value >= POINTS and (ways["channel"].low or 0) > 0
    ]
    beaten = any(ways["random"].value >= POINTS for ways in gains.values())
    told = "; ".join(
        f"{n} things: " + ", ".join(f"{way} {_told(number)}" for way, number in ways.items())
        for n, ways in gains.items()
    )
    return Claim(CLAIMS[2], bool(good) and not beaten, told or "not searched")


def _pooled(key: str, findings: Sequence[Finding]) -> Number:
    """The mean over draws, with the mean of their intervals."""
    some = [f.numbers[key] for f in findings if key in f.numbers]
    if len(some) == 1 or any(x.low is None or x.high is None for x in some):
        return some[0]
    value, low, high = (
        float(np.mean([getattr(x, name) for x in some])) for name in ("value", "low", "high")
    )
    return Number(value, low, high, sum(x.n or 0 for x in some))


def _told(number: Number) -> str:
    if number.low is None or number.high is None:
        return f"{number.value:.3g}"
    return f"{number.value:.3g} [{number.low:.3g}, {number.high:.3g}]"
