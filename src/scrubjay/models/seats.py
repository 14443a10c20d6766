"""Who sits where: rows under the prefixes they share and in pools, within so many bytes.

A row is admitted under the longest prefix that is stored, or will be in the same pass because
others need it too. What it alone needs of that prefix it takes out of the tree into its own places.
When it leaves, what it stored goes back into the tree, for its next prompt often goes on from
there; prefixes nobody needs are dropped, the one used longest ago first, when room is short.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Set
from itertools import islice

from torch import Tensor

from scrubjay.models.inside import look_back
from scrubjay.models.pool import BLOCK, Pool, blocks_for
from scrubjay.models.prefix import KEPT, Node, PrefixTree
from scrubjay.models.rows import Row
from scrubjay.models.runner import Runner

PASS = 2048
"""Prompt tokens computed in one pass (one longer prompt is a pass of its own)."""
AHEAD = 512
"""Waiting rows among which shared prefixes are looked for."""
REMEMBERED = 64
"""Earlier prompts compared with new ones to find what is worth keeping."""


class Seats:
    """The tree of shared prefixes, and the pool of the rows' own keys and values."""

    def __init__(self, runner: Runner, memory: int) -> None:
        self.runner, self.memory = runner, memory
        self.tree = PrefixTree()
        self.pool = Pool(*runner.shape, runner.dtype)
        self._seen: deque[list[int]] = deque(maxlen=REMEMBERED)

    def taken(self) -> list[Row]:
        """The rows in the pool."""
        return self.pool.rows

    def forget(self) -> None:
        """Forget earlier prompts, and prefixes that nobody is using."""
        self._seen.clear()
        while (node := self.tree.idle()) is not None:
            self.tree.drop(node)

    def admit(self, waiting: Iterable[Row]) -> list[Row]:
        """Waiting rows that fit into this pass and into memory, each under its shared prefix.

        First come those of whose prompt most is stored: so conversations that have begun end before
        others take their room, and what they stored is read rather than computed again.
        """
        admitted = self._choose(list(islice(waiting, AHEAD)))
        self.pool.hold((row, row.reach) for row in self.pool.rows)
        for row in admitted:
            self.pool.write(row, row.found)
        return admitted

    def _choose(self, rows: list[Row]) -> list[Row]:
        admitted: list[Row] = []
        if not rows:
            return admitted
        limits = [row.shareable for row in rows]
        nodes = self.tree.place([r.prompt for r in rows], limits, self._seen)
        sharers = Counter(nodes)
        tokens, counted = 0, set[int]()
        for row, node in sorted(zip(rows, nodes), key=lambda each: -each[1].stored):
            if any(n.dropped for n in node.chain()):
                break  # a row before it needed the room: it gets another place in the next pass
            new = [n for n in node.chain() if not n.ready and id(n) not in counted]
            cost = len(row.prompt) - node.end + sum(len(n.tokens) for n in new)
            if admitted and tokens + cost > PASS:
                break
            above = self.tree.lone(node, sharers) if row.grows else node
            if not self._room(row, node, above, new) and (admitted or self.taken()):
                break
            tokens += cost
            counted.update(id(n) for n in new)
            for n in new:
                n.kv = self.runner.room(len(n.tokens))
            self._seat(row, node)
            admitted.append(row)
            self._seen.append(row.prompt)
        self.tree.forget_unready()
        return admitted

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
                need += self.runner.bytes_for(blocks_for(row.own) * BLOCK - row.adopted)
            if fits := self._fits(need, keep):
                break
        return fits

    def _seat(self, row: Row, node: Node) -> None:
        """Give the row its place in the tree and in the pool, and what it adopts from the tree."""
        assert row.node is not None
        row.node.users += 1
        if row.grows:
            self.pool.rows.append(row)
        if row.adopted:
            adopted = [n for n in node.chain() if n.start >= row.node.end]
            row.found = [n.kv for n in adopted]
            self.tree.cut(adopted[0])

    def _fits(self, need: int, keep: Set[int] = frozenset()) -> bool:
        """Whether there is room for so many bytes, after dropping prefixes nobody uses."""
        while self.used() + need > self.memory:
            idle = self.tree.idle()
            if idle is None or id(idle) in keep:
                return False
            self.tree.drop(idle)
        return True

    def used(self) -> int:
        """Bytes of all keys and values."""
        blocks = sum(blocks_for(row.own) for row in self.pool.rows)
        nodes = sum(len(n.tokens) for n in self.tree.nodes() if n.kv is not None)
        return self.runner.bytes_for(blocks * BLOCK + nodes)

    def leave(self, rows: list[Row]) -> None:
        """Free the rows' places; what they stored is kept while there is room."""
        gone = set(map(id, rows))
        kept: list[tuple[Node, list[int], Tensor]] = []
        for row in self.pool.rows:
            if id(row) not in gone or row.node is None:
                continue
            if row.watched and row.waited_for:
                look_back(row, self.pool.read(row, layers=slice(-1, None))[0, 0])
            if row.stored >= KEPT:
                start, end = row.node.end, row.node.end + row.stored
                text = (row.prompt + row.tokens)[:end]
                node = self.tree.known(row.node, text)
                if end - node.end >= KEPT:
                    kept.append((node, text[node.end :], self.pool.read(row, node.end - start)))
        self.pool.remove(gone)
        needed = {id(n) for node, _, _ in kept for n in node.chain()}
        for node, text, kv in kept:
            if self._fits(self.runner.bytes_for(len(text)), needed):
                self.tree.keep(node, text, kv)
        for row in rows:
            assert row.node is not None
            row.node.users -= 1
