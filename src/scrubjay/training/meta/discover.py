"""From settings to a learned objective in a folder, and that objective beside hand-made rules.

``lpg`` is searched on grid worlds and stands beside A2C (tuned on other levels, with a constant and
with a falling step size); ``lpo`` on bandits, beside PPO with constant and annealed clips. Tests
are tasks that no search has seen, at the horizons it was made for and at twice the longest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from scrubjay.core.errors import InputError
from scrubjay.core.folders import begin, locked
from scrubjay.core.randomness import numpy_stream
from scrubjay.training.meta.actor_critic import tune
from scrubjay.training.meta.bandits import BanditScore, Tasks, pull_lives
from scrubjay.training.meta.drift import ClipDrift, Drift, DriftNet, LearnedDrift
from scrubjay.training.meta.es import OpenES
from scrubjay.training.meta.lifetimes import GridScore, Rule, live, with_lifetime
from scrubjay.training.meta.objectives import LearnedPolicyGradient, LPGNet
from scrubjay.training.meta.saved import Objective
from scrubjay.training.meta.search import evolve
from scrubjay.worlds.gridworld import GridWorld, Level, Levels
from scrubjay.worlds.gridworld_values import best_return, random_return

STATE, SETTINGS = "state.npz", "settings.json"
Row = dict[str, str | float]


@dataclass(frozen=True, slots=True)
class Recipe:
    """What to search for."""

    base: str = "lpo"
    """``lpo`` (drifts, on bandits) or ``lpg`` (policy gradients, on grid worlds)."""
    aware: bool = True
    """Whether the objective is told how much of training is left."""
    pairs: int = 12
    steps: int = 150
    horizons: tuple[int, ...] = (5, 10, 20, 40)
    seed: int = 0

    def __post_init__(self) -> None:
        if self.base not in ("lpo", "lpg"):
            raise InputError(f"the base of an objective is 'lpo' or 'lpg', not '{self.base}'")
        if self.pairs < 1 or self.steps < 1:
            raise InputError("a search needs at least one pair of candidates and one step")
        if not self.horizons or min(self.horizons) < 1:
            raise InputError("horizons are numbers of updates, 1 or more")

    @property
    def levels(self) -> Levels:
        """Grid worlds small enough for a laptop."""
        return Levels(side=(4, 5), lifetime=(min(self.horizons), max(self.horizons)))

    @property
    def tested(self) -> tuple[int, ...]:
        return (*self.horizons, 2 * max(self.horizons))


def discover(
    recipe: Recipe, folder: Path, look: Callable[[int, float], None] = lambda *_: None
) -> Objective:
    """Search, and keep the objective in ``folder``; a killed search goes on where it stopped.

    Raises:
        RunMismatch: the folder holds a search with other settings.
        InputError: its state can't be read.
        DiskError: the folder can't be written.
        ScrubjayError: another process is searching there.
    """
    with locked(folder):
        begin(folder / SETTINGS, asdict(recipe))
        return _search(recipe, folder, look)


def _search(recipe: Recipe, folder: Path, look: Callable[[int, float], None]) -> Objective:
    rng = numpy_stream(recipe.seed, "start")
    net: LPGNet | DriftNet
    if recipe.base == "lpg":
        net = LPGNet(lifetime="ta" if recipe.aware else "none")
        search = OpenES(net.layout.draw(rng), 2 * recipe.pairs, rate=0.03, seed=recipe.seed)
        score: GridScore | BanditScore = GridScore(net, recipe.levels, seed=recipe.seed)
    else:
        net = DriftNet(clock="relative" if recipe.aware else "none")
        search = OpenES(
            LearnedDrift.start(net, rng),
            2 * recipe.pairs,
            rate=0.03,
            shaping="zscore",
            seed=recipe.seed,
        )
        score = BanditScore(net, horizons=recipe.horizons, seed=recipe.seed)

    evolve(search, score, recipe.steps, checkpoint=folder / STATE, look=look)
    found = Objective(net, search.mean)
    found.save(folder)
    return found


def beside(objective: Objective, recipe: Recipe, tests: int = 100) -> list[Row]:
    """The objective and its hand-made rivals on ``tests`` unseen tasks, a column a horizon.

    Grids: the return as a share of what the best earns above chance; bandits: the expected reward
    as a share of the best arm's.
    """
    if tests < 1:
        raise InputError("a comparison needs at least one task")
    if isinstance(objective.net, LPGNet):
        return _grids(LearnedPolicyGradient(objective.net, objective.weights), recipe, tests)
    return _bandits(LearnedDrift(objective.net, objective.weights), recipe, tests)


def _name(recipe: Recipe) -> str:
    return f"{'TA-' if recipe.aware else ''}{recipe.base.upper()}"


def _grids(learned: Rule, recipe: Recipe, tests: int) -> list[Row]:
    def draw(name: str) -> list[Level]:
        return [recipe.levels.draw(recipe.seed, name, i) for i in range(tests)]

    held = draw("test")
    world = GridWorld(held, 1)
    blind, best = random_return(world).mean(), best_return(world).mean()
    rules: dict[str, Rule] = {_name(recipe): learned}
    for decay in (False, True):
        rules[f"A2C, {'falling' if decay else 'constant'} step"] = tune(draw("tune"), decay)[0]

    def earned(rule: Rule, horizon: int) -> float:
        lived = live(rule, with_lifetime(held, horizon))
        return float((lived.returns.mean() - blind) / (best - blind))

    return [
        {"rule": name, **{f"N={n}": earned(rule, n) for n in recipe.tested}}
        for name, rule in rules.items()
    ]


def _bandits(learned: Drift, recipe: Recipe, tests: int) -> list[Row]:
    tasks = Tasks.draw(tests, (1,), recipe.seed, "test")
    drifts: dict[str, Drift] = {_name(recipe): learned}
    for clip in (0.1, 0.2, 0.4, 0.8):
        drifts[f"PPO, clip {clip}"] = ClipDrift(clip)
    drifts["PPO, clip 0.8 annealed"] = ClipDrift(0.8, anneal=True)

    def earned(drift: Drift, horizon: int) -> float:
        there = replace(tasks, horizons=np.full(tests, horizon))
        return float(pull_lives(drift, there).mean())

    return [
        {"rule": name, **{f"N={n}": earned(drift, n) for n in recipe.tested}}
        for name, drift in drifts.items()
    ]
