"""Walkers without a language model: the floor, a cheap heuristic and the ceiling of navigation."""

from __future__ import annotations

from dataclasses import dataclass, field

from scrubjay.agents.navigate import arrived
from scrubjay.agents.session import Session
from scrubjay.agents.types import NAVIGATION
from scrubjay.core.errors import ScrubjayError
from scrubjay.core.nouns import Answer, Question
from scrubjay.core.randomness import stream
from scrubjay.retrieval.types import Encoder


@dataclass(frozen=True, slots=True)
class RandomWalker:
    """Clicks at random; how long it needs is what makes a pair of pages hard."""

    name: str = "random-walker"
    tasks = NAVIGATION
    needs = frozenset[str]()

    async def answer(self, question: Question, session: Session) -> Answer:
        walk = session.walk(question.start, question.goal)
        draw = stream(session.seed, "random-walker", question.id)
        seen = walk.reset()
        while not seen.done:
            seen = session.click(walk, draw.randrange(len(seen.links)) if seen.links else 0)
        return arrived(walk, session)


@dataclass(frozen=True, slots=True)
class GreedyWalker:
    """Clicks the link whose title is most like the goal's, not yet visited ones first."""

    encoder: Encoder | None = None
    name: str = "greedy-walker"
    tasks = NAVIGATION
    needs = frozenset[str]()
    _vectors: dict[str, object] = field(default_factory=dict, compare=False, repr=False)

    async def answer(self, question: Question, session: Session) -> Answer:
        if self.encoder is None:
            raise ScrubjayError(
                "the greedy walker compares titles with an encoder; name one with --encoder"
            )
        walk = session.walk(question.start, question.goal)
        seen = walk.reset()
        while not seen.done:
            fresh = [i for i, link in enumerate(seen.links) if link not in walk.path]
            if fresh:
                titles = [session.pages[seen.links[i]].title for i in fresh]
                near = self._similar(titles, session.pages[question.goal].title)
                seen = session.click(walk, fresh[max(range(len(fresh)), key=near.__getitem__)])
            else:
                seen = session.back(walk)
        return arrived(walk, session)

    def _similar(self, titles: list[str], goal: str) -> list[float]:
        import numpy as np

        assert self.encoder is not None
        new = [t for t in dict.fromkeys((*titles, goal)) if t not in self._vectors]
        if new:
            self._vectors.update(zip(new, self.encoder.encode(new)))
        target = np.asarray(self._vectors[goal])
        return [float(np.asarray(self._vectors[t]) @ target) for t in titles]


@dataclass(frozen=True, slots=True)
class ShortestPath:
    """Knows the whole graph of pages and takes a shortest way: the oracle of navigation."""

    name: str = "shortest-path"
    tasks = NAVIGATION
    needs = frozenset[str]()

    async def answer(self, question: Question, session: Session) -> Answer:
        walk = session.walk(question.start, question.goal)
        seen = walk.reset()
        while not seen.done:
            ways = [walk.graph.shortest(link, question.goal) for link in seen.links]
            open_ways = [i for i, steps in enumerate(ways) if steps >= 0]
            if not open_ways:
                session.note("there is no way to the goal")
                break
            seen = session.click(walk, min(open_ways, key=ways.__getitem__))
        return arrived(walk, session)
