"""Paper 67: the book's settings, each with the algorithms that must stand side by side in it.

A block is an environment for a horizon, and algorithms for it. Rates of a theorem are about the
regret R(T) of an algorithm that knows T, so every block is run anew at three horizons, a decade
apart from first to last, and slopes are fitted through those, not along one run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from scrubjay.core.randomness import numpy_stream
from scrubjay.deciding.bandits import (
    FTPL,
    UCB1,
    AdversarialTable,
    AgainstCopy,
    EliminationBwK,
    EpsilonGreedy,
    Exp3,
    Exp4,
    ExploreFirst,
    Greedy,
    Hedge,
    IIDArms,
    KnapsackArms,
    LagrangeBwK,
    LinearArms,
    LinTS,
    LinUCB,
    LipschitzArms,
    OracleExploreThenExploit,
    PrimalDualBwK,
    Routes,
    RoutingArms,
    SemiBanditFTPL,
    SemiBanditHedge,
    SuccessiveElimination,
    ThompsonBeta,
    UCB1UntilBroke,
    UcbBwK,
    Uniform,
    UniformGrid,
    Zooming,
    hard_pair,
    linear_policies,
    swap_table,
)
from scrubjay.deciding.bandits.types import Bandit, Environment
from scrubjay.studies.bandits_book_players import CellUCB
from scrubjay.studies.study import Scale


@dataclass(frozen=True, slots=True)
class Size:
    """How long and how often."""

    iid: int
    """Horizon of the IID blocks."""
    horizon: int
    """Of all others."""
    runs: int
    few: int
    """Runs of what is slow: continua, contexts, knapsacks."""
    fewest: int
    """Runs of the elimination with knapsacks, which solves many linear programmes."""
    users: int
    """Runs of incentivised exploration."""


SIZES: dict[Scale, Size] = {
    "smoke": Size(600, 300, 8, 4, 1, 60),
    "laptop": Size(50_000, 10_000, 60, 20, 2, 1000),
    "full": Size(10_000_000, 1_000_000, 1000, 100, 20, 20_000),
}

GAP = {"iid gap 0.1": 0.1, "iid gap 0.02": 0.02}
WIDE = "iid gap 0.3"
"""Where ten arms leave the transient of UCB1 and elimination within these horizons: shown, not
judged (added once the first measurement had shown that at 0.1 they don't)."""
BUDGETS = (0.01, 0.05, 0.25)
"""Of the horizon, for the knapsack blocks."""
EXPONENT = {
    ("iid gap 0.1", "explore-first"): 2 / 3,
    ("iid gap 0.1", "epsilon-greedy"): 2 / 3,
    ("hard pair", "ucb1"): 1 / 2,
    ("hard pair", "successive-elimination"): 1 / 2,
    ("hard pair", "thompson"): 1 / 2,
    ("hard pair", "exp3"): 1 / 2,
    ("swap", "hedge"): 1 / 2,
    ("swap", "exp3"): 1 / 2,
    ("peak", "grid"): 2 / 3,
    ("peak", "zooming"): 2 / 3,
    ("needle", "grid"): 2 / 3,
    ("needle", "zooming"): 2 / 3,
    ("routing", "hedge"): 1 / 2,
    ("routing", "ftpl"): 1 / 2,
    ("routing", "exp3"): 1 / 2,
    ("routing", "semi-hedge"): 3 / 4,
    ("routing", "semi-ftpl"): 3 / 4,
    ("contextual", "linucb"): 1 / 2,
    ("contextual", "lints"): 1 / 2,
}
"""Exponent of T in the algorithm's theorem, without logs, where the block's instance is of the kind
the theorem is about. EXP4 and the oracle are left out: they compete with the best of 200 policies,
and the block counts regret against the best arm of every context."""
LOGARITHMIC = (
    ("iid gap 0.1", "ucb1"),
    ("iid gap 0.1", "successive-elimination"),
    ("iid gap 0.1", "thompson"),
)


@dataclass(frozen=True, slots=True)
class Block:
    """One setting of the book."""

    name: str
    make: Callable[[int], Environment]
    """The environment for a horizon."""
    bandits: Callable[[int], list[Bandit]]
    horizon: int
    runs: int

    @property
    def horizons(self) -> tuple[int, int, int]:
        """Three, a decade from first to last."""
        return (self.horizon // 10, round(self.horizon / 10**0.5), self.horizon)


def blocks(size: Size, seed: int) -> list[Block]:
    """All settings with regret curves."""
    long, short, runs, few = size.iid, size.horizon, size.runs, size.few
    routes = Routes.grid(4)
    costs = numpy_stream(seed, "routing").random(len(routes.edges))
    found = [
        *(
            Block(name, _iid(gap), lambda _: _everyone(), long, runs)
            for name, gap in {**GAP, WIDE: 0.3}.items()
        ),
        Block("hard pair", hard_pair, lambda _: _adaptive(), long, runs),
        Block("swap", lambda t: AdversarialTable(swap_table(t)), lambda _: _facing(), short, runs),
        Block("copy", lambda _: AgainstCopy(UCB1(), 2), lambda _: _facing(), short, runs),
        Block("peak", lambda _: LipschitzArms(_peak), lambda t: _spread(t, 1.0), short, few),
        Block("needle", lambda _: LipschitzArms(_needle), lambda t: _spread(t, 4.0), short, few),
        Block(
            "routing",
            lambda _: RoutingArms(routes, list(costs)),
            lambda _: [
                Hedge(),
                FTPL(len(routes.edges), routes.cheapest),
                SemiBanditHedge(routes),
                SemiBanditFTPL(routes),
                Exp3(),
            ],
            short,
            few,
        ),
        Block("contextual", lambda _: LinearArms(5, 8), lambda _: _linear(seed), short, few),
    ]
    for share in BUDGETS:
        found.append(Block(f"knapsack {share:g}", _pricing(share), _players(share), short, few))
        found.append(
            Block(
                f"knapsack {share:g}, elimination",
                _pricing(share),
                _elimination(share),
                short,
                size.fewest,
            )
        )
    return found


def _iid(gap: float) -> Callable[[int], Environment]:
    return lambda _: IIDArms([0.5] + [0.5 - gap] * 9)


def _everyone() -> list[Bandit]:
    return [
        ThompsonBeta(),
        UCB1(),
        SuccessiveElimination(),
        EpsilonGreedy(),
        ExploreFirst(),
        Exp3(),
        Greedy(),
        Uniform(),
    ]


def _adaptive() -> list[Bandit]:
    return [UCB1(), SuccessiveElimination(), ThompsonBeta(), Exp3()]


def _facing() -> list[Bandit]:
    return [UCB1(), ThompsonBeta(), SuccessiveElimination(), Hedge(), Exp3()]


def _peak(points: np.ndarray) -> np.ndarray:
    return np.asarray(0.9 - np.abs(points[:, 0] - 0.37))


def _needle(points: np.ndarray) -> np.ndarray:
    return np.asarray(0.5 + np.maximum(0, 0.3 - 4 * np.abs(points[:, 0] - 0.37)))


def _spread(horizon: int, constant: float) -> list[Bandit]:
    """The grid of the theorem, one twice as fine and one half as fine, and zooming."""
    cells = max(1, round((horizon * constant**2 / np.log(max(horizon, 2))) ** (1 / 3)))
    return [
        UniformGrid(constant=constant, name="grid"),
        UniformGrid(cells=2 * cells, name="grid, finer"),
        UniformGrid(cells=max(1, cells // 2), name="grid, coarser"),
        Zooming(constant=constant),
    ]


def _linear(seed: int) -> list[Bandit]:
    policies = linear_policies(numpy_stream(seed, "policies").normal(size=(200, 8)))
    return [
        LinUCB(),
        LinTS(),
        CellUCB(16, seed),
        Exp4(policies, 200),
        OracleExploreThenExploit(policies, 200),
        Uniform(),
    ]


def _pricing(share: float) -> Callable[[int], Environment]:
    """Ten prices; at price p a customer buys with chance 1 - 0.9 p; ``share`` · T units in
    stock."""
    prices = np.linspace(0.1, 1.0, 10)

    def make(horizon: int) -> Environment:
        stock = max(1.0, share * horizon)
        return KnapsackArms(list(1 - 0.9 * prices), list(prices), 0.0, [stock], 1.0)

    return make


def _players(share: float) -> Callable[[int], list[Bandit]]:
    def make(horizon: int) -> list[Bandit]:
        stock = [max(1.0, share * horizon)]
        return [UcbBwK(stock), PrimalDualBwK(stock), LagrangeBwK(stock), UCB1UntilBroke(stock)]

    return make


def _elimination(share: float) -> Callable[[int], list[Bandit]]:
    return lambda t: [EliminationBwK([max(1.0, share * t)], refresh=0.5)]
