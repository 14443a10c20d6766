"""SIM-RAG (paper 72): does a critic trained on a system's own practice know when to stop searching?

A small critic learns from practice in some worlds and judges every answer in others (``_stage``).
Beside it: always as many searches, the model's own verdict on its answer, the answer's
log-probability, and the oracle. The Reasoner is SmolLM2-135M, or the model that
SCRUBJAY_STUDY_MODEL names; at smoke scale it is a rule that quotes. ``full`` has the numbers of
questions of the sheet and is meant for an 8B model or an endpoint with log-probabilities.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import asdict, replace
from pathlib import Path

from scrubjay.core.finding import Finding
from scrubjay.core.progress import Progress
from scrubjay.studies.kept import kept_async
from scrubjay.studies.sim_rag_judge import CLAIMS, judge
from scrubjay.studies.sim_rag_stage import SIZES, Stage, worlds
from scrubjay.studies.study import Scale, study
from scrubjay.training.critic import train_critic

MODEL = "smollm2-135m"
NOTES = (
    "The sheet's own setting is a tiny Reasoner trained on a world's facts; here it is SmolLM2, "
    "whose weights hold hardly anything of these worlds: at round 0 nearly all answers are wrong, "
    "so the gain lies in when to stop reading on, not in trusting memory.",
    "The critic is logistic regression on how question, answer and documents stand to each other "
    "(agents.evidence), in place of Flan-T5 with 783 million weights.",
    "All rules are judged on the same walks, in which refused answers are not fed back. The loop "
    "itself is a table of its own: doing nothing with them, drawing again what was refused, and "
    "telling the model in the prompt (which a model of this size takes as a suggestion).",
    "After one search more searches bring this Reasoner hardly anything, so a fixed number of one "
    "is hard to beat at equal searches: the critic's gain is in knowing which answers to refuse.",
    "Accuracy is over all answers in their natural mix; a balanced set would flatter it.",
)


@study("sim-rag", claims=CLAIMS)
def run(scale: Scale, *, out: Path, seed: int, progress: Progress) -> Finding:
    """Practise, walk, train, and judge."""
    return asyncio.run(_run(scale, out, seed, progress))


async def _run(scale: Scale, out: Path, seed: int, progress: Progress) -> Finding:
    from scrubjay.models import load_model

    size = SIZES[scale]
    spec = None if scale == "smoke" else os.environ.get("SCRUBJAY_STUDY_MODEL", MODEL)
    model = load_model(spec) if spec else None
    try:
        stage = Stage(size, *worlds(scale, seed), model, out, seed, progress)
        learned, judged = await stage.rows(unseen=False), await stage.rows(unseen=True)
        progress("verdicts and loops", 0, 2)
        own = await kept_async(out / "own-verdicts.json", lambda: stage.own_verdicts(judged))
        progress("verdicts and loops", 1, 2)
        critic = train_critic(learned, seed=seed).critic
        loops = await kept_async(out / "loops.json", lambda: stage.loops(critic))
        progress("verdicts and loops", 2, 2)
    finally:
        if model is not None:
            await model.close()
    found = judge(learned, judged, own, loops, size, seed)
    return replace(found, settings={"size": asdict(size), "model": spec}, notes=NOTES)
