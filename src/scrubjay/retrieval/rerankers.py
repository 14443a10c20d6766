"""Rerankers: put hits in a better order, one class a method.

A cross-encoder, and four ways to ask a language model that was never trained to rank: pointwise
(yes or no, likelihood of the query), listwise, pairwise. Categories and formulas: survey of LLMs
for IR (arXiv 2308.07107, section 3.3). Ties keep the order the hits came in.
"""

from __future__ import annotations

import asyncio
import math
import os
import re
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from scrubjay.core.coalesce import Coalescer
from scrubjay.core.errors import MissingExtra, ModelError
from scrubjay.core.nouns import Hit, Passage
from scrubjay.models.prompting.prompts import render_prompt
from scrubjay.models.types import LanguageModel, Message
from scrubjay.retrieval.rows import searchable


def _ordered(hits: Sequence[Hit], scores: Sequence[float], k: int | None) -> list[Hit]:
    """The best ``k`` hits with new scores and ranks."""
    if not all(map(math.isfinite, scores)):
        raise ModelError("the reranker's model gave a score that is not a finite number")
    order = sorted(range(len(hits)), key=lambda i: (-scores[i], i))[:k]
    return [Hit(hits[i].passage, float(scores[i]), rank) for rank, i in enumerate(order)]


def _ask(name: str, **values: Any) -> list[Message]:
    return render_prompt("scrubjay.retrieval", name, **values)


class CrossEncoderReranker:
    """Reads query and passage together; any sentence-transformers cross-encoder id or folder.

    Raises:
        ModelError: it can't be loaded.
    """

    def __init__(self, spec: str | os.PathLike[str]) -> None:
        spec = os.fspath(spec)
        try:
            from sentence_transformers import CrossEncoder
        except ImportError as error:
            raise MissingExtra("sentence-transformers", "index") from error
        try:
            self._model: Any = CrossEncoder(
                spec, num_labels=1, local_files_only=Path(spec).is_dir()
            )
        except Exception as error:  # hub, file and format errors share no class
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
            raise ModelError(
                f"can't load the cross-encoder '{spec}' ({reason}): give the id of a "
                "sentence-transformers cross-encoder, or the folder of one"
            ) from error
        self._score: Coalescer[list[tuple[str, str]], list[float]] = Coalescer(self._predict)

    async def rerank(self, query: str, hits: Sequence[Hit], k: int | None = None) -> list[Hit]:
        """Scores are the model's own; concurrent calls are scored as one batch."""
        if not hits:
            return []
        pairs = [(query, searchable(hit.passage)) for hit in hits]
        return _ordered(hits, await self._score(pairs), k)

    def _predict(self, asked: Sequence[list[tuple[str, str]]]) -> list[list[float]]:
        flat = [pair for pairs in asked for pair in pairs]
        scores = iter(self._model.predict(flat, show_progress_bar=False).tolist())
        return [[next(scores) for _ in pairs] for pairs in asked]


class YesNoReranker:
    """Pointwise: P(yes) / (P(yes) + P(no)) to "does the passage answer the query?"."""

    def __init__(self, model: LanguageModel) -> None:
        self.model = model

    async def rerank(self, query: str, hits: Sequence[Hit], k: int | None = None) -> list[Hit]:
        prompts = [_ask("yes_no", query=query, passage=hit.passage) for hit in hits]
        choices = await asyncio.gather(*(self.model.choose(p, ["Yes", "No"]) for p in prompts))
        return _ordered(hits, [choice.probabilities[0] for choice in choices], k)


class QueryLikelihoodReranker:
    """Pointwise: (1/|q|) Σ_t log p(q_t | q_<t, d), the mean over the tokens of the query only, so
    that neither short queries nor short passages are favoured."""

    def __init__(self, model: LanguageModel) -> None:
        self.model = model

    async def rerank(self, query: str, hits: Sequence[Hit], k: int | None = None) -> list[Hit]:
        prompts = [_ask("query_likelihood", passage=hit.passage) for hit in hits]
        scored = await asyncio.gather(*(self.model.score(p, [query]) for p in prompts))
        return _ordered(hits, [only.mean for (only,) in scored], k)


class ListwiseReranker:
    """The model writes an order of ``window`` passages at a time, the window sliding from the back
    by ``step``, so that a good passage can travel to the front (RankGPT, arXiv 2304.09542).

    A malformed order is repaired: unknown and repeated numbers are dropped, missing ones appended
    in their old order; ``repairs`` counts the windows where that happened, of ``windows``.
    Scores are 1 / (1 + rank): this method gives an order and nothing more.
    """

    def __init__(self, model: LanguageModel, *, window: int = 10, step: int = 5) -> None:
        if not 0 < step < window:
            raise ValueError("windows must overlap: 0 < step < window")
        self.model, self.window, self.step = model, window, step
        self.windows = self.repairs = 0

    async def rerank(self, query: str, hits: Sequence[Hit], k: int | None = None) -> list[Hit]:
        order = list(hits)
        end = len(order)
        while end > 1:
            start = max(0, end - self.window)
            part = order[start:end]
            order[start:end] = [part[i] for i in await self._order(query, part)]
            if start == 0:
                break
            end -= self.step
        return [Hit(hit.passage, 1 / (1 + rank), rank) for rank, hit in enumerate(order[:k])]

    async def _order(self, query: str, part: Sequence[Hit]) -> list[int]:
        passages = [hit.passage for hit in part]
        prompt = _ask("listwise", query=query, passages=passages)
        done = await self.model.generate(prompt, max_tokens=6 * len(part))
        order, repaired = repair_order(done.text, len(part))
        self.windows += 1
        self.repairs += repaired
        return order


def repair_order(text: str, n: int) -> tuple[list[int], bool]:
    """The order of ``n`` passages that ``text`` gives (from 0), and whether it had to be repaired.

    >>> repair_order("[2] > [2] > [9] > [1]", 3)
    ([1, 0, 2], True)
    """
    # Numbers of ten digits can't be meant, and Python refuses to read ones of thousands.
    given = [int(x) - 1 for x in re.findall(r"(?<!\d)\d{1,9}(?!\d)", text, re.ASCII)]
    known = list(dict.fromkeys(i for i in given if 0 <= i < n))
    order = known + [i for i in range(n) if i not in known]
    return order, given != order


class PairwiseReranker:
    """All pairs, each shown in both orders: a passage that wins both gets one point; where the two
    orders disagree, each gets half (pairwise ranking prompting, arXiv 2306.17563). n (n - 1) calls
    for n hits."""

    def __init__(self, model: LanguageModel) -> None:
        self.model = model

    async def rerank(self, query: str, hits: Sequence[Hit], k: int | None = None) -> list[Hit]:
        pairs = list(combinations(range(len(hits)), 2))
        wins = await asyncio.gather(
            *(self._wins(query, hits[i].passage, hits[j].passage) for i, j in pairs)
        )
        points = [0.0] * len(hits)
        for (i, j), won in zip(pairs, wins):
            points[i] += won
            points[j] += 1 - won
        return _ordered(hits, points, k)

    async def _wins(self, query: str, one: Passage, other: Passage) -> float:
        """1, 0.5 or 0 points for ``one``."""
        there, back = await asyncio.gather(
            *(
                self.model.choose(_ask("pairwise", query=query, first=a, second=b), ["A", "B"])
                for a, b in ((one, other), (other, one))
            )
        )
        return ((there.index == 0) + (back.index == 1)) / 2
