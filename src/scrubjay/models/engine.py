"""Continuous batching: whatever coroutines ask for at the same moment is computed together.

One task per engine runs between the coroutines, in their own thread. Each turn it waits until
everybody who can ask has asked, then makes one forward pass: over all newly arrived prompts, and of
every unfinished row the next token and a guess of those after it (see ``echo``). A finished row
leaves at once and its room goes to the next one waiting. What prompts have in common is computed
and stored once, and what a finished row stored is kept while there is room, for an agent's next
prompt often goes on from its last one (see ``seats``). Nothing depends on the clock: the same
coroutines give the same passes, bit for bit.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterable
from itertools import islice
from typing import Any, NamedTuple

import torch
from torch import Tensor

from scrubjay.core.coalesce import settled
from scrubjay.models import sampling
from scrubjay.models.packing import plan_pass
from scrubjay.models.plain import PlainRunner
from scrubjay.models.pool import give_back
from scrubjay.models.rows import Row
from scrubjay.models.runner import Runner
from scrubjay.models.seats import Seats

_log = logging.getLogger(__name__)


class _Pick(NamedTuple):
    """What the model says at one place."""

    token: int
    logprob: float
    nats: float | None
    state: Tensor | None


class Engine:
    """Generates and scores rows on a transformers decoder model."""

    def __init__(self, model: Any, *, ends: Iterable[int] = (), memory: int = 800_000_000) -> None:
        """
        Args:
            ends: token ids that end a text.
            memory: bytes for keys and values; rows that don't fit wait (the pool of rows gives back
                what it once needed when it is empty, so up to twice as much may be held).
        """
        self.ends = frozenset(ends)
        self.runner = Runner(model)
        self.seats = Seats(self.runner, memory)
        self.plain: PlainRunner | None = None
        if self.runner.obstacle:
            self.plain = PlainRunner(model, self.ends)
            _log.warning(
                "this %s model is run one prompt at a time, without sharing prefixes: %s",
                model.config.model_type,
                self.runner.obstacle,
            )
        self.waiting: deque[Row] = deque()
        self.asked = 0
        self._admitted: list[Row] = []
        self._task: asyncio.Task[None] | None = None

    async def run(self, rows: list[Row]) -> list[Row]:
        """Compute the rows together with everybody else's; cancelling gives their room back."""
        loop = asyncio.get_running_loop()
        futures: list[asyncio.Future[Row]] = [loop.create_future() for _ in rows]
        for row, future in zip(rows, futures):
            row.future = future
        self.waiting.extend(rows)
        self.asked += len(rows)
        if self._task is None or self._task.done():
            self._task = loop.create_task(self._serve())
        try:
            return [await future for future in futures]
        finally:
            for future in futures:
                future.cancel()

    def settle(self) -> None:
        """Forget shared prefixes and earlier prompts (rows being computed keep theirs)."""
        self.seats.forget()
        give_back()

    async def _serve(self) -> None:
        try:
            while self.waiting or self.seats.taken():
                await settled(lambda: self.asked)
                self._drop_cancelled()
                if self.plain is not None:
                    self._one_by_one(self.plain)
                    continue
                self._admitted = self.seats.admit(self.waiting)
                admitted = set(map(id, self._admitted))
                self.waiting = deque(r for r in self.waiting if id(r) not in admitted)
                if self._admitted or self.seats.taken():
                    with torch.inference_mode():
                        self._pass()
        except BaseException as error:
            self._fail(error)
            if not isinstance(error, Exception):
                raise

    def _one_by_one(self, plain: PlainRunner) -> None:
        while self.waiting:
            row = self.waiting.popleft()
            self._admitted = [row]
            plain(row)
            row.deliver()

    # -- passes ------------------------------------------------------------------------------

    def _pass(self) -> None:
        """All of the rows just admitted, and the next token of every other row with its guess."""
        line = plan_pass(self._admitted, self.seats.pool)
        remember = any("hidden" in r.want for r in line.order)
        logits = self.runner(line.ids, line.positions, line.plan, line.wanted, remember)
        for node in line.nodes:
            node.ready = True
        new = set(map(id, self._admitted))
        queries = iter(() if line.plan.queries is None else line.plan.queries)
        going, done = list[tuple[Row, range]](), list[Row]()
        for row, (first, last) in zip(line.order, line.spans):
            places = range(first, last)
            if id(row) in new:
                if row.scored_from is not None:
                    targets = torch.tensor(row.prompt[row.scored_from :])
                    scores = logits[first : first + len(targets)]
                    row.logprobs = sampling.logprobs_of(scores, targets)
                row.stored = row.prompted
                row.found.clear()
                places = range(last - 1, last)
            else:
                row.stored += 1
                if row.watched:
                    row.queries += islice(queries, len(places))
            if row.most and not row.closing:
                going.append((row, places))
            else:
                done.append(row)
        if going:
            self._extend(going, logits)
        self._leave(done)

    def _extend(self, rows: list[tuple[Row, range]], logits: Tensor) -> None:
        """Give each row its next token, and those after it that it had guessed; ``rows`` with the
        places of their logits. Those that are done leave.

        A token's queries come from its own pass, which the last one has no other need of: a row
        that is watched makes it all the same, unless an end token did.
        """
        places = [i for _, own in rows for i in own]
        samplers = [row.sampler for row, own in rows for _ in own]
        want = any("entropy" in row.want for row, _ in rows)
        chosen = logits if len(places) == len(logits) else logits[places]
        tokens, logprobs, nats = sampling.pick(chosen, samplers, want)
        states = self.runner.states
        picks = (
            _Pick(
                tokens[i],
                logprobs[i],
                nats[i] if "entropy" in row.want else None,
                states[place] if "hidden" in row.want and states is not None else None,
            )
            for i, (row, place) in enumerate((row, place) for row, own in rows for place in own)
        )
        self._leave([row for row, own in rows if self._say(row, list(islice(picks, len(own))))])

    def _say(self, row: Row, picks: list[_Pick]) -> bool:
        """The row's next token, and those after it as far as it had guessed what is picked now.

        Returns: whether it is done.
        """
        said, guess, goes, ended, used = list[int](), row.draft, True, False, 0
        for used, pick in enumerate(picks, 1):
            if ended := pick.token in self.ends:
                row.finish = "stop"
                break
            said.append(pick.token)
            if pick.nats is not None:
                row.entropies.append(pick.nats)
            if pick.state is not None:
                row.states.append(pick.state)
            goes = row.take(pick.token, pick.logprob)
            if not goes or guess[used - 1 : used] != [pick.token]:
                break
            row.stored += 1
        del row.queries[len(row.queries) - (len(picks) - used) :]  # those of guesses that failed
        if ended:
            return True
        row.go_on(said, guessing=goes)
        row.closing = row.watched and not goes
        return not (goes or row.closing)

    def _leave(self, rows: list[Row]) -> None:
        self.seats.leave(rows)
        for row in rows:
            row.deliver()

    def _drop_cancelled(self) -> None:
        self.waiting = deque(r for r in self.waiting if r.waited_for)
        self._leave([r for r in self.seats.taken() if not r.waited_for])

    def _fail(self, error: BaseException) -> None:
        """An error reaches everybody who waits, and the engine starts afresh."""
        rows = [*self._admitted, *self.waiting, *self.seats.taken()]
        self.waiting.clear()
        self.seats = Seats(self.runner, self.seats.memory)
        for row in rows:
            row.fail(error)
