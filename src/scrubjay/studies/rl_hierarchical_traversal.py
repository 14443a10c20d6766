"""RL and hierarchies (paper 28): does reward teach a model to walk what it already holds?

One checkpoint knows a tree by its local facts; five branches are trained from it on the same
questions (see ``_stage``), and asked about nodes none of them was ever told whole (``_measure``).
The paper compares vendors' models, where reinforcement learning comes with other data, length and
format; here nothing differs but the training signal. A second part asks a given language model for
medical codes, with prompts only (``_icd``): any model, by the variable SCRUBJAY_STUDY_MODEL. Scale
``full`` is the sheet's own tree and schedule.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from scrubjay.core.finding import Finding
from scrubjay.core.progress import Progress
from scrubjay.studies.kept import kept
from scrubjay.studies.parallel import one_thread
from scrubjay.studies.rl_hierarchical_traversal_icd import measure_icd
from scrubjay.studies.rl_hierarchical_traversal_judge import CLAIMS, judge
from scrubjay.studies.rl_hierarchical_traversal_measure import measure_seed
from scrubjay.studies.rl_hierarchical_traversal_stage import SIZES, Size, Stage
from scrubjay.studies.study import Scale, study

NOTES = (
    "Sizes are below the sheet's (branching 8, depth 3, 2 layers of width 64, 1,500 steps, 120 "
    "updates, three seeds) to stay within eight minutes on one thread; the share of walks was "
    "chosen so that the start model's pass@8 lies between 5 and 60 %, before any branch was seen.",
    "Training questions are nodes with neither walk nor definition, not the sheet's nodes with a "
    "definition: those the start model answers at once, so all samples of a group are equal and no "
    "reward can teach anything.",
    "Local facts are keyed by the parent's name and the turn; the prefix code spells the turns. "
    "With opaque codes no walk can be derived from the code, and the local facts hold the name "
    "itself: that world is reported beside the claims, for start, answer and rl.",
    "The claim on path quality is judged under the structured prompt, for both models: plainly "
    "asked, the answer-supervised model writes no path and scores 0 by rule.",
    "The filler control had as many updates as the others but may not have learned its answers: "
    "see its accuracy on training questions. Then it shows drift, and not what length is worth.",
    "The structured prompt tells the first level; 'walk' forces the word 'path' alone and adds no "
    "information, 'scrambled' tells a wrong first level.",
    "Compare a row's 'known' with its 'training questions': what reward teaches about the asked "
    "nodes themselves is not traversal. And compare RL with the start model told to walk: what is "
    "left is better walking, the rest is walking more often.",
    "Questions are open; four-choice scores, which let a model strike options, are used for ICD "
    "only, where chance is 0.25.",
    "A model of 135 million parameters has hardly seen ICD-10-CM: its four-choice scores say "
    "nothing about traversal. Set SCRUBJAY_STUDY_MODEL to ask another one.",
)


@study("rl-hierarchical-traversal", claims=CLAIMS)
def run(scale: Scale, *, out: Path, seed: int, progress: Progress) -> Finding:
    """Measure every seed, an opaque world and (not at smoke scale) a language model, and judge."""
    size = SIZES[scale]
    with one_thread():

        def measured(code: str, size: Size, seed: int) -> Any:
            stage = Stage(size, seed)
            return kept(out / f"{code}-{seed}.json", lambda: measure_seed(stage, progress))

        seeds = [measured("prefix", size, seed + i) for i in range(size.seeds)]
        opaque = measured("opaque", replace(size, code="opaque"), seed)
        icd = None
        if scale != "smoke":
            icd = kept(out / f"icd-{seed}.json", lambda: measure_icd(seed))
    return replace(judge(seeds, opaque, icd), settings={"size": asdict(size)}, notes=NOTES)
