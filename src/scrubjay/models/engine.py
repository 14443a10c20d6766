"""Continuous batching: whatever coroutines ask for at the same moment is computed together.

One task per engine runs between the coroutines, in their own thread. Each turn it waits until
everybody who can ask has asked, then makes one forward pass: over all newly arrived prompts and the
next token of every unfinished row. A finished row leaves at once and its room goes to the next one
waiting. What prompts have in common is computed and stored once, and what a finished row stored is
kept while there is room, for an agent's next prompt often goes on from its last one (see
``prefix``). Nothing depends on the clock: the same coroutines give the same passes, bit for bit.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Iterable, Set
from typing import Any

import torch
from torch import Tensor

from scrubjay.core.coalesce import settled
from scrubjay.models import sampling
from scrubjay.models.inside import look_back
from scrubjay.models.packing import plan_pass
from scrubjay.models.plain import PlainRunner
from scrubjay.models.pool import Pool, capacity_for, give_back
from scrubjay.models.prefix import KEPT, Node, PrefixTree
from scrubjay.models.rows import Row
from scrubjay.models.runner import Runner

_log = logging.getLogger(__name__)

PASS = 2048
"""Prompt tokens computed in one pass (one longer prompt is a pass of its own)."""
AHEAD = 512
"""Waiting rows among which shared prefixes are looked for."""
REMEMBERED = 64
"""Earlier prompts compared with new ones to find what is worth keeping."""


class Engine:
    """Generates and scores rows on a transformers decoder model."""

    def __init__(self, model: Any, *, ends: Iterable[int] = (), memory: int = 800_000_000) -> None:
        """
        Args:
            ends: token ids that end a text.
            memory: bytes for keys and values; rows that don't fit wait (pools that grow may hold
                half as much again for a while).
        """
        self.ends, self.memory = frozenset(ends), memory
        self.runner = Runner(model)
        self.plain: PlainRunner | None = None
        if self.runner.obstacle:
            self.plain = PlainRunner(model, self.ends)
            _log.warning(
                "this %s model is run one prompt at a time, without sharing prefixes: %s",
                model.config.model_type,
                self.runner.obstacle,
            )
        self.tree = PrefixTree()
        self.pools: dict[int, Pool] = {}
        self.waiting: deque[Row] = deque()
        self.asked = 0
        self._admitted: list[Row] = []
        self._seen: deque[list[int]] = deque(maxlen=REMEMBERED)
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
        self._seen.clear()
        while (node := self.tree.idle()) is not None:
            self.tree.drop(node)
        give_back()

    async def _serve(self) -> None:
        try:
            while self.waiting or self._active():
                await settled(lambda: self.asked)
                self._drop_cancelled()
                if self.plain is not None:
                    self._one_by_one(self.plain)
                    continue
                self._admit()
                if self._admitted or self._active():
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

    # -- admission ---------------------------------------------------------------------------

    def _admit(self) -> None:
        """Waiting rows that fit into this pass and into memory, each under its shared prefix.

        First come those of whose prompt most is stored: so conversations that have begun end before
        others take their room, and what they stored is read rather than computed again.
        """
        self._admitted = []
        if not self.waiting:
            return
        rows = list(self.waiting)[:AHEAD]
        limits = [row.shareable for row in rows]
        nodes = self.tree.place([r.prompt for r in rows], limits, self._seen)
        sharers = Counter(nodes)
        admitted = self._admitted
        tokens, counted, adopted = 0, set[int](), dict[int, list[Tensor]]()
        for row, node in sorted(zip(rows, nodes), key=lambda each: -each[1].stored):
            if any(n.dropped for n in node.chain()):
                break  # a row before it needed the room: it gets another place in the next pass
            new = [n for n in node.chain() if not n.ready and id(n) not in counted]
            cost = len(row.prompt) - node.end + sum(len(n.tokens) for n in new)
            if admitted and tokens + cost > PASS:
                break
            above = self.tree.lone(node, sharers) if row.grows else node
            if not self._room(row, node, above, new) and (admitted or self._active()):
                break
            tokens += cost
            counted.update(id(n) for n in new)
            for n in new:
                n.kv = self.runner.room(len(n.tokens))
            adopted[id(row)] = self._seat(row, node)
            admitted.append(row)
            self._seen.append(row.prompt)
        taken = set(map(id, admitted))
        self.waiting = deque(r for r in self.waiting if id(r) not in taken)
        self.tree.forget_unready()
        self._move_in(adopted)

    def _room(self, row: Row, node: Node, above: Node, new: list[Node]) -> bool:
        """Whether the row fits, after dropping prefixes nobody uses.

        It hangs under ``above`` and takes the runs from there to ``node`` out of the tree into its
        own places, or if that is too much, just under ``node``.
        """
        keep = set(map(id, node.chain()))
        fits = False
        for row.node in dict.fromkeys((above, node)):
            row.adopted = node.end - row.node.end
            need = self.runner.bytes_for(sum(len(n.tokens) for n in new))
            if row.grows:
                need += self.runner.bytes_for(capacity_for(row.own) - row.adopted)
            if fits := self._fits(need, keep):
                break
        return fits

    def _seat(self, row: Row, node: Node) -> list[Tensor]:
        """Give the row its place in the tree and in a pool, and take what it adopts from the tree.

        Returns: the adopted keys and values.
        """
        assert row.node is not None
        row.node.users += 1
        if row.grows:
            self._pool(row.own).rows.append(row)
        if not row.adopted:
            return []
        adopted = [n for n in node.chain() if n.start >= row.node.end]
        found = [n.kv for n in adopted]
        self.tree.cut(adopted[0])
        return found

    def _move_in(self, adopted: dict[int, list[Tensor]]) -> None:
        """Make slots for the rows just seated, and put there what each adopts (by ``id()``)."""
        for pool in self.pools.values():
            pool.fit()
            for slot, row in enumerate(pool.rows):
                first = 0
                for kv in adopted.get(id(row), ()):
                    pool.kv[:, :, slot, :, first : first + kv.shape[3]] = kv
                    first += kv.shape[3]

    def _fits(self, need: int, keep: Set[int] = frozenset()) -> bool:
        """Whether there is room for so many bytes, after dropping prefixes nobody uses."""
        while self._used() + need > self.memory:
            idle = self.tree.idle()
            if idle is None or id(idle) in keep:
                return False
            self.tree.drop(idle)
        return True

    def _used(self) -> int:
        places = sum(len(p.rows) * p.capacity for p in self.pools.values())
        nodes = sum(len(n.tokens) for n in self.tree.nodes() if n.kv is not None)
        return self.runner.bytes_for(places + nodes)

    def _pool(self, places: int) -> Pool:
        capacity = capacity_for(places)
        if capacity not in self.pools:
            self.pools[capacity] = Pool(capacity, *self.runner.shape, self.runner.dtype)
        return self.pools[capacity]

    # -- passes ------------------------------------------------------------------------------

    def _pass(self) -> None:
        """All of the rows just admitted, and the next token of every other row."""
        line = plan_pass(self._admitted, self.pools)
        remember = any("hidden" in r.want for r in line.order)
        logits = self.runner(line.ids, line.positions, line.plan, line.wanted, remember)
        for node in line.nodes:
            node.ready = True
        new = set(map(id, self._admitted))
        queries = iter(() if line.plan.queries is None else line.plan.queries)
        going, places, done = list[Row](), list[int](), list[Row]()
        for row, (first, last) in zip(line.order, line.spans):
            if id(row) in new:
                if row.scored_from is not None:
                    targets = torch.tensor(row.prompt[row.scored_from :])
                    scores = logits[first : first + len(targets)]
                    row.logprobs = sampling.logprobs_of(scores, targets)
                row.stored = len(row.prompt) - (row.node.end if row.node else 0)
            else:
                row.stored += 1
                if row.watched:
                    row.queries.append(next(queries))
            if row.most and not row.closing:
                going.append(row)
                places.append(last - 1)
            else:
                done.append(row)
        if going:
            every = len(places) == len(logits)
            self._extend(going, logits if every else logits[places], places)
        self._leave(done)

    def _extend(self, rows: list[Row], logits: Tensor, places: list[int]) -> None:
        """Give each row its next token; those that are done leave.

        A token's queries come from its own pass, which the last one has no other need of: a row
        that is watched makes it all the same, unless an end token did.
        """
        want = any("entropy" in r.want for r in rows)
        tokens, logprobs, nats = sampling.pick(logits, [r.sampler for r in rows], want)
        done = []
        for i, row in enumerate(rows):
            if tokens[i] in self.ends:
                row.finish = "stop"
                done.append(row)
                continue
            row.tokens.append(tokens[i])
            row.logprobs.append(logprobs[i])
            if "entropy" in row.want:
                row.entropies.append(nats[i])
            if "hidden" in row.want and self.runner.states is not None:
                row.states.append(self.runner.states[places[i]])
            row.pending = tokens[i]
            if row.stops is not None and row.stops(row.tokens):
                row.finish = "stop"
            elif len(row.tokens) < row.most:
                continue
            row.closing = row.watched
            if not row.closing:
                done.append(row)
        self._leave(done)

    # -- leaving -----------------------------------------------------------------------------

    def _active(self) -> bool:
        return any(pool.rows for pool in self.pools.values())

    def _leave(self, rows: list[Row]) -> None:
        gone = set(map(id, rows))
        for pool in self.pools.values():
            for slot, row in enumerate(pool.rows):
                if id(row) in gone and row.watched and row.waited_for:
                    look_back(row, pool.kv[0, -1, slot, :, : row.stored])
        kept: list[tuple[Node, list[int], Tensor]] = []
        for pool in self.pools.values():
            for slot, row in enumerate(pool.rows):
                if id(row) in gone and row.node is not None and row.stored >= KEPT:
                    start, end = row.node.end, row.node.end + row.stored
                    text = (row.prompt + row.tokens)[:end]
                    node = self.tree.known(row.node, text)
                    if end - node.end >= KEPT:
                        kv = pool.kv[:, :, slot, :, node.end - start : row.stored].clone()
                        kept.append((node, text[node.end :], kv))
        for pool in self.pools.values():
            pool.remove(gone)
        # An empty pool gives its memory back: prompts of other lengths need pools of their own.
        self.pools = {c: pool for c, pool in self.pools.items() if pool.rows}
        needed = {id(n) for node, _, _ in kept for n in node.chain()}
        for node, text, kv in kept:
            if self._fits(self.runner.bytes_for(len(text)), needed):
                self.tree.keep(node, text, kv)
        for row in rows:
            assert row.node is not None
            row.node.users -= 1
            row.deliver()

    def _drop_cancelled(self) -> None:
        self.waiting = deque(r for r in self.waiting if r.waited_for)
        rows = [r for pool in self.pools.values() for r in pool.rows if not r.waited_for]
        self._leave(rows)

    def _fail(self, error: BaseException) -> None:
        """An error reaches everybody who waits, and the engine starts afresh."""
        rows = [
            *self._admitted,
            *self.waiting,
            *(r for pool in self.pools.values() for r in pool.rows),
        ]
        self.waiting.clear()
        self.pools.clear()
        self.tree = PrefixTree()
        for row in rows:
            row.fail(error)
