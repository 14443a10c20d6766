"""Retrieval heads: which heads copy what is read from the context into the answer?

While the model answers greedily, a head copies the token w at a step if the place it attends to
most, from the position that predicts w, lies in the needle and holds w:

    j = argmax a_h,   j in [s, e)   and   x_j = w
    score(h) = |tokens of the needle that h copied| / |tokens of the needle|      mean over samples

as sets (the paper) or counting steps (its released code: 1/(e - s) a step, which can pass 1). Only
samples that the model answers count (ROUGE-1 recall > 0.5). A retrieval head has a mean ≥ 0.1.

Then the best heads are taken out while the model reads *other* needles, beside as many random heads
of the same layers, random heads of any layer, heads ranked by their attention to the needle, and
induction heads; and the same is done to answers from memory. Source: paper 18, sections 3.1 to 3.4
of our sheet. Departures: needles are found by the tokenizer's offsets; random controls leave out
every retrieval head.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar, Literal, get_args

import numpy as np

from scrubjay.core.finding import Finding, Number
from scrubjay.core.progress import Progress, silent
from scrubjay.probing.anatomy import Anatomy
from scrubjay.probing.copying import Copy, induction_scores, needle_recall, retrieval_scores
from scrubjay.probing.errors import ProbeError
from scrubjay.probing.heads import Head, HeadScores, first, random_heads, ranked
from scrubjay.probing.intervals import bootstrap
from scrubjay.probing.open import OpenModel
from scrubjay.probing.remembering import Mode, remembered
from scrubjay.probing.retrieval_tables import compared, heat_map, numbers, pooled, scored
from scrubjay.worlds.needle import TEMPLATES, Needle, NeedleTask, questions_by_source


@dataclass(frozen=True)
class RetrievalHeads:
    """The instrument; see the top of this file."""

    about: ClassVar[str] = (
        "heads that copy what was read into the answer, and what they are good for"
    )

    lengths: Sequence[int] = (128, 256, 512)
    """Tokens of the prompts."""
    depths: Sequence[float] = (0.0, 0.25, 0.5, 0.75, 1.0)
    counts: Sequence[int] = (2, 5, 10, 14, 27)
    """How many heads are taken out."""
    draws: int = 3
    """Random controls for each number."""
    memory: int = 40
    """Questions from memory; 0: none are asked."""
    threshold: float = 0.1
    counting: Literal["set", "step"] = "set"
    mode: Mode = "uniform"
    """What stands in the place of a head's reading; see ``ablate``."""
    most: int = 20
    """Tokens of an answer."""
    seed: int = 0

    def measure(
        self,
        model: OpenModel,
        data: Sequence[Needle | Copy] | None = None,
        *,
        progress: Progress = silent,
        tests: Sequence[Needle | Copy] | None = None,
    ) -> Finding:
        """Find the heads, and take them out.

        Args:
            data: needles to detect with, as text or token numbers; None: those of the settings.
            tests: needles to test on; None: those of the settings, of a template of their own.
            progress: called with (what, done, total).

        Raises:
            ProbeError: a setting is out of range, or the model answers none of the needles.
        """
        began = time.perf_counter()
        self._check(Anatomy.of(model.model))
        if data is None or tests is None:
            mine, theirs = self.needles(model)
            data, tests = mine if data is None else data, theirs if tests is None else tests
        found = self.detect(model, data, progress)
        recall, rows = self.ablated(model, found, tests, progress)
        settings = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}
        heads = scored(found, found.top(min(30, found.mean.size)))
        return Finding(
            "retrieval-heads",
            numbers(found, self.threshold) | recall,
            tables={"Heads": heads, "Without heads": rows},
            figure=heat_map(found),
            settings=settings,
            seconds=round(time.perf_counter() - began, 1),
            notes=tuple(found.skipped[:10]),
        )

    def needles(self, model: OpenModel) -> tuple[list[Needle], list[Needle]]:
        """Needles to detect with, and to test on (a template of their own)."""

        def count(text: str) -> int:
            return len(model.tokenizer(text, add_special_tokens=False)["input_ids"])

        task = NeedleTask(tuple(self.lengths), tuple(self.depths), TEMPLATES[:-1], self.seed)
        test = replace(task, templates=TEMPLATES[-1:], seed=self.seed + 1)
        return task.samples(count), test.samples(count)

    def detect(
        self, model: OpenModel, data: Sequence[Needle | Copy], progress: Progress = silent
    ) -> HeadScores:
        """Scores of all heads."""
        return retrieval_scores(
            model,
            data,
            counting=self.counting,
            most=self.most,
            progress=lambda done, total: progress("needles", done, total),
        )

    def conditions(self, model: OpenModel, found: HeadScores) -> dict[str, list[Head]]:
        """What is taken out: "<ranking> <count>" and "<random> <count> #<draw>"."""
        shape = found.mean.shape
        strong = found.above(self.threshold)
        rankings = {"retrieval": ranked(found.mean)}
        if found.mass is not None:
            rankings["attention"] = ranked(found.mass)
        length = min(40, Anatomy.of(model.model).context // 2)
        rankings["induction"] = ranked(induction_scores(model, length=length, seed=self.seed))
        made: dict[str, list[Head]] = {"intact": []}
        for count in self.counts:
            best = {name: first(order, count) for name, order in rankings.items()}
            made |= {f"{name} {count}": heads for name, heads in best.items()}
            for draw in range(self.draws):
                for name, matched in (("same layers", True), ("random", False)):
                    made[f"{name} {count} #{draw}"] = random_heads(
                        (shape[0], shape[1]),
                        best["retrieval"],
                        without=strong,
                        matched=matched,
                        seed=self.seed + draw,
                    )
        return made

    def ablated(
        self,
        model: OpenModel,
        found: HeadScores,
        tests: Sequence[Needle | Copy],
        progress: Progress = silent,
    ) -> tuple[dict[str, Number], list[dict[str, Any]]]:
        """Recall of needles, and of memory, under every condition."""
        made = self.conditions(model, found)
        needles = needle_recall(
            model,
            tests,
            made,
            mode=self.mode,
            most=self.most,
            progress=lambda done, total: progress("needles without heads", done, total),
        )
        memory = self._remembered(model, made, progress) if self.memory else {}
        shown = {
            f"needle recall, {name}": bootstrap(values, np.mean)
            for name, values in pooled(needles).items()
        }
        return shown, compared(needles, memory)

    def _remembered(
        self, model: OpenModel, made: Mapping[str, Sequence[Head]], progress: Progress
    ) -> dict[str, Any]:
        """Of questions that the intact model answers, the share it answers still."""
        asked = questions_by_source(self.memory, self.seed)
        return remembered(
            model,
            asked,
            made,
            mode=self.mode,
            progress=lambda done, total: progress("memory without heads", done, total),
        )

    def _check(self, anatomy: Anatomy) -> None:
        if self.mode not in get_args(Mode):
            raise ProbeError(f"there is no mode '{self.mode}'; known: {', '.join(get_args(Mode))}")
        if not self.counts or min(self.counts) < 1 or self.draws < 1:
            raise ProbeError("retrieval heads are tested by taking out 1 head at least, once")
        if not 0 < self.threshold <= 1 or self.memory < 0 or self.most < 1:
            raise ProbeError(
                "the threshold lies in 0 … 1, an answer has 1 token at least, and no fewer than 0 "
                "questions are asked from memory"
            )
        heads = anatomy.n_layers * anatomy.n_heads
        if 2 * max(self.counts) > heads:
            raise ProbeError(
                f"the model has {heads} heads; {max(self.counts)} can't be compared with as many "
                "others"
            )
