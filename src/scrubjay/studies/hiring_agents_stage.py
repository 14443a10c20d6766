"""Paper 02: two real search agents to hire, and random problems to solve.

Each searcher has a word index over a part of a generated corpus; the parts overlap, so that what
the two find is correlated. An episode is a claim about the corpus, true or false with chance 1/2:
"Faswia, Sirbrosta", two names that do or don't stand in the same document about the first.

    effort 0   looks nothing up and sees a fair coin
    effort 1   one query for both names, reads the best passage       cost: 1 search
    effort 2   a query for both and one for each, three passages each  cost: 3 searches
    signal     1 if a passage that was read holds both names, else 0

All efforts of both are tried in every episode: P(s, th | b) can be counted, and any mechanism can
be valued on the same fresh episodes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from scrubjay.core.nouns import Passage
from scrubjay.core.randomness import stream
from scrubjay.deciding.information import HiringInstance, Mechanism
from scrubjay.studies.study import Scale

EFFORTS, SIGNALS = 3, 2
CAPS = (0.2, 0.3, 0.5, 1.0, 2.0)
TABLE = {0.2: 0.5580, 0.3: 0.5725, 0.5: 0.5821, 1.0: 0.5883, 2.0: 0.5912}
"""Value of the two-workers problem by another linear programme, from our sheet of the paper."""
SHAPES = ((2, 2, 2, 2), (2, 3, 2, 2), (2, 2, 3, 2), (2, 2, 2, 3), (3, 2, 2, 2))
"""Agents, efforts, signals, states of the random problems."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything."""

    caps: tuple[float, ...]
    steps: int
    """Of the grid of independent laws."""
    problems: int
    """Random problems of each shape."""
    horizons: tuple[int, ...]
    seeds: int
    entities: int
    """Of the corpus."""
    practice: int
    fresh: int
    price: float = 0.02
    """Of a search."""
    cap: float = 0.3
    """On a searcher's payment."""
    share: float = 0.6
    """Of the corpus that each searcher holds."""


SIZES: dict[Scale, Size] = {
    "smoke": Size((0.5,), 4, 1, (10**5, 10**6), 3, 60, 40, 40),
    "laptop": Size(CAPS, 20, 12, tuple(10**k for k in range(5, 10)), 30, 600, 500, 1000),
    "full": Size(CAPS, 40, 40, tuple(10**k for k in range(5, 12)), 100, 20_000, 5000, 20_000),
}


@dataclass(frozen=True, slots=True)
class Episodes:
    """What happened in each: signals[episode, agent, effort] and the truth of the claim."""

    signals: np.ndarray
    truth: np.ndarray

    def law(self) -> np.ndarray:
        """P^(s_1, s_2, th | b_1, b_2), every outcome at least half a count."""
        count = np.full((EFFORTS, EFFORTS, SIGNALS, SIGNALS, 2), 0.5)
        for b in np.ndindex(EFFORTS, EFFORTS):
            seen = (self.signals[:, 0, b[0]], self.signals[:, 1, b[1]], self.truth)
            np.add.at(count[b], seen, 1.0)
        return np.asarray(count / count.sum(axis=(2, 3, 4), keepdims=True))

    def values(self, mechanism: Mechanism) -> np.ndarray:
        """Utility minus payments of every episode, expected over the mechanism's
        recommendations."""
        gamma = mechanism.gamma.reshape(2, EFFORTS, EFFORTS, SIGNALS, SIGNALS, 2)
        policy = mechanism.policy.reshape(EFFORTS, EFFORTS, SIGNALS, SIGNALS)
        total = np.zeros(len(self.truth))
        for number, b in enumerate(np.ndindex(EFFORTS, EFFORTS)):
            s = (self.signals[:, 0, b[0]], self.signals[:, 1, b[1]])
            right = policy[b][s] == self.truth
            total += mechanism.mu[number] * (
                right - gamma[(slice(None), *b)].sum(axis=0)[(*s, self.truth)]
            )
        return total


def problem(episodes: Episodes, size: Size) -> HiringInstance:
    """The hiring problem that the episodes make likely."""
    costs = [0.0, size.price, 3 * size.price]
    return HiringInstance(episodes.law(), [costs, costs], np.eye(2), size.cap)


def played(size: Size, seed: int, folder: Path) -> tuple[Episodes, Episodes]:
    """Practice and fresh episodes over a new corpus."""
    from scrubjay.retrieval import Index, build_index
    from scrubjay.worlds import load_world

    documents = load_world(f"random:{size.entities}", seed=seed).documents()
    indexes = []
    for agent in range(2):
        held = [d for d in documents if stream(seed, "held", agent, d.id).random() < size.share]
        build_index(held, folder / f"searcher-{agent}.index")
        indexes.append(Index.open(folder / f"searcher-{agent}.index", mode="text"))
    claims = claimed(documents, size.practice + size.fresh, seed)
    signals = asyncio.run(_searched(indexes, claims, seed))
    truth = np.array([int(c.true) for c in claims])
    cut = size.practice
    return Episodes(signals[:cut], truth[:cut]), Episodes(signals[cut:], truth[cut:])


@dataclass(frozen=True, slots=True)
class Stated:
    """A claim: two names, and whether they belong together."""

    subject: str
    object: str
    true: bool


def claimed(documents: Sequence[Passage], count: int, seed: int) -> list[Stated]:
    """Claims about the corpus; a false one names a thing of the same kind as a true one would."""
    rng = stream(seed, "claims")
    linked = [d for d in documents if d.links]
    kinds: dict[str, list[Passage]] = {}
    for document in documents:
        kinds.setdefault(_kind(document.id), []).append(document)
    found: list[Stated] = []
    while len(found) < count:
        about = rng.choice(linked)
        link = rng.choice(about.links)
        true = len(found) % 2 == 0
        name = about.text[link.start : link.end]
        if not true:
            name = rng.choice(kinds[_kind(link.target)]).title
            if name in about.text or name == about.title:
                continue
        found.append(Stated(about.title, name, true))
    rng.shuffle(found)
    return found


def _kind(id: str) -> str:
    return id.rpartition("-")[0]


async def _searched(indexes: Sequence[Any], claims: Sequence[Stated], seed: int) -> np.ndarray:
    found = np.zeros((len(claims), 2, EFFORTS), dtype=np.int64)
    for row, claim in enumerate(claims):
        both = f"{claim.subject} {claim.object}"
        for agent, index in enumerate(indexes):
            found[row, agent, 0] = stream(seed, "idle", agent, row).random() < 0.5
            found[row, agent, 1] = _holds(claim, await index.search(both, 1))
            hits = [
                hit
                for query in (both, claim.subject, claim.object)
                for hit in await index.search(query, 3)
            ]
            found[row, agent, 2] = _holds(claim, hits)
    return found


def _holds(claim: Stated, hits: Sequence[Any]) -> bool:
    return any(
        claim.subject in hit.passage.text and claim.object in hit.passage.text for hit in hits
    )
