"""From rows to one line of tokens and the plan of who attends to what.

Tokens are ordered by shared prefix, so that everything below a node is one slice of the line.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from scrubjay.models.attention import Fresh, Grown, Plan, Shared, Store
from scrubjay.models.pool import Pool
from scrubjay.models.prefix import Node
from scrubjay.models.rows import Row


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


def plan_prefill(rows: list[Row], pools: dict[int, Pool]) -> Line:
    """Everything of the rows that isn't stored yet: their own tokens and their new nodes."""
    plan, ids, positions = Plan(), list[int](), list[int]()
    runs: list[tuple[int, int]] = []
    wanted: list[int] = []
    spans: list[tuple[int, int]] = []
    order = _by_prefix(rows)
    opened: list[tuple[Node, int]] = []
    nodes: list[Node] = []
    slots = {id(r): (pool, i) for pool in pools.values() for i, r in enumerate(pool.rows)}
    own: dict[int, tuple[list[int], list[int]]] = {}
    for row in order:
        assert row.node is not None
        chain = row.node.chain()
        _close(opened, chain, len(ids), plan)
        for node in chain[len(opened) :]:
            if not node.ready:
                nodes.append(node)
                first = len(ids)
                ids += node.tokens
                positions += range(node.start, node.end)
                runs.append((first, len(ids)))
                part = slice(first, len(ids))
                plan.stores.append(Store(node.kv, part, slice(0, len(node.tokens))))
            opened.append((node, len(ids)))
        first, start = len(ids), row.start
        ids += row.prompt[start:]
        positions += range(start, len(row.prompt))
        runs.append((first, len(ids)))
        begin = len(wanted)
        if row.scored_from is not None:
            wanted += range(first + row.scored_from - 1 - start, len(ids) - (0 if row.most else 1))
        else:
            wanted.append(len(ids) - 1)
        spans.append((begin, len(wanted)))
        if id(row) in slots:
            pool, slot = slots[id(row)]
            tokens, places = own.setdefault(pool.capacity, ([], []))
            place = slot * pool.capacity + row.adopted
            tokens += range(first, len(ids))
            places += range(place, place + len(ids) - first)
            if row.adopted:
                plan.shared.append(Shared(pool.kv[:, :, slot, : row.adopted], first, len(ids)))
    _close(opened, [], len(ids), plan)
    for capacity, (tokens, places) in own.items():
        store = Store(pools[capacity].flat, torch.tensor(tokens), torch.tensor(places))
        plan.stores.append(store)
    plan.fresh = [_pad(group) for group in _similar(runs)]
    return Line(
        torch.tensor(ids), torch.tensor(positions), plan, torch.tensor(wanted), order, spans, nodes
    )


def plan_decode(pools: dict[int, Pool]) -> Line:
    """The pending token of every row in the pools."""
    plan, opened = Plan(), list[tuple[Node, int]]()
    order = _by_prefix([r for pool in pools.values() for r in pool.rows])
    for i, row in enumerate(order):
        assert row.node is not None
        chain = row.node.chain()
        _close(opened, chain, i, plan)
        opened += [(node, i) for node in chain[len(opened) :]]
    _close(opened, [], len(order), plan)
    place = {id(r): i for i, r in enumerate(order)}
    for pool in pools.values():
        if not pool.rows:
            continue
        stored = torch.tensor([r.stored for r in pool.rows])
        tokens = torch.tensor([place[id(r)] for r in pool.rows])
        slots = len(pool.rows)
        plan.stores.append(Store(pool.flat, tokens, torch.arange(slots) * pool.capacity + stored))
        longest = int(stored.max()) + 1
        beyond = torch.arange(longest)[None] > stored[:, None]
        mask = torch.zeros(slots, longest, dtype=pool.kv.dtype).masked_fill_(beyond, -torch.inf)
        plan.grown.append(Grown(pool.kv[:, :, :slots], tokens, mask[:, None, None]))
    if any(r.watched for r in order):
        plan.watched = torch.tensor([i for i, r in enumerate(order) if r.watched])
    ids = torch.tensor([r.pending for r in order])
    positions = torch.tensor([len(r.prompt) + len(r.tokens) - 1 for r in order])
    return Line(ids, positions, plan, None, order)


def _by_prefix(rows: list[Row]) -> list[Row]:
    """Rows under the same node side by side, in the order in which the nodes are first met."""
    met: dict[int, int] = {}
    keys = []
    for i, row in enumerate(rows):
        assert row.node is not None
        path = [met.setdefault(id(n), len(met)) for n in row.node.chain()]
        keys.append((path, i))
    return [rows[i] for _, i in sorted(keys)]


def _close(opened: list[tuple[Node, int]], chain: list[Node], at: int, plan: Plan) -> None:
    """End the nodes the next row isn't under; their slice of the line is known now."""
    keep = 0
    while keep < min(len(opened), len(chain)) and opened[keep][0] is chain[keep]:
        keep += 1
    while len(opened) > keep:
        node, first = opened.pop()
        if at > first:
            plan.shared.append(Shared(node.kv, first, at))


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
