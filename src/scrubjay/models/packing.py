"""From rows to one line of tokens and the plan of who attends to what.

Tokens are ordered by shared prefix, so that everything below a node lies side by side.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from scrubjay.models.attention import Fresh, Grown, Long, Plan, Shared, Store
from scrubjay.models.pool import BLOCK, Pool
from scrubjay.models.prefix import Node
from scrubjay.models.rows import Row

LONG = 64
"""A run of at least so many tokens attends alone, neither padded nor put together with others."""


@dataclass(slots=True)
class Line:
    """The tokens of one pass, side by side."""

    ids: Tensor
    positions: Tensor
    plan: Plan
    wanted: Tensor | None
    """Places in the line whose logits are wanted; ``None`` is all."""
    order: list[Row]
    """Rows in the order of the line."""
    spans: list[tuple[int, int]] = field(default_factory=list)
    """First and last (exclusive) wanted logits of each row."""
    nodes: list[Node] = field(default_factory=list)
    """Shared nodes computed in this pass."""


def plan_pass(new: list[Row], pool: Pool | None) -> Line:
    """Everything of the ``new`` rows that isn't stored yet, their own tokens and their new nodes;
    and of every other row in the pool the pending token and the guess of what follows it."""
    plan, ids, positions = Plan(), list[int](), list[int]()
    runs, short = list[tuple[int, int]](), list[int]()  # short ones, and their tokens
    wanted: list[int] = []
    spans: list[tuple[int, int]] = []
    opened: list[tuple[Node, int]] = []
    nodes: list[Node] = []
    places = _Places()
    grown: list[tuple[Row, int]] = []
    unstored = set(map(id, new))
    going = [r for r in pool.rows if id(r) not in unstored] if pool else []
    order = _by_prefix([*new, *going])

    def attend(first: int, before: list[Tensor]) -> bool:
        """The end of the line, from ``first`` on, is a run. Returns: whether it is a long one."""
        if long := len(ids) - first >= LONG:
            plan.long.append(Long(slice(first, len(ids)), before))
        else:
            runs.append((first, len(ids)))
            short.extend(range(first, len(ids)))
        return long

    for row in order:
        assert row.node is not None
        chain = row.node.chain()
        _close(opened, chain, short, plan)
        for node in chain[len(opened) :]:
            if not node.ready:
                nodes.append(node)
                first = len(ids)
                ids += node.tokens
                positions += range(node.start, node.end)
                attend(first, [n.kv for n, _ in opened])
                part = slice(first, len(ids))
                plan.stores.append(Store(node.kv.transpose(2, 3), part, slice(None)))
            opened.append((node, len(short)))
        first, begin = len(ids), len(wanted)
        if id(row) not in unstored:
            ids += [row.pending, *row.draft]
            at = len(row.prompt) + len(row.tokens) - 1
            positions += range(at, at + 1 + len(row.draft))
            wanted += range(first, len(ids))
            short += range(first, len(ids))
            grown.append((row, first))
            places.add(row, row.stored, first, len(ids))
        else:
            ids += row.prompt[row.start :]
            positions += range(row.start, len(row.prompt))
            if not attend(first, [*(n.kv for n in chain), *row.found]):
                plan.shared += [Shared(kv, slice(first, len(ids))) for kv in row.found]
            if row.scored_from is not None:
                scored = first + row.scored_from - 1 - row.start
                wanted += range(scored, len(ids) - (0 if row.most else 1))
            else:
                wanted.append(len(ids) - 1)
            if row.blocks:
                places.add(row, row.adopted, first, len(ids))
        spans.append((begin, len(wanted)))
    _close(opened, [], short, plan)
    if pool and pool.rows:
        plan.stores.append(places.store(pool))
        plan.grown = _grown(pool, grown) if grown else None
    plan.fresh = [_pad(group) for group in _similar(runs)]
    watched = [
        i for r, s in zip(order, spans) if r.watched and id(r) not in unstored for i in range(*s)
    ]
    plan.watched = torch.tensor([wanted[i] for i in watched]) if watched else None
    every = None if len(wanted) == len(ids) else torch.tensor(wanted)
    return Line(torch.tensor(ids), torch.tensor(positions), plan, every, order, spans, nodes)


@dataclass(slots=True)
class _Places:
    """Where the tokens of a line go in the pool."""

    tokens: list[int] = field(default_factory=list)
    blocks: list[int] = field(default_factory=list)
    places: list[int] = field(default_factory=list)

    def add(self, row: Row, place: int, first: int, last: int) -> None:
        """``line[first:last]`` into the row's own places, from ``place`` on."""
        own = range(place, place + last - first)
        self.tokens += range(first, last)
        self.blocks += [row.blocks[i // BLOCK] for i in own]
        self.places += [i % BLOCK for i in own]

    def store(self, pool: Pool) -> Store:
        where = torch.tensor(self.blocks), torch.tensor(self.places)
        return Store(pool.kv.transpose(3, 4), torch.tensor(self.tokens), where)


def _grown(pool: Pool, rows: list[tuple[Row, int]]) -> Grown:
    """Who reads which block; ``rows`` with the index in the line of each one's pending token.

    Blocks of rows that are new in this pass may lie between: they count as the first row's, masked.
    """
    used = 1 + max(max(row.blocks) for row, _ in rows)
    steps = 1 + max(len(row.draft) for row, _ in rows)
    ahead = [[min(t, len(row.draft)) for t in range(steps)] for row, _ in rows]
    readers, starts = [0] * used, [1 << 30] * used
    for i, (row, _) in enumerate(rows):
        for j, block in enumerate(row.blocks):
            readers[block], starts[block] = i, j * BLOCK
    reader = torch.tensor(readers)
    stored = torch.tensor([row.stored for row, _ in rows])
    last = (stored[:, None] + torch.tensor(ahead))[reader]
    unread = torch.tensor(starts)[:, None, None] + torch.arange(BLOCK) > last[..., None]
    mask = torch.zeros(unread.shape, dtype=pool.kv.dtype).masked_fill_(unread, -torch.inf)
    most = max(len(row.blocks) for row, _ in rows)
    table = [row.blocks + row.blocks[:1] * (most - len(row.blocks)) for row, _ in rows]
    first = torch.tensor([token for _, token in rows])
    return Grown(
        pool.kv[:, :, :used],
        first[:, None] + torch.tensor(ahead),
        reader,
        torch.tensor(table),
        mask[:, None, :, None],
    )


def _by_prefix(rows: list[Row]) -> list[Row]:
    """Rows under the same node side by side, in the order in which the nodes are first met."""
    met: dict[int, int] = {}
    keys = []
    for i, row in enumerate(rows):
        assert row.node is not None
        path = [met.setdefault(id(n), len(met)) for n in row.node.chain()]
        keys.append((path, i))
    return [rows[i] for _, i in sorted(keys)]


def _close(opened: list[tuple[Node, int]], chain: list[Node], short: list[int], plan: Plan) -> None:
    """End the nodes the next row isn't under; which ``short`` runs are below them is known now."""
    keep = 0
    while keep < min(len(opened), len(chain)) and opened[keep][0] is chain[keep]:
        keep += 1
    while len(opened) > keep:
        node, first = opened.pop()
        if below := short[first:]:
            whole = below[-1] - below[0] + 1 == len(below)
            tokens = slice(below[0], below[-1] + 1) if whole else torch.tensor(below)
            plan.shared.append(Shared(node.kv, tokens))


def _similar(runs: list[tuple[int, int]]) -> list[list[tuple[int, int]]]:
    """Runs of similar length together, so that padding them to the longest wastes little."""
    groups: list[list[tuple[int, int]]] = []
    longest = 0
    for run in sorted(runs, key=lambda r: r[0] - r[1]):
        length = run[1] - run[0]
        if not groups or length + 8 < longest * 0.8:
            groups.append([])
            longest = length
        groups[-1].append(run)
    return groups


def _pad(runs: list[tuple[int, int]]) -> Fresh:
    longest = max(last - first for first, last in runs)
    tokens, real, line = list[int](), list[int](), list[int]()
    for i, (first, last) in enumerate(runs):
        tokens += [*range(first, last), *[first] * (longest - (last - first))]
        real += range(i * longest, i * longest + last - first)
        line += range(first, last)
    return Fresh(
        torch.tensor(tokens).view(len(runs), longest), torch.tensor(real), torch.tensor(line)
    )
