"""Retrieval heads (paper 18): do a few heads carry what is read, and only that?

SmolLM2 reads needles of three templates; the heads that copy are scored for each template alone, so
that detection sets with different needles can be compared. Then heads are taken out while it reads
needles of a fourth template, and while it answers from memory: the best retrieval heads, as many of
the same layers and of any layer at random, heads by attention to the needle, induction heads. Every
template and the two tests are kept in files of their own. Scale ``smoke`` runs on a planted
transformer, ``full`` has longer prompts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from scrubjay.core.finding import Finding
from scrubjay.core.progress import Progress
from scrubjay.core.randomness import stream
from scrubjay.probing.copying import Copy, needle_recall, retrieval_scores
from scrubjay.probing.heads import HeadScores
from scrubjay.probing.open import OpenModel, load_open
from scrubjay.probing.planted import induction_model
from scrubjay.probing.remembering import remembered
from scrubjay.probing.retrieval_heads import RetrievalHeads
from scrubjay.studies.kept import kept
from scrubjay.studies.retrieval_head_judge import CLAIMS, judge
from scrubjay.studies.study import Scale, study
from scrubjay.worlds.needle import Needle, questions_by_source

NOTES = (
    "A head is taken out by making its attention uniform while the answer is written; the prompt "
    "is read intact. Recall is ROUGE-1 over words.",
    "Random heads are drawn from those that are no retrieval heads (mean score below 0.1); 'same "
    "layers' has as many in each layer as the retrieval heads it stands for.",
    "From memory: capitals that the intact model gives; 'memory' is the share it still gives.",
    "Prompts are 128 and 256 tokens where the paper has 1,000 to 50,000, in text of invented "
    "everyday sentences; the contrast with and without chain of thought is not measured.",
)


@dataclass(frozen=True, slots=True)
class Size:
    """How much is read, and what is taken out."""

    lengths: tuple[int, ...] = (128, 256)
    depths: tuple[float, ...] = (0.0, 0.25, 0.5, 0.75, 1.0)
    counts: tuple[int, ...] = (2, 5, 14, 27)
    share: int = 14
    """Heads taken out for the claims: about 5 %."""
    draws: int = 3
    memory: int = 30
    most: int = 14


SIZES = {
    "smoke": Size(lengths=(20,), depths=(0.2, 0.8), counts=(1,), share=1, draws=2, most=3),
    "laptop": Size(),
    "full": Size(
        (256, 512, 1024, 1536),
        counts=(2, 5, 10, 14, 20, 27, 54),
        draws=5,
        memory=60,
        most=20,
    ),
}
Samples = Sequence[Needle | Copy]


@study("retrieval-head", claims=CLAIMS)
def run(scale: Scale, *, out: Path, seed: int, progress: Progress) -> Finding:
    """Find the heads in three detection sets, take them out, and judge."""
    size = SIZES[scale]
    model, sets, tests, instrument = _stage(scale, size, seed)
    detected = []
    for number, samples in enumerate(sets):

        def detect(samples: Samples = samples, number: int = number) -> dict[str, Any]:
            found = retrieval_scores(
                model,
                samples,
                most=size.most,
                progress=lambda done, total: progress(f"needles {number + 1}", done, total),
            )
            assert found.mass is not None
            return {
                "samples": np.round(found.samples, 4).tolist(),
                "mass": found.mass.tolist(),
                "skipped": found.skipped,
            }

        detected.append(_scores(kept(out / f"detected-{number}.json", detect)))
    together = HeadScores(
        np.concatenate([d.samples for d in detected]),
        tuple(why for d in detected for why in d.skipped),
        np.mean([d.mass for d in detected if d.mass is not None], axis=0),
    )
    made = instrument.conditions(model, together)

    def needles() -> dict[str, Any]:
        found = needle_recall(
            model,
            tests,
            made,
            most=size.most,
            progress=lambda done, total: progress("without heads", done, total),
        )
        return {name: values.tolist() for name, values in found.items()}

    def memory() -> dict[str, Any]:
        if model.tokenizer is None:
            return {}
        found = remembered(
            model,
            questions_by_source(size.memory, seed),
            made,
            progress=lambda done, total: progress("from memory", done, total),
        )
        return {name: values.tolist() for name, values in found.items()}

    finding = judge(
        detected,
        together,
        kept(out / "needles.json", needles),
        kept(out / "memory.json", memory),
        made,
        share=size.share,
    )
    return replace(finding, settings={"size": asdict(size)}, notes=NOTES)


def _stage(
    scale: Scale, size: Size, seed: int
) -> tuple[OpenModel, list[Samples], Samples, RetrievalHeads]:
    """Model, detection sets, test set, and the instrument that makes the conditions."""
    instrument = RetrievalHeads(
        lengths=size.lengths,
        depths=size.depths,
        counts=size.counts,
        draws=size.draws,
        most=size.most,
        seed=seed,
    )
    if scale == "smoke":
        model = OpenModel(induction_model(30, 26, heads=4, seed=seed).model, None)
        every: list[Samples] = [_copies(size, seed, n) for n in range(4)]
        return model, every[:3], every[3], instrument
    model = load_open("smollm2-135m")
    mine, tests = instrument.needles(model)
    templates = list(dict.fromkeys(s.template for s in mine))
    sets: list[Samples] = [[s for s in mine if s.template == t] for t in templates]
    return model, sets, tests, instrument


def _copies(size: Size, seed: int, number: int) -> list[Copy]:
    """Needles of three tokens for the planted transformer: what followed the last token before."""
    random = stream(seed, "planted needles", number)
    made = []
    for length in size.lengths:
        for depth in size.depths:
            ids = [0, *random.sample(range(1, 30), length - 2)]
            place = 1 + round(depth * (length - 6))
            made.append(Copy((*ids, ids[place]), place + 1, place + 4))
    return made


def _scores(plain: dict[str, Any]) -> HeadScores:
    return HeadScores(np.array(plain["samples"]), tuple(plain["skipped"]), np.array(plain["mass"]))
