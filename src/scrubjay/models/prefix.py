"""What prompts have in common: a radix tree over token ids whose nodes hold keys and values once.

A node stands for a run of tokens that several rows share (instructions, a passage, the prompt
under many options). Its keys and values are computed in the same forward pass as the first rows
that use it, stored once, and attended by every row below it without being copied.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

SHORTEST = 16
"""Fewer tokens in common than this are cheaper to compute again than to attend separately."""
LONE = 256
"""A run that only one waiting row needs is kept for later rows if it is at least this long."""
KEPT = 64
"""What a finished row leaves behind is kept if it is at least this long."""


@dataclass(eq=False, slots=True)
class Node:
    """Tokens ``start`` … ``end`` of every prompt below it."""

    tokens: list[int]
    start: int
    parent: Node | None
    children: list[Node] = field(default_factory=list)
    kv: Any = None
    """Tensor (2, layers, key-value heads, tokens, head size), or ``None`` until it is computed."""
    ready: bool = False
    users: int = 0
    """Unfinished rows that hang directly under this node."""
    used: int = 0
    """When it was last used (a count, not a time), for dropping the oldest."""
    dropped: bool = False
    """Whether it left the tree."""

    @property
    def end(self) -> int:
        return self.start + len(self.tokens)

    @property
    def stored(self) -> int:
        """How many tokens down to this node have their keys and values."""
        return sum(len(n.tokens) for n in self.chain() if n.ready)

    def chain(self) -> list[Node]:
        """The nodes from the first token down to this one."""
        found: list[Node] = []
        node: Node | None = self
        while node is not None and node.parent is not None:
            found.append(node)
            node = node.parent
        return found[::-1]


class PrefixTree:
    """The shared runs of tokens of everything waiting or active."""

    def __init__(self) -> None:
        self.root = Node([], 0, None)
        self._clock = 0

    def place(
        self, prompts: Sequence[list[int]], limits: Sequence[int], seen: Iterable[list[int]]
    ) -> list[Node]:
        """The node under which each prompt continues with tokens of its own.

        Grows the tree by what at least two prompts share (``seen``: prompts computed earlier, which
        count as sharers but need no node). A prompt's first ``limit`` tokens may be shared; the
        rest stays its own, so that at least one token is left to predict the next one.
        """
        self._clock += 1
        below: dict[Node, list[int]] = {}
        for i, prompt in enumerate(prompts):
            below.setdefault(self._descend(prompt, limits[i]), []).append(i)
        placed = [self.root] * len(prompts)
        for node, members in below.items():
            ghosts = [s for s in seen if _follows(s, node)]
            self._grow(node, node.end, members, prompts, limits, ghosts, placed)
        for node in placed:
            for n in node.chain():
                n.used = self._clock
        return placed

    def lone(self, node: Node, sharers: Mapping[Node, int]) -> Node:
        """The first node above ``node`` whose run is needed by more than one row.

        The runs between the two are there already and needed by one row alone, so that it may as
        well take them into its own places. ``sharers``: waiting rows that will hang under a node.
        """
        while node.parent is not None and node.ready:
            below = [node]
            for n in below:
                below += n.children
            if sum(n.users + sharers.get(n, 0) for n in below) > 1:
                return node
            node = node.parent
        return node

    def known(self, node: Node, tokens: Sequence[int]) -> Node:
        """The node at or below ``node`` up to which the text ``tokens`` is stored already."""
        deeper: Node | None = node
        while deeper is not None:
            node = deeper
            fits = (n for n in node.children if common(n.tokens, tokens, n.start) == len(n.tokens))
            deeper = next((n for n in fits if n.ready), None)
        return node

    def keep(self, node: Node, tokens: list[int], kv: Any) -> None:
        """Store what a finished row computed below ``node``: its next prompt may go on from it."""
        if all(common(child.tokens, tokens, 0) < SHORTEST for child in node.children):
            kept = Node(tokens, node.end, node, kv=kv, ready=True, used=self._clock)
            node.children.append(kept)

    def nodes(self) -> Iterator[Node]:
        stack = list(self.root.children)
        while stack:
            node = stack.pop()
            yield node
            stack += node.children

    def idle(self) -> Node | None:
        """The leaf nobody needs now that was used longest ago."""
        leaves = [n for n in self.nodes() if not n.children and not n.users]
        return min(leaves, key=lambda n: (n.used, -n.start), default=None)

    def drop(self, node: Node) -> None:
        assert node.parent is not None
        node.parent.children.remove(node)
        node.kv, node.dropped = None, True

    def cut(self, node: Node) -> None:
        """Drop a node and all below it."""
        for child in list(node.children):
            self.cut(child)
        self.drop(node)

    def forget_unready(self) -> None:
        """Nodes planned for rows that did not fit into a pass are planned again next time."""
        while leaves := [n for n in self.nodes() if n.kv is None and not n.children]:
            for node in leaves:
                self.drop(node)

    def _descend(self, prompt: Sequence[int], limit: int) -> Node:
        """Follow stored tokens as far as they agree, splitting the last node if need be."""
        node = self.root
        while True:
            best, most = None, 0
            for child in node.children:
                n = min(common(child.tokens, prompt, node.end), limit - node.end)
                if n > most:
                    best, most = child, n
            if best is None or (most < len(best.tokens) and most < SHORTEST):
                return node
            if most < len(best.tokens):
                return self._split(best, most)
            node = best

    def _split(self, node: Node, n: int) -> Node:
        """Cut a node after ``n`` tokens; the head is new, so rows below keep their node."""
        head = Node(node.tokens[:n], node.start, node.parent, [node], ready=node.ready)
        head.used = node.used
        assert node.parent is not None
        siblings = node.parent.children
        siblings[siblings.index(node)] = head
        if node.kv is not None:
            head.kv, node.kv = node.kv[..., :n, :].clone(), node.kv[..., n:, :].clone()
        node.tokens, node.start, node.parent = node.tokens[n:], node.start + n, head
        return head

    def _grow(
        self,
        node: Node,
        at: int,
        members: list[int],
        prompts: Sequence[list[int]],
        limits: Sequence[int],
        ghosts: list[list[int]],
        placed: list[Node],
    ) -> None:
        """Add nodes under ``node`` for what ``members``, which agree up to ``at``, share."""
        buckets: dict[int, list[int]] = {}
        for i in members:
            if at < limits[i]:
                buckets.setdefault(prompts[i][at], []).append(i)
            else:
                placed[i] = node
        for token, bucket in buckets.items():
            others = [g for g in ghosts if len(g) > at and g[at] == token]
            if len(bucket) + len(others) == 1:
                placed[bucket[0]] = node
                continue
            texts = [prompts[i] for i in bucket] + others
            low, high = min(texts), max(texts)
            end = min(at + common(low[at:], high, at), *(limits[i] for i in bucket))
            long = end - node.end
            if long >= (SHORTEST if len(bucket) > 1 else LONE):
                child = Node(list(low[node.end : end]), node.end, node)
                node.children.append(child)
                self._grow(child, end, bucket, prompts, limits, others, placed)
            elif len(bucket) > 1:
                self._grow(node, end, bucket, prompts, limits, others, placed)
            else:
                placed[bucket[0]] = node


def common(run: Sequence[int], prompt: Sequence[int], start: int) -> int:
    """How many tokens of ``run`` the prompt repeats from ``start`` on."""
    n = min(len(run), len(prompt) - start)
    if run[:n] == prompt[start : start + n]:
        return n
    return next(i for i in range(n) if run[i] != prompt[start + i])


def _follows(prompt: Sequence[int], node: Node) -> bool:
    return all(common(n.tokens, prompt, n.start) == len(n.tokens) for n in node.chain())
