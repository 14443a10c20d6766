"""Rows that several models write together, in batches: the engine beneath ``CombinedModel``.

What is asked for at the same moment is computed together, one cache per member (see ``steps``);
a row that is done leaves. The same coroutines give the same batches, and so the same bits.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor

from scrubjay.core.coalesce import Coalescer
from scrubjay.models import sampling
from scrubjay.models.combine import LogLinear
from scrubjay.models.sampling import Sampler
from scrubjay.models.steps import Steps
from scrubjay.models.stops import Stops

ROOM = 16384
"""Tokens of prompts and answers in one batch."""
SCORED = 512
"""Tokens scored in one batch: each has a log-probability for the whole vocabulary, three times."""


@dataclass(eq=False, slots=True)
class JointRow:
    """A sequence to continue (``most`` > 0) or to score (``fixed``)."""

    prompts: list[list[int]]
    most: int = 0
    fixed: list[int] = field(default_factory=list)
    sampler: Sampler | None = None
    stops: Stops | None = None
    entropy: bool = False
    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    entropies: list[float] = field(default_factory=list)
    finish: Literal["stop", "length"] = "length"

    @property
    def length(self) -> int:
        return max(map(len, self.prompts)) + max(self.most, len(self.fixed))


class JointEngine:
    """Writes and scores rows by the members' combined distribution."""

    def __init__(
        self,
        models: Sequence[Any],
        order: Sequence[int],
        rule: LogLinear,
        *,
        width: int,
        ends: Iterable[int] = (),
    ) -> None:
        """
        Args:
            models: transformers' own decoder models, each once.
            order: which of them plays each part in the rule.
            width: tokens that all of them share.
            ends: token ids that end a text.
        """
        self.models, self.order, self.rule = list(models), list(order), rule
        self.width, self.ends = width, frozenset(ends)
        self.write: Coalescer[JointRow, JointRow] = Coalescer(self._write)
        """Awaitable: continue a row."""
        self.score: Coalescer[JointRow, JointRow] = Coalescer(self._fill)
        """Awaitable: score a row."""

    def steps(self, prompts: Sequence[Sequence[Sequence[int]]]) -> Steps:
        """The members, having read ``prompts[member][row]``."""
        return Steps(self.models, prompts, self.width)

    def combined(self, logits: Sequence[Tensor]) -> Tensor:
        """Combined log-probabilities from the members' logits, as ``steps`` gives them."""
        return self.rule([logits[i] for i in self.order])

    def _write(self, rows: Sequence[JointRow]) -> list[JointRow]:
        """Continue all rows to their ends."""
        for batch in batches(rows):
            going = list(batch)
            steps = self.steps([[r.prompts[m] for r in going] for m in range(len(self.models))])
            while going:
                going = self._extend(steps, going)
                if going:
                    steps.feed(torch.tensor([[r.tokens[-1]] for r in going]))
        return list(rows)

    def _extend(self, steps: Steps, rows: list[JointRow]) -> list[JointRow]:
        """Give each row its next token; returns those that go on, and keeps them in ``steps``."""
        logprobs = self.combined(steps.logits)
        tokens, taken, nats = sampling.pick(
            logprobs, [r.sampler for r in rows], any(r.entropy for r in rows)
        )
        left = []
        for i, row in enumerate(rows):
            if tokens[i] in self.ends:
                row.finish = "stop"
                continue
            row.tokens.append(tokens[i])
            row.logprobs.append(taken[i])
            if row.entropy:
                row.entropies.append(nats[i])
            if row.stops is not None and row.stops.stops and row.stops(row.tokens):
                row.finish = "stop"
            elif len(row.tokens) < row.most:
                left.append(i)
        if left and len(left) < len(rows):
            steps.keep(left)
        return [rows[i] for i in left]

    def _fill(self, rows: Sequence[JointRow]) -> list[JointRow]:
        """Fill in the log-probabilities of every row's fixed continuation.

        Continuations of one prompt read it once: its caches are copied for each of them.
        """
        for batch in batches(rows):
            read = {id(r.prompts): r.prompts for r in batch}
            places = {key: i for i, key in enumerate(read)}
            steps = self.steps([[p[m] for p in read.values()] for m in range(len(self.models))])
            steps.keep([places[id(r.prompts)] for r in batch])
            first = self.combined(steps.logits)[:, None]
            longest = max(len(r.fixed) for r in batch)
            told = torch.tensor([r.fixed + [0] * (longest - len(r.fixed)) for r in batch])
            after = [first]
            if longest > 1:
                after.append(self.combined(steps.feed(told[:, :-1])))
            every = torch.cat(after, 1).gather(-1, told[..., None])[..., 0]
            for row, line in zip(batch, every.tolist()):
                row.logprobs = line[: len(row.fixed)]
        return list(rows)


def batches(rows: Sequence[JointRow]) -> list[list[JointRow]]:
    """Rows of similar length together, within ``ROOM`` and, where they are scored, ``SCORED``."""
    made: list[list[JointRow]] = []
    widest = 0
    for row in sorted(rows, key=lambda r: -r.length):
        widest = max(widest, len(row.fixed))
        size = len(made[-1]) + 1 if made else 0
        if not made or size * made[-1][0].length > ROOM or size * widest > SCORED:
            made.append([])
            widest = len(row.fixed)
        made[-1].append(row)
    return made
