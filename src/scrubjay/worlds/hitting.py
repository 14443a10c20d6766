"""Pages, the links between them, and how far a random walker has to go.

Difficulty of reaching a page is the expected number of clicks of a walker who clicks at random
(SynthWorlds, section 3.7): with N⁺(v) the pages that v links to,

    h_t(t) = 0,    h_t(v) = 1 + (1 / |N⁺(v)|) Σ_{u ∈ N⁺(v)} h_t(u),

one sparse solve (I − P₋ₜ) h = 1 per target that serves every start.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from scrubjay.core.errors import ScrubjayError
from scrubjay.core.nouns import Passage
from scrubjay.worlds.documents import MarkedDocument, Ref

if TYPE_CHECKING:
    import numpy as np
    from scipy.sparse import csr_matrix

DIRECT = 500
"""Up to this many pages the system is always factorised. In larger graphs it depends: where links
go everywhere, factors fill in (7 s at 6,000 pages) but GMRES takes some 30 iterations; where there
are bottlenecks, GMRES crawls but factorising takes milliseconds."""
LARGEST, RESIDUAL = 1e12, 1e-3
"""Hitting times above, and equations missed by more than this, are artefacts of the solver. As the
right-hand side is 1, a residual of ρ means a relative error of h of at most ρ."""


class PageGraph:
    """Pages and their links, each linked page once, in order of first mention.

    A page without links gets one back to the page that mentions it most (our choice; the first such
    page in a tie). A page that nobody links to either stays alone.
    """

    def __init__(self, mentions: Mapping[str, Sequence[str]]) -> None:
        """``mentions``: for every page the pages it refers to, as often as it does."""
        self.pages: tuple[str, ...] = tuple(mentions)
        parents: dict[str, Counter[str]] = {}
        self._links: dict[str, tuple[str, ...]] = {}
        for page, mentioned in mentions.items():
            found = Counter(m for m in mentioned if m != page and m in mentions)
            self._links[page] = tuple(found)
            for target, count in found.items():
                parents.setdefault(target, Counter())[page] = count
        for page, links in self._links.items():
            if not links and page in parents:
                self._links[page] = (parents[page].most_common(1)[0][0],)

    @classmethod
    def from_documents(cls, marked: Iterable[MarkedDocument]) -> PageGraph:
        """The graph of marked documents: what a world and all its twins have in common."""
        return cls(
            {
                d.entity: [
                    s.value for s in d.segments if isinstance(s, Ref) and isinstance(s.value, str)
                ]
                for d in marked
            }
        )

    @classmethod
    def from_pages(cls, pages: Mapping[str, Passage]) -> PageGraph:
        """The same graph, read off the links of a world's rendered pages."""
        return cls({id: [link.target for link in page.links] for id, page in pages.items()})

    def __contains__(self, page: str) -> bool:
        return page in self._links

    def links(self, page: str) -> tuple[str, ...]:
        """The pages that one click leads to."""
        return self._links[page]

    def shortest(self, start: str, goal: str) -> int:
        """Fewest clicks from ``start`` to ``goal``; -1 where there is no way."""
        distance = {start: 0}
        queue = deque([start])
        while queue and goal not in distance:
            page = queue.popleft()
            for link in self._links[page]:
                if link not in distance:
                    distance[link] = distance[page] + 1
                    queue.append(link)
        return distance.get(goal, -1)

    @cached_property
    def index(self) -> Mapping[str, int]:
        """Position of every page in ``pages`` and in the arrays below."""
        return {page: i for i, page in enumerate(self.pages)}

    @cached_property
    def walk(self) -> csr_matrix:
        """P: probability of going from page to page with one random click, shape (pages, pages)."""
        import numpy as np
        from scipy.sparse import csr_matrix

        rows = [i for i, page in enumerate(self.pages) for _ in self._links[page]]
        columns = [self.index[t] for page in self.pages for t in self._links[page]]
        weights = [1 / len(self._links[p]) for p in self.pages for _ in self._links[p]]
        size = len(self.pages)
        return csr_matrix((np.array(weights, dtype=float), (rows, columns)), shape=(size, size))

    @cached_property
    def _closed(self) -> tuple[np.ndarray, np.ndarray]:
        """Masks over pages: (fit as targets, fit as starts).

        Sooner or later a walker is caught in a set of pages that lead to each other and nowhere
        else. Targets are the largest such set; starts are the pages from which no other such set
        can be reached, so that every walk arrives and every expectation is finite.
        """
        import numpy as np
        from scipy.sparse.csgraph import connected_components

        count, label = connected_components(self.walk, directed=True, connection="strong")
        rows, columns = self.walk.nonzero()
        leaving = np.zeros(count, dtype=bool)
        leaving[label[rows[label[rows] != label[columns]]]] = True
        size = np.bincount(label, minlength=count)
        size[leaving] = 0
        first = np.full(count, len(self.pages))
        np.minimum.at(first, label, np.arange(len(self.pages)))
        # The largest set, of equal ones that with the first page: labels themselves mean nothing.
        best = min(range(count), key=lambda c: (-size[c], first[c]))
        targets = label == best
        lost = ~leaving[label] & ~targets
        while True:
            # Whoever links to a lost page may get lost.
            reached = lost | (self.walk @ lost.astype(float) > 0)
            if (reached == lost).all():
                return targets, ~lost
            lost = reached

    @cached_property
    def targets(self) -> tuple[str, ...]:
        """Pages that are reached for certain from every page in ``starts``."""
        return tuple(p for p, fit in zip(self.pages, self._closed[0]) if fit)

    @cached_property
    def starts(self) -> tuple[str, ...]:
        """Pages from which a random walker reaches every page in ``targets``."""
        return tuple(p for p, fit in zip(self.pages, self._closed[1]) if fit)

    def hitting(self, target: str) -> np.ndarray:
        """Expected random clicks to ``target`` from every page, shape (pages,).

        Infinite for pages that aren't in ``starts``.

        Raises:
            ScrubjayError: the target isn't in ``targets``, or no trustworthy solution was found.
        """
        import numpy as np

        goal = self.index.get(target)
        if goal is None or not self._closed[0][goal]:
            raise ScrubjayError(
                f"the page '{target}' can't serve as a goal: it is not reachable from every page"
            )
        times = np.full(len(self.pages), np.inf)
        times[goal] = 0.0
        keep, system = self._system(goal)
        if not len(keep):
            return times
        solved = _iterate(system) if self._iterative else None
        if solved is None:
            solved = _factorise(system)
        if not _sound(system, solved):
            raise ScrubjayError(
                f"expected distances to the page '{target}' can't be computed: parts of the page "
                "graph are almost unconnected; add links between them"
            )
        times[keep] = np.maximum(solved, 1.0)
        return times

    def _system(self, goal: int) -> tuple[np.ndarray, csr_matrix]:
        """The other starts, and I − P₋ₜ over them."""
        import numpy as np
        from scipy.sparse import identity

        others = self._closed[1].copy()
        others[goal] = False
        keep = np.flatnonzero(others)
        return keep, identity(len(keep), format="csr") - self.walk[keep][:, keep]

    @cached_property
    def _iterative(self) -> bool:
        """Whether GMRES suits this graph; decided once, so that results don't depend on order."""
        if len(self.pages) <= DIRECT:
            return False
        return _iterate(self._system(int(self._closed[0].argmax()))[1]) is not None


def _iterate(system: csr_matrix) -> np.ndarray | None:
    """h with ``system @ h = 1`` by GMRES; ``None`` where it doesn't converge soon."""
    import numpy as np
    from scipy.sparse.linalg import gmres

    ones = np.ones(system.shape[0])
    times, stuck = gmres(system, ones, rtol=1e-10, restart=60, maxiter=1)
    return None if stuck or not _sound(system, times) else np.asarray(times)


def _factorise(system: csr_matrix) -> np.ndarray:
    """h with ``system @ h = 1`` by sparse LU; infinite where the factors are singular."""
    import numpy as np
    from scipy.sparse.linalg import splu

    ones = np.ones(system.shape[0])
    try:
        return np.asarray(splu(system.tocsc()).solve(ones))
    except RuntimeError:
        # The target is reachable, but so improbably that rounding hides it.
        return np.full_like(ones, np.inf)


def _sound(system: csr_matrix, times: np.ndarray) -> bool:
    """Whether the times fulfil the equations and aren't beyond what can be computed."""
    import numpy as np

    if not np.isfinite(times).all() or times.max(initial=0) > LARGEST:
        return False
    return bool(np.abs(system @ times - 1).max(initial=0) <= RESIDUAL)
