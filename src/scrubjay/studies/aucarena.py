"""AucArena (paper 48): do bidders that plan, and plan again, win auctions?

The paper compares prompts of GPT-4's size. Here the claim about planning is put to bidders of which
every part can be taken out (``_stage``): plan or not, plan again or not, learn the bias of the
estimates or not. A small language model sits beside them, by choosing and by writing; any other by
the variable SCRUBJAY_STUDY_MODEL. Scale ``full`` has the numbers of games of the sheet.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from scrubjay.core.finding import Finding
from scrubjay.core.progress import Progress
from scrubjay.studies.aucarena_judge import CLAIMS, judge
from scrubjay.studies.aucarena_stage import SIZES, Size, measure_seed, words
from scrubjay.studies.kept import had, kept_async
from scrubjay.studies.parallel import Report, run_parallel
from scrubjay.studies.study import Scale, study

MODEL = "smollm2-135m"
VOICES = ("choosing", "writing")
NOTES = (
    "TrueSkill is on the ranking by profit, with equal profits as draws, games in a drawn order.",
    "Three bidders of eight are drawn for every auction: the paper's tables have three seats, and "
    "with eight the prices are driven up to the estimates.",
    "'none' bids up to its estimate, without a thought for its money; 'static' fixes the shadow "
    "price of its money once, 'adaptive' after every sale. '+ bias' multiplies estimates by the "
    "mean of true value over estimate of the sales so far. In the paper's prompts re-planning and "
    "learning from announced values are one; here they are two switches.",
    "With values of exactly twice the start price one sale tells every value; 'ratios' draws the "
    "ratio for each item between 1.2 and 2.8.",
    "'forgets' takes its money, with probability 1/2 after every sale, for what it was before.",
    "The language model plays auctions of four items with 8,000; its voice 'choosing' plans once "
    "and picks among given answers, 'writing' has no plan and writes bids and books. Its books are "
    "not corrected (whoever buys nothing has true books of itself by doing nothing). A handful of "
    "games says how it behaves, not how good it is.",
    "A clairvoyant knows the values, not the prices; it is a planner like the others otherwise.",
)


@study("aucarena", claims=CLAIMS)
def run(scale: Scale, *, out: Path, seed: int, progress: Progress) -> Finding:
    """Hold the auctions of every seed and of the language model, and judge."""
    size = SIZES[scale]
    jobs = [(size, seed + i, out) for i in range(size.seeds)]
    workers = 1 if scale == "smoke" else None
    run_parallel(_job, jobs, lambda done: progress("auctions", done, size.seeds), workers=workers)
    seeds = [had(out / f"seed-{s}.json") for _, s, _ in jobs]
    spec = os.environ.get("SCRUBJAY_STUDY_MODEL", MODEL) if size.words else None
    spoken = asyncio.run(_words(spec, size, out, seed, progress)) if spec else {}
    found = judge(seeds, spoken)
    return replace(found, settings={"size": asdict(size), "model": spec}, notes=NOTES)


def _job(job: tuple[Size, int, Path], report: Report) -> None:
    measure_seed(*job)
    report(1)


async def _words(spec: str, size: Size, out: Path, seed: int, progress: Progress) -> dict[str, Any]:
    from scrubjay.models import load_model

    found: dict[str, Any] = {}
    model = load_model(spec)
    try:
        await model.check()
        for number, voice in enumerate(VOICES):
            progress("language model", number, len(VOICES))
            work = partial(words, model, size, seed, voice)
            found[voice] = await kept_async(out / f"{voice}-{seed}.json", work)
        progress("language model", len(VOICES), len(VOICES))
    finally:
        await model.close()
    return found
