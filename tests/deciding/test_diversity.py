"""Quality-diversity: parts against brute force, worlds by hand, searches by their account."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scrubjay.core.errors import ScrubjayError, UnknownName
from scrubjay.core.randomness import numpy_stream
from scrubjay.deciding.diversity import (
    Arm,
    Autoencoder,
    BrokenEnvironment,
    CMAEmitter,
    ElitistEmitter,
    Evaluations,
    Grid,
    GymProblem,
    HandMade,
    LearnedDescriptor,
    MapElites,
    Maze,
    Policy,
    PolicyProblem,
    RandomSearch,
    SearchError,
    Stax,
    fronts,
    make_method,
    novelty,
)
from scrubjay.deciding.diversity.emitters import improvement, stagnant
from scrubjay.deciding.diversity.environments import sample_times
from scrubjay.deciding.diversity.methods import METHODS, best_of_cells
from scrubjay.deciding.diversity.spaces import crowding, select
from scrubjay.deciding.diversity.worlds import WALLS

RNG = np.random.default_rng(0)


class Plane:
    """Genome = behaviour; reward in a disc around (0.5, 0.5) and one around (−0.5, 0)."""

    genome, bounds, limits, areas = 2, (-1.0, 1.0), ((-1.0, 1.0), (-1.0, 1.0)), 2
    radius = 0.1

    def evaluate(self, genomes: Any) -> Evaluations:
        away = np.stack(
            [np.linalg.norm(genomes - c, axis=1) for c in ([0.5, 0.5], [-0.5, 0.0])], axis=1
        )
        reward = np.maximum(0, 1 - away.min(axis=1) / self.radius)
        area = np.where(reward > 0, away.argmin(axis=1), -1)
        pictures = np.repeat((genomes[:, None] + 1) / 2, 2, axis=1).astype(np.float32)
        return Evaluations(genomes, reward, pictures, genomes.copy(), area)


# --- spaces ---


@given(st.integers(1, 30), st.integers(1, 20), st.booleans(), st.integers(0, 9))
@settings(max_examples=40, deadline=None)
def test_novelty_is_the_mean_distance_to_the_nearest(
    n: int, k: int, inside: bool, seed: int
) -> None:
    points = np.random.default_rng(seed).normal(size=(n, 3))
    reference = points if inside else np.random.default_rng(seed + 99).normal(size=(n, 3))
    got = novelty(points, reference, k, inside=inside)
    for i, p in enumerate(points):
        away = [np.linalg.norm(p - q) for j, q in enumerate(reference) if not (inside and i == j)]
        wanted = np.mean(sorted(away)[:k]) if away else np.inf
        assert got[i] == pytest.approx(wanted, abs=1e-6)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=15))
@settings(max_examples=60, deadline=None)
def test_fronts_are_peeled_one_by_one(values: list[tuple[int, int]]) -> None:
    table = np.array(values, dtype=float)
    front = fronts(table)

    def beats(a: Any, b: Any) -> bool:
        return bool((a >= b).all() and (a > b).any())

    left = set(range(len(table)))
    number = 0
    while left:
        best = {i for i in left if not any(beats(table[j], table[i]) for j in left)}
        assert {i for i in left if front[i] == number} == best
        left, number = left - best, number + 1


def test_crowding_and_selection_by_hand() -> None:
    values = np.array([[0.0, 4.0], [1.0, 3.0], [3.0, 1.0], [4.0, 0.0], [0.0, 0.0]])
    assert crowding(values[:4]).tolist() == [np.inf, 1.5, 1.5, np.inf]
    assert sorted(select(values, 4)) == [0, 1, 2, 3]
    assert set(select(values, 2)) == {0, 3}


def test_grid_cells_and_elites_against_a_loop() -> None:
    grid = Grid(((0, 1), (-1, 1)), 4)
    points = np.array([[0.0, -1.0], [0.99, 0.99], [1.0, 1.0], [7.0, 7.0], [0.3, 0.0]])
    assert grid.index(points).tolist() == [0, 15, 15, 15, 6]
    assert grid.coverage(points) == 3 / 16
    found = Plane().evaluate(RNG.uniform(-1, 1, (300, 2)))
    found = Evaluations(
        found.genomes, RNG.integers(0, 5, 300) / 4, found.observations, found.behaviour, found.area
    )
    elites = best_of_cells(found, Grid(Plane.limits, 5))
    best: dict[int, int] = {}
    for i, cell in enumerate(Grid(Plane.limits, 5).index(found.behaviour)):
        if cell not in best or found.reward[i] > found.reward[best[cell]]:
            best[cell] = i
    assert elites.genomes.tolist() == found.genomes[[best[c] for c in sorted(best)]].tolist()


# --- autoencoder ---


def test_gradients_of_the_autoencoder_are_those_of_its_loss() -> None:
    model = Autoencoder(6, latent=2, hidden=4, seed=1)
    model.parts = [p.astype(np.float64) for p in model.parts]  # type: ignore[misc]
    model._moments = [(np.zeros_like(p), np.zeros_like(p)) for p in model.parts]
    x: Any = RNG.random((5, 6))
    before = [p.copy() for p in model.parts]

    def loss() -> float:
        w3, b3, w4, b4 = model.parts[4:]
        from scrubjay.deciding.diversity.autoencoder import _selu, _sigmoid

        back = _sigmoid(_selu(model.encode(x) @ w3 + b3) @ w4 + b4)
        return float(((x - back) ** 2).mean())

    model._step(x, rate=0.0)
    grads = [m / 0.1 for m, _ in model._moments]  # the first moment after one step
    for number in range(len(before)):
        flat, grad = model.parts[number].reshape(-1), grads[number].reshape(-1)
        for i in (0, len(flat) - 1):
            h, old = 1e-6, flat[i]
            flat[i] = old + h
            up = loss()
            flat[i] = old - h
            down = loss()
            flat[i] = old
            assert grad[i] == pytest.approx((up - down) / (2 * h), abs=1e-5)


def test_a_learned_space_orders_what_the_pictures_show() -> None:
    """Bars at a hidden place: distances in the code must follow distances of places."""
    place = RNG.random(600)
    columns = np.arange(16)
    pictures = np.exp(-(((columns - 15 * place[:, None]) / 2.0) ** 2)).astype(np.float32)
    found = Evaluations(
        np.zeros((600, 1)), np.zeros(600), pictures[:, None], place[:, None], np.full(600, -1)
    )
    space = LearnedDescriptor(latent=3, hidden=32, epochs=60)
    space.begin(3)
    first = float(space.describe(found)[1].mean())
    error = space.fit(found)
    points, surprise = space.describe(found)
    assert error is not None
    assert error < first / 4
    assert surprise.mean() < first / 4
    a, b = RNG.integers(0, 600, (2, 800))
    learned = np.linalg.norm(points[a] - points[b], axis=1)
    assert np.corrcoef(learned, np.abs(place[a] - place[b]))[0, 1] > 0.7
    odd = Evaluations(
        found.genomes[:1], found.reward[:1], 1 - found.observations[:1], found.behaviour[:1],
        found.area[:1],
    )  # fmt: skip
    assert space.describe(odd)[1][0] > 4 * surprise.mean()  # never seen: surprising


def test_equal_observations_teach_nothing_and_say_so() -> None:
    flat = Plane().evaluate(np.zeros((5, 2)))
    space = LearnedDescriptor()
    space.begin(0)
    with pytest.warns(UserWarning, match="equal"):
        assert space.fit(flat) is None
    assert HandMade().describe(flat)[1].tolist() == [0.0] * 5


# --- policies, worlds ---


def test_policies_act_alone_as_in_a_batch() -> None:
    policy = Policy(3, 2, (4,))
    assert policy.size == 4 * 4 + 5 * 2
    genomes, seen = RNG.normal(size=(7, policy.size)), RNG.normal(size=(7, 3))
    together = policy.actors(genomes).act(seen)
    for g, s, act in zip(genomes, seen, together):
        w1, b1, w2, b2 = g[:12].reshape(4, 3), g[12:16], g[16:24].reshape(2, 4), g[24:]
        assert act == pytest.approx(np.tanh(w2 @ np.tanh(w1 @ s + b1) + b2))


def test_an_arm_by_hand() -> None:
    arm = Arm(joints=2, steps=1, discs=((0.0, 1.0, 0.2),))
    arm.reset(2)
    _, reward = arm.step(np.array([[0.0, 0.0], [1.0, -1.0]]))
    tip = arm.behaviour()
    assert tip[0] == pytest.approx([0, 1])  # straight up
    bent = np.pi / 2 + 0.1
    assert tip[1] == pytest.approx([np.cos(bent) / 2, np.sin(bent) / 2 + 0.5])
    assert reward[0] == pytest.approx(1.0)
    assert arm.area().tolist() == [0, 0]


@given(st.integers(0, 50))
@settings(max_examples=15, deadline=None)
def test_nobody_walks_through_a_wall(seed: int) -> None:
    maze, rng = Maze(), np.random.default_rng(seed)
    maze.reset(30)
    for _ in range(maze.steps):
        before = maze.behaviour()
        maze.step(rng.uniform(-1, 1, (30, 2)))
        now = maze.behaviour()
        cells = (now * 16).astype(int)
        assert not any(WALLS[y][x] == "#" for x, y in cells)
        assert (np.abs(now - before) <= maze.speed + 1e-12).all()
        assert ((now >= 0) & (now < 1)).all()


def test_pictures_show_the_agent_and_the_distractor_and_rewards_are_sparse() -> None:
    problem = PolicyProblem(Maze(), samples=3)
    found = problem.evaluate(RNG.uniform(-5, 5, (400, problem.genome)))
    assert found.observations.shape == (400, 3, 16, 16)
    assert found.observations.min() >= 0
    assert found.observations.max() <= 1
    assert (found.reward > 0).mean() < 0.01
    again = problem.evaluate(found.genomes[5:6])  # the same alone, as in a batch
    assert np.array_equal(again.observations[0], found.observations[5])
    assert again.behaviour[0] == pytest.approx(found.behaviour[5])
    assert sample_times(60, 3) == {20, 40, 60}


# --- searches ---


@pytest.mark.parametrize("name", METHODS)
def test_every_evaluation_is_counted_and_a_seed_fixes_the_outcome(name: str) -> None:
    calls = []

    class Counted(Plane):
        def evaluate(self, genomes: Any) -> Evaluations:
            calls.append(len(genomes))
            assert np.abs(genomes).max() <= 1
            return super().evaluate(genomes)

    how: dict[str, Any] = {"population": 20, "chunk": 150, "sigma": 0.1, "window": 10}
    first = make_method(name, **how).run(Counted(), 1001, seed=4)
    assert sum(calls) == 1001 == sum(first.spent.values())
    assert first.curve[-1]["evaluations"] == 1001
    again = make_method(name, **how).run(Plane(), 1001, seed=4)
    assert np.array_equal(first.found.genomes, again.found.genomes)
    assert first.curve == again.curve
    other = make_method(name, **how).run(Plane(), 1001, seed=5)
    assert not np.array_equal(first.found.genomes[:5], other.found.genomes[:5])
    coverages = [p["coverage"] for p in first.curve]
    assert coverages == sorted(coverages)


def test_novelty_spreads_and_emitters_climb() -> None:
    how: dict[str, Any] = {"population": 20, "chunk": 300, "sigma": 0.05, "window": 10}
    outcomes = {n: make_method(n, **how).run(Plane(), 3000, seed=1) for n in METHODS}
    climbed = outcomes["serene"].curve[-1]["best"]
    assert sum(climbed) > sum(outcomes["novelty"].curve[-1]["best"])
    assert min(climbed) > 0.9
    assert outcomes["serene"].spent["emitters"] > 0
    assert set(outcomes["taxons"].spent) == {"explore"}
    assert len(outcomes["stax"].errors) >= 2
    assert outcomes["stax-nt"].errors == []
    # what was rewarded is kept
    assert (outcomes["stax"].found.reward > 0.8).any()


def test_without_any_reward_exploiting_costs_nothing() -> None:
    class Barren(Plane):
        radius = 1e-12

    outcome = make_method("stax", population=10, chunk=100).run(Barren(), 700)
    assert outcome.spent == {"explore": 700}
    assert outcome.rewarded == 0


@pytest.mark.parametrize("schedule", ["alternate", "even", "remaining"])
@pytest.mark.parametrize("emitter", ["elitist", "cma"])
def test_schedules_and_emitters_share_the_budget(schedule: Any, emitter: Any) -> None:
    search = Stax(
        HandMade(), survival="novelty", schedule=schedule, emitter=emitter,
        population=20, chunk=200, sigma=0.1, window=12,
    )  # fmt: skip
    outcome = search.run(Plane(), 2500, seed=2)
    assert sum(outcome.spent.values()) == 2500
    assert outcome.spent["explore"] > 300
    assert sum(outcome.curve[-1]["best"]) > 1.5


@pytest.mark.parametrize("kind", [ElitistEmitter, CMAEmitter])
def test_emitters_climb_a_hill_and_notice_when_they_stand(kind: Any) -> None:
    def hill(genomes: Any) -> Evaluations:
        n = len(genomes)
        scaled = (genomes - 1.0) * np.array([1.0, 5.0, 0.5, 1.0])
        reward = np.minimum(0.96, np.exp(-(scaled**2).sum(axis=1) / 8))  # flat at the top
        return Evaluations(
            genomes, reward, np.zeros((n, 1, 1), np.float32), genomes, np.zeros(n, dtype=int)
        )

    emitter = kind(hill(np.zeros((1, 4))), 0.2, (-5.0, 5.0), numpy_stream(1, "hill"))
    for _ in range(80):
        emitter.tell(hill(emitter.ask()))
    assert emitter.history[-1] > 0.95
    assert improvement(emitter) > 0.5
    assert not stagnant(emitter, len(emitter.history))
    for _ in range(40):
        emitter.tell(hill(emitter.ask()))
    assert stagnant(emitter, 20)


# --- environments of others, and mistakes ---


def test_real_gymnasium_environments_are_searched() -> None:
    env = gymnasium.make("CartPole-v1")
    problem = GymProblem(
        env, lambda seen, info: (seen[0], seen[2]), ((-2.4, 2.4), (-0.3, 0.3)), most=50, samples=2
    )
    outcome = make_method("stax", population=5, chunk=20).run(problem, 60, seed=1)
    assert sum(outcome.spent.values()) == 60
    assert outcome.curve[-1]["best"][0] > 5
    swing = GymProblem(
        gymnasium.make("Pendulum-v1"), lambda seen, info: seen[:2], ((-1, 1), (-1, 1)), most=10
    )
    found = swing.evaluate(np.zeros((2, swing.genome)))
    assert found.reward[0] == found.reward[1] < 0
    with pytest.raises(BrokenEnvironment, match="below 0"):
        RandomSearch(2).run(swing, 4)


class Space:
    def __init__(self, **what: Any) -> None:
        self.__dict__.update(what)


class Broken:
    """A good environment whose answers can be replaced."""

    def __init__(self, **replaced: Any) -> None:
        self.action_space = replaced.pop("action_space", Space(n=2))
        self.replaced = replaced

    def reset(self, *, seed: int | None = None) -> Any:
        return self.replaced.get("reset", (np.zeros(3), {}))

    def step(self, action: Any) -> Any:
        if isinstance(self.replaced.get("step"), Exception):
            raise self.replaced["step"]
        return self.replaced.get("step", (np.zeros(3), 1.0, True, False, {}))


@pytest.mark.parametrize(
    ("replaced", "sentence"),
    [
        ({"reset": np.zeros(3)}, r"reset\(seed"),
        ({"reset": (np.array([np.nan]), {})}, "not finite"),
        ({"reset": ("hello", {})}, "array of numbers"),
        ({"step": (np.zeros(3), 1.0, True, {})}, r"step\(action"),
        ({"step": (np.zeros(3), float("nan"), True, False, {})}, "reward of nan"),
        ({"step": (np.zeros(3), "much", True, False, {})}, "must be a number"),
        ({"step": (np.zeros(4), 1.0, True, False, {})}, r"shape \(4,\)"),
        ({"step": (np.zeros(3), 1.0, 1, False, {})}, "terminated must be"),
        ({"step": (np.zeros(3), 1.0, True, False, None)}, "must be a dict"),
        ({"step": ValueError("I fell\nover")}, "failed with ValueError: I fell"),
        ({"action_space": Space(low=-np.inf, high=1.0)}, "finite bounds"),
        ({"action_space": None}, "action_space"),
    ],
)
def test_environments_that_break_the_contract_get_one_sentence(
    replaced: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(BrokenEnvironment, match=sentence) as error:
        problem = GymProblem(Broken(**replaced), lambda seen, info: seen[:1], ((-1, 1),))
        problem.evaluate(np.zeros((1, problem.genome)))
    assert "\n" not in str(error.value)


def test_mistakes_are_one_sentence() -> None:
    problem = PolicyProblem(Maze())
    bad: list[Any] = [
        lambda: problem.evaluate(np.full((1, problem.genome), np.nan)),
        lambda: problem.evaluate(np.zeros((1, 3))),
        lambda: problem.evaluate("x"),  # type: ignore[arg-type]
        lambda: PolicyProblem(Maze(), samples=0),
        lambda: PolicyProblem(Maze(), bounds=(1.0, 1.0)),
        lambda: Maze(start=(0.65, 0.28)),
        lambda: Maze(walls=("..", ".")),
        lambda: Arm(joints=0),
        lambda: Arm(discs=((0, 0, -1),)),
        lambda: RandomSearch().run(problem, 0),
        lambda: MapElites(cells=0),
        lambda: Stax(population=1),
        lambda: Stax(window=1),
        lambda: Stax(survival="fittest"),  # type: ignore[arg-type]
        lambda: Grid(((1, 0),)),
        lambda: GymProblem(Broken(), lambda s, i: s, ((-1, 1),)).evaluate(np.zeros((1, 62))),
        lambda: Autoencoder(4).fit(np.zeros((1, 4), np.float32)),
    ]
    for make in bad:
        with pytest.raises(ScrubjayError) as error:
            make()
        assert "\n" not in str(error.value)
    with pytest.raises(UnknownName, match="map-elites"):
        make_method("mapelites")
    with pytest.raises(SearchError):
        make_method("stax", population=0)

    class Short(Plane):
        def evaluate(self, genomes: Any) -> Evaluations:
            return super().evaluate(genomes[:1])

    class Nan(Plane):
        def evaluate(self, genomes: Any) -> Evaluations:
            good = super().evaluate(genomes)
            return Evaluations(
                good.genomes, good.reward * np.nan, good.observations, good.behaviour, good.area
            )

    class Lost(Plane):
        def evaluate(self, genomes: Any) -> Evaluations:
            good = super().evaluate(genomes)
            return Evaluations(
                good.genomes,
                good.reward,
                good.observations,
                np.full_like(good.behaviour, np.nan),
                good.area + 9,
            )

    class Wide(Plane):
        limits: Any = ((-1.0, 1.0),) * 6

    with pytest.raises(SearchError, match="too many"):
        make_method("map-elites").run(Wide(), 50)
    for problem_ in (Short(), Nan(), Lost(), Wide()):
        with pytest.raises(BrokenEnvironment):
            make_method("random").run(problem_, 50)
