"""Bandits with structure: continua, routes, contexts, games, knapsacks, people who must obey."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scrubjay.deciding.bandits import (
    FTPL,
    UCB1,
    ContextArms,
    ContextualZooming,
    DiscretisedContexts,
    EliminationBwK,
    Exp3,
    Exp4,
    Hedge,
    IIDArms,
    KnapsackArms,
    LagrangeBwK,
    Lanes,
    LinearArms,
    LinTS,
    LinUCB,
    LipschitzArms,
    MatrixGame,
    MyopicUsers,
    OracleExploreThenExploit,
    PerContext,
    PrimalDualBwK,
    PriorArms,
    RegretMatching,
    RepeatedHiddenExploration,
    Routes,
    RoutingArms,
    SemiBanditFTPL,
    SemiBanditHedge,
    Setting,
    SurfaceArms,
    UCB1UntilBroke,
    UcbBwK,
    Uniform,
    UniformGrid,
    Zooming,
    linear_policies,
    mixture,
    never_tried_bound,
    obedience_limit,
    offline_ips,
    race,
)
from scrubjay.deciding.bandits.knapsacks import mixtures
from scrubjay.deciding.bandits.linear import Ridge
from scrubjay.deciding.bandits.routing import exploration_law


def lost(environment, bandit, horizon: int, runs: int = 20) -> float:
    return float(race(environment, [bandit], horizon, runs)[bandit.name].mean[-1])


def peak(points: np.ndarray) -> np.ndarray:
    return 0.9 - np.abs(points[:, 0] - 0.37)


# Continua


def test_grid_and_zooming_find_a_peak() -> None:
    arms = LipschitzArms(peak)
    blind = lost(arms, UniformGrid(Uniform()), 3000)
    assert lost(arms, UniformGrid(), 3000) < 0.8 * blind
    assert lost(arms, Zooming(), 3000) < 0.8 * blind


def test_zooming_covers_everything_and_activates_where_rewards_are() -> None:
    bandit, horizon = Zooming(), 4000
    environment, lanes = LipschitzArms(peak), Lanes(0, 3)
    environment.begin(horizon, lanes)
    bandit.begin(Setting(1, horizon), Lanes(1, 3))
    for t in range(horizon):
        points = bandit.select()
        if t % 500 == 0:
            # Every point of the net is in the ball of an active arm, by direct measurement.
            for run in range(3):
                active = np.isfinite(bandit._index[run])
                radius = np.sqrt(2 * math.log(horizon) / (bandit._pulls[run, active] + 1))
                gap = np.abs(bandit._net - bandit._net[active].T)
                assert (gap <= radius).any(axis=1).all()
        reward, _ = environment.play(points)
        bandit.update(points, reward)
    near = np.abs(bandit._net[:, 0] - 0.37) < 0.2
    density = (
        np.isfinite(bandit._index)[:, near].mean() / np.isfinite(bandit._index)[:, ~near].mean()
    )
    assert density > 1.1
    assert (bandit.active == np.isfinite(bandit._index).sum(axis=1)).all()


def test_two_dimensions_work() -> None:
    arms = LipschitzArms(lambda p: 0.9 - np.abs(p - 0.5).max(axis=1), dimensions=2)
    assert lost(arms, Zooming(dimensions=2), 300, 3) < 300 * 0.5
    assert lost(arms, UniformGrid(dimensions=2), 300, 3) < 300 * 0.5


# Routes


def test_a_grid_has_the_routes_one_can_count() -> None:
    routes = Routes.grid(4)
    assert routes.matrix.shape == (math.comb(6, 3), 24)
    assert (routes.matrix.sum(axis=1) == 6).all()
    costs = np.random.default_rng(0).random((5, 24))
    best = routes.cheapest(costs)
    assert (costs @ routes.matrix.T).min(axis=1) == pytest.approx(
        (costs * routes.matrix[best]).sum(axis=1)
    )


def test_the_exploration_law_is_edge_first() -> None:
    routes = Routes([("s", "a"), ("a", "t"), ("s", "t")], "s", "t")
    # Edge 3 is drawn once in three, the other two both lead to the same route.
    law = dict(zip(map(tuple, routes.matrix), exploration_law(routes.matrix)))
    assert law == {(0, 0, 1): pytest.approx(1 / 3), (1, 1, 0): pytest.approx(2 / 3)}


def test_more_feedback_costs_less_regret() -> None:
    routes = Routes.grid(3)
    arms = RoutingArms(routes, np.random.default_rng(1).random(12))
    horizon = 3000
    full = lost(arms, Hedge(), horizon)
    leader = lost(arms, FTPL(12, routes.cheapest), horizon)
    blind = lost(arms, Uniform(), horizon)
    # The theorem's bound 2 U sqrt(d T) with U = d is for costs of up to d; rewards divide by 4.
    assert leader < 2 * 12 * math.sqrt(12 * horizon) / 4
    for bandit in (SemiBanditHedge(routes), SemiBanditFTPL(routes)):
        assert full < lost(arms, bandit, horizon) < blind


@pytest.mark.parametrize(
    ("edges", "says"),
    [([(0, 1), (1, 0)], "cycle"), ([(0, 1)], "no route"), ([], "no route")],
)
def test_graphs_without_routes(edges, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Routes(edges, 0, 2)


# Contexts


def test_per_context_is_ucb1_in_every_context() -> None:
    """One context: the same plays as UCB1 on the same rewards."""
    rng = np.random.default_rng(0)
    table = rng.random((300, 3)) * [0.5, 0.8, 1.0]
    a, b = PerContext(1), UCB1()
    a.begin(Setting(3, 300), Lanes(0, 1, "x"))
    b.begin(Setting(3, 300), Lanes(0, 1, "x"))
    counts = np.zeros((2, 3), dtype=int)
    for row in table:
        one, other = int(a.select(np.array([0]))[0]), int(b.select()[0])
        counts[0, one] += 1
        counts[1, other] += 1
        a.update(np.array([one]), row[[one]])
        b.update(np.array([other]), row[[other]])
    # The first three rounds may come in another order; after that they agree up to noise.
    assert np.abs(counts[0] - counts[1]).max() <= 30


def test_contexts_matter() -> None:
    arms = ContextArms([[0.9, 0.1], [0.1, 0.9]])
    assert lost(arms, PerContext(2), 1500) < 0.4 * lost(arms, Uniform(), 1500)


def test_contexts_on_a_line() -> None:
    def f(x, y):
        return 0.9 - 0.8 * np.abs(x - y)

    arms = SurfaceArms(f, arms=5, dimensions=0)
    assert lost(arms, DiscretisedContexts(constant=0.8), 3000) < 0.8 * lost(arms, Uniform(), 3000)
    anywhere = SurfaceArms(f)
    blind = lost(anywhere, UniformGrid(Uniform()), 3000)
    assert lost(anywhere, ContextualZooming(constant=0.8), 3000) < 0.8 * blind


def test_zooming_cells_partition_the_square() -> None:
    bandit = ContextualZooming(constant=2.0)
    bandit.begin(Setting(1, 2000), Lanes(0, 2))
    rng = np.random.default_rng(0)
    for _ in range(2000):
        x = rng.random((2, 1))
        points = bandit.select(x)
        bandit.update(points, (rng.random(2) < 0.5) * 1.0)
    side = np.concatenate([np.full(4**level, 0.5**level) for level in range(bandit._levels + 1)])
    assert (bandit._leaf * side**2).sum(axis=1) == pytest.approx([1, 1])
    assert bandit._leaf.sum(axis=1).min() > 1


def test_ridge_is_ridge_regression() -> None:
    rng = np.random.default_rng(0)
    x, reward = rng.normal(size=(40, 3)), rng.normal(size=40)
    model = Ridge(1, 3, ridge=2.0)
    for row, r in zip(x, reward):
        model.add(row[None], np.array([r]))
    plain = np.linalg.solve(2 * np.eye(3) + x.T @ x, x.T @ reward)
    assert model.theta[0] == pytest.approx(plain)
    assert model.inverse[0] @ (2 * np.eye(3) + x.T @ x) == pytest.approx(np.eye(3), abs=1e-9)


def test_linear_bandits_beat_policy_classes_beat_chance() -> None:
    arms, horizon = LinearArms(4, 5), 1500
    policies = linear_policies(np.random.default_rng(0).normal(size=(40, 5)))
    blind = lost(arms, Uniform(), horizon)
    for bandit in (LinUCB(), LinTS()):
        assert lost(arms, bandit, horizon) < 0.2 * blind
    assert lost(arms, Exp4(policies, 40), horizon) < 0.95 * blind
    assert lost(arms, OracleExploreThenExploit(policies, 40), horizon) < 0.98 * blind


def test_offline_evaluation_is_unbiased() -> None:
    rng = np.random.default_rng(0)
    contexts = rng.integers(0, 2, 4000)
    arms = rng.integers(0, 2, 4000)
    rewards = (rng.random(4000) < np.where(arms == contexts, 0.8, 0.3)) * 1.0
    found = offline_ips(list(contexts), list(arms), list(rewards), [0.5] * 4000, lambda x: x)
    assert found.low < 0.8 < found.high
    with pytest.raises(ValueError, match="chance"):
        offline_ips([0], [0], [1.0], [0.0], lambda x: x)


# Games


def test_no_regret_is_an_equilibrium() -> None:
    game = MatrixGame(np.random.default_rng(0).random((5, 6)))
    for one, other in ((Hedge(), Hedge()), (Exp3(), Exp3()), (RegretMatching(), Exp3())):
        played = game.play(one, other, 1500, runs=5)
        gap = game.duality_gap(played.row, played.column)
        # Theorem 9.5, with the regrets that were really had.
        assert (gap <= played.regret.sum(axis=1) + 1e-9).all()
        assert (gap >= -1e-12).all()
        assert played.gain[:, 0] == pytest.approx(np.full(5, game.value()), abs=gap.max() + 1e-9)
    assert played.regret.max() < 0.2


def test_rock_paper_scissors_by_hand() -> None:
    game = MatrixGame([[0, -1, 1], [1, 0, -1], [-1, 1, 0]])
    assert game.value() == pytest.approx(0, abs=1e-9)
    third = np.full((1, 3), 1 / 3)
    assert game.duality_gap(third, third) == pytest.approx([0], abs=1e-12)
    assert game.duality_gap(np.array([[1.0, 0, 0]]), third) == pytest.approx([1])


def test_regret_matching_reaches_coarse_equilibrium_of_a_general_game() -> None:
    chicken = MatrixGame([[0, 7], [2, 6]], [[0, 2], [7, 6]])
    played = chicken.play(RegretMatching(), RegretMatching(), 3000, runs=4)
    assert (chicken.coarse_gap(played.joint) <= 0.15).all()
    assert chicken.coarse_gap(np.array([[[1.0, 0], [0, 0]]])) == pytest.approx([2])
    with pytest.raises(ValueError, match="zero-sum"):
        chicken.value()


# Knapsacks


@given(st.integers(0, 10**6), st.integers(1, 6), st.floats(0.0, 1.0))
@settings(max_examples=60, deadline=None)
def test_pairs_solve_the_programme_of_one_resource(seed: int, arms: int, rate: float) -> None:
    rng = np.random.default_rng(seed)
    rewards, spend = rng.random(arms), rng.random(arms) * (rng.random(arms) < 0.8)
    shares = mixtures(rewards[None], spend[None], rate)[0]
    assert shares.min() >= -1e-12
    assert shares.sum() <= 1 + 1e-9
    assert shares @ spend <= rate + 1e-9
    assert shares @ rewards == pytest.approx(mixture(rewards, spend[:, None], [rate])[1], abs=1e-7)


PLAYERS = [UcbBwK, PrimalDualBwK, LagrangeBwK, UCB1UntilBroke, EliminationBwK]


@pytest.mark.parametrize("player", PLAYERS)
@given(
    st.integers(0, 10**6),
    st.lists(st.floats(0, 12), min_size=1, max_size=2),
)
@settings(max_examples=8, deadline=None)
def test_no_budget_is_exceeded_by_anything(player, seed: int, budgets: list[float]) -> None:
    """Whoever runs it, whatever pulls consume: the sum of what was consumed stays within."""
    rng, horizon, arms, runs = np.random.default_rng(seed), 40, 3, 3
    bandit = player(budgets)
    bandit.begin(Setting(arms, horizon), Lanes(seed, runs))
    spent = np.zeros((runs, len(budgets)))
    for _ in range(horizon):
        chosen = bandit.select()
        assert ((chosen >= -1) & (chosen < arms)).all()
        used = rng.choice([0.0, 0.3, 1.0], (runs, len(budgets))) * (chosen >= 0)[:, None]
        spent += used
        bandit.update(chosen, rng.random(runs) * (chosen >= 0), used)
    assert (spent <= np.array(budgets) + 1e-9).all()


@pytest.mark.parametrize("player", PLAYERS)
def test_the_environment_keeps_budgets_too(player) -> None:
    arms = KnapsackArms([0.5, 0.9], [1.0, 0.5], [0.3, 0.7], [7.5], spend_if=0.3)
    bandit = player([1000.0])  # the player is told of far more than there is
    arms.begin(60, Lanes(0, 5))
    bandit.begin(Setting(2, 60), Lanes(1, 5))
    spent = np.zeros(5)
    for _ in range(60):
        chosen = bandit.select()
        reward, used = arms.play(chosen)
        spent += used[:, 0]
        bandit.update(chosen, reward, used)
    assert (spent <= 7.5 + 1e-9).all()
    assert (arms.left >= 0).all()


def test_the_optimum_mixes_arms_and_ignoring_budgets_costs() -> None:
    # A good arm that eats the budget, a poor one that is free: half and half is best.
    arms = KnapsackArms([0.9, 0.4], [1.0, 1.0], [1.0, 0.0], [1000.0])
    assert arms.optimum(2000) == pytest.approx(1000 * 0.9 + 1000 * 0.4)
    careful = lost(arms, UcbBwK([1000.0]), 2000, 10)
    careless = lost(arms, UCB1UntilBroke([1000.0]), 2000, 10)
    assert careful < 0.5 * careless


# Incentives


def test_obedience_limit_by_hand() -> None:
    # One sample of arm 0 with prior Beta(1, 1): a failure (chance 1/2) leaves mean 1/3, and arm 1
    # with mean 2/5 is then better by 1/15.
    assert obedience_limit(((1, 1), (2, 3)), 1) == pytest.approx(0.5 * (2 / 5 - 1 / 3) / 3)
    with pytest.raises(ValueError, match="better prior first"):
        obedience_limit(((2, 3), (1, 1)), 1)


def test_greedy_users_never_explore_in_a_share_of_the_runs() -> None:
    priors, runs = ((6.0, 4.0), (5.0, 5.0)), 800
    arms, users = PriorArms(priors), MyopicUsers(priors)
    arms.begin(150, Lanes(0, runs, "world"))
    users.begin(Setting(2, 150), Lanes(0, runs, "own"))
    tried = np.zeros(runs, dtype=bool)
    for _ in range(150):
        chosen = users.select()
        tried |= chosen == 1
        users.update(chosen, arms.play(chosen)[0])
    assert (~tried).mean() >= never_tried_bound(priors)


def test_hidden_exploration_is_obeyed() -> None:
    """By simulation: whoever is recommended arm 1 does not expect arm 0 to be better."""
    priors, runs, rounds = ((3.0, 2.0), (5.0, 5.0)), 4000, 40
    arms, teller = PriorArms(priors), RepeatedHiddenExploration(priors, warm_up=10)
    arms.begin(rounds, Lanes(0, runs, "world"))
    teller.begin(Setting(2, rounds), Lanes(0, runs, "own"))
    gains = []
    for t in range(rounds):
        chosen = teller.select()
        if t >= 10:
            gains.append((arms.means[:, 1] - arms.means[:, 0])[chosen == 1])
        teller.update(chosen, arms.play(chosen)[0])
    gain = np.concatenate(gains)
    assert len(gain) > 1000
    assert gain.mean() > 0
    with pytest.raises(ValueError, match="users obey"):
        RepeatedHiddenExploration(priors, warm_up=10, epsilon=0.5)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: KnapsackArms([], [], [], [1]), "needs arms"),
        (lambda: KnapsackArms([0.5], [1.0], [0.1], [-1]), "budget"),
        (lambda: KnapsackArms([0.5], [1.0], [0.1], []), "at least one budget"),
        (lambda: KnapsackArms([1.5], [1.0], [0.1], [1]), "chance"),
        (lambda: KnapsackArms([0.5], [1.0], [0.6], [1], 0.6), "consumption"),
        (lambda: UcbBwK([float("nan")]), "budget"),
        (lambda: Zooming(constant=0), "above 0"),
        (lambda: LipschitzArms(lambda p: 2 * p[:, 0]), r"\[0, 1\]"),
        (lambda: LipschitzArms(lambda p: p), "a mean for each"),
        (lambda: SurfaceArms(lambda x, y: 0.5 + 0 * x, arms=3), "numbered"),
        (lambda: race(IIDArms([0.5]), [Exp4(lambda _: np.full((100, 2), 7), 2)], 5), "from 0 to 0"),
        (lambda: MatrixGame([]), "matrix"),
        (lambda: MatrixGame([[float("inf")]]), "finite"),
        (lambda: PriorArms(((0, 1),)), "Beta prior"),
        (lambda: ContextArms([[1.2]]), r"\[0, 1\]"),
        (lambda: LinearArms(0), "at least one arm"),
        (lambda: race(IIDArms([0.5]), [Zooming()], 10), "other kind"),
        (lambda: race(IIDArms([0.5]), [UcbBwK([1])], 10), "knapsack feedback"),
        (lambda: race(ContextArms([[0.5]]), [LinUCB()], 10), "features of every arm"),
        (lambda: race(ContextArms([[0.5], [0.5]]), [PerContext(1)], 50), "from 0 to 0"),
    ],
)
def test_mistakes_are_one_clear_sentence(make, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        make()
