"""Page navigation: from a start page to a goal by following links.

Pairs of pages are sorted into ``BUCKETS`` buckets of difficulty, the expected number of random
clicks (``hitting``), with edges log-spaced over what the graph offers, and the buckets take turns.
In SynthWorlds (section 3.7) five buckets span 50 to 10 million; a small or well-linked graph spans
less, and where its times differ by less than a factor of ``SPREAD`` there is one bucket only. A
bucket with too few pairs gives what it has.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice, pairwise
from typing import TYPE_CHECKING

from scrubjay.core.errors import ScrubjayError
from scrubjay.core.randomness import numpy_stream
from scrubjay.worlds.documents import MarkedDocument, Ref
from scrubjay.worlds.hitting import PageGraph
from scrubjay.worlds.items import Item, value_type
from scrubjay.worlds.recall import take_turns
from scrubjay.worlds.universe import Universe

if TYPE_CHECKING:
    import numpy as np

BUCKETS, SPREAD = 5, 4.0
FEW = 0.02
"""Share of all pairs below which a bucket counts as almost empty."""
TARGETS = 120
"""Most goals: one solve each, milliseconds even on large graphs."""
STEPS = 30
"""Step budget (our choice; the paper's was not seen)."""


def sample(
    universe: Universe, marked: Sequence[MarkedDocument], n: int, seed: int = 0
) -> list[Item]:
    """Up to ``n`` pairs of pages, the buckets in turn; ``group`` is the bucket's range."""
    import numpy as np

    graph = PageGraph.from_documents(marked)
    if not graph.pages:
        return []
    rng = numpy_stream(seed, "navigation")
    order = [graph.targets[i] for i in rng.permutation(len(graph.targets))[:TARGETS]]
    times = _times(graph, order)
    finite = np.concatenate([[], *(h[(h > 0) & (h < math.inf)] for h in times.values())])
    if not len(finite):
        return []
    edges = bucket_edges(finite)
    buckets = [
        _pairs(universe, graph, times, low, high, numpy_stream(seed, "navigation", bucket))
        for bucket, (low, high) in enumerate(pairwise(edges))
    ]
    return list(islice(take_turns(buckets), n))


def _times(graph: PageGraph, targets: Sequence[str]) -> dict[str, np.ndarray]:
    """Hitting times of the targets, leaving out those that can't be computed reliably."""
    times: dict[str, np.ndarray] = {}
    for target in targets:
        with suppress(ScrubjayError):
            times[target] = graph.hitting(target)
    return times


def bucket_edges(times: Sequence[float] | np.ndarray) -> list[float]:
    """Edges of the buckets, few digits each; [edge, next edge) is a bucket.

    They are log-spaced from the time that one pair in a hundred stays below (pairs with next to no
    choice would otherwise get buckets of their own) up to the largest; the first bucket takes the
    easiest pairs as well. Where that leaves a bucket almost empty, because the graph's times come
    in clusters, the edges are the quintiles instead.
    """
    import numpy as np

    least, low, most = np.quantile(times, [0, 0.01, 1])
    first, last = _round(least, math.floor), _round(most * 1.0001, math.ceil)
    if last / low < SPREAD:
        return [first, last]
    inner = [low * (last / low) ** (k / BUCKETS) for k in range(1, BUCKETS)]
    edges = [first, *(_round(edge, round) for edge in inner), last]
    if np.histogram(times, edges)[0].min() < FEW * len(times):
        inner = np.quantile(times, [k / BUCKETS for k in range(1, BUCKETS)]).tolist()
        edges = [first, *(_round(edge, round, 3) for edge in inner), last]
    return sorted(set(edges))


def _round(value: float, way: Callable[[float], float], digits: int = 2) -> float:
    """To so many significant digits."""
    places = digits - 1 - math.floor(math.log10(value))
    return float(round(way(value * 10.0**places) / 10.0**places, max(places, 0)))


def _label(low: float, high: float) -> str:
    """'1e3-5.5e3', '45-900'."""
    return f"{_short(low)}-{_short(high)}"


def _short(value: float) -> str:
    if value < 1000:
        return f"{value:g}"
    digits, _, power = f"{value:.2e}".partition("e")
    return f"{digits.rstrip('0').rstrip('.')}e{int(power)}"


def _pairs(
    universe: Universe,
    graph: PageGraph,
    times: dict[str, np.ndarray],
    low: float,
    high: float,
    rng: np.random.Generator,
) -> Iterator[Item]:
    """Pairs whose time is in [low, high): goal after goal, then a second start for each, …"""
    starts: dict[str, np.ndarray] = {}
    for target, h in times.items():
        fit = ((h >= low) & (h < high)).nonzero()[0]
        if len(fit):
            starts[target] = rng.permutation(fit)
    for turn in range(max(map(len, starts.values()), default=0)):
        for target, order in starts.items():
            if turn < len(order):
                start = graph.pages[order[turn]]
                yield _item(universe, start, target, _label(low, high))


def _item(universe: Universe, start: str, goal: str, group: str) -> Item:
    query = (
        "Start at the page '",
        Ref(start),
        "' and reach the page '",
        Ref(goal),
        "' by following links.",
    )
    return Item(
        "navigation",
        group,
        query,
        (goal,),
        answer_type=value_type(universe, goal),
        start=start,
        goal=goal,
    )


@dataclass(frozen=True, slots=True)
class Observation:
    """What a navigator sees after each step."""

    page: str
    links: tuple[str, ...]
    """Ids of the pages that can be clicked."""
    steps: int
    """Steps taken so far, failed ones included."""
    success: bool
    done: bool
    """The goal is reached or the budget used up."""
    error: str = ""
    """Why the step did nothing."""


@dataclass(slots=True)
class NavEnv:
    """One walk from ``start`` to ``goal``. Every step counts, also one that does nothing.

    No step raises: clicking what isn't there gives an observation with an ``error``, and going back
    from the start page stays there. Steps after the end change nothing.
    """

    graph: PageGraph
    start: str
    goal: str
    budget: int = STEPS
    path: list[str] = field(init=False)
    """Pages visited so far, the start first, returns included."""
    _trail: list[str] = field(init=False)
    _steps: int = field(init=False)

    def __post_init__(self) -> None:
        """
        Raises:
            ScrubjayError: the graph has no such start or goal page.
        """
        for page in (self.start, self.goal):
            if page not in self.graph:
                raise ScrubjayError(f"there is no page '{page}' to navigate to or from")
        self.reset()

    def reset(self) -> Observation:
        """Back to the beginning."""
        self.path, self._trail, self._steps = [self.start], [self.start], 0
        return self._see()

    def click(self, link: int | str) -> Observation:
        """Follow a link of the page, given by its position in ``links`` or by its page id."""
        links = self.graph.links(self._trail[-1])
        if isinstance(link, int):
            target = links[link] if 0 <= link < len(links) else None
        else:
            target = link if link in links else None
        if self._over:
            return self._see("the walk is over")
        self._steps += 1
        if target is None:
            return self._see(f"this page has no link {link!r}")
        self._trail.append(target)
        self.path.append(target)
        return self._see()

    def back(self) -> Observation:
        """Return to the page before this one; on the start page stay there."""
        if self._over:
            return self._see("the walk is over")
        self._steps += 1
        if len(self._trail) == 1:
            return self._see("this is the start page, there is no page to go back to")
        self._trail.pop()
        self.path.append(self._trail[-1])
        return self._see()

    @property
    def _over(self) -> bool:
        return self._trail[-1] == self.goal or self._steps >= self.budget

    def _see(self, error: str = "") -> Observation:
        page = self._trail[-1]
        return Observation(
            page, self.graph.links(page), self._steps, page == self.goal, self._over, error
        )
