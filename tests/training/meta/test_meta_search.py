"""Searches: the estimate and its pitfalls, whole lives, sharing of luck, going on after a kill."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from scrubjay.core.errors import InputError
from scrubjay.training.meta.actor_critic import ActorCritic, tune
from scrubjay.training.meta.agents import Agents, play
from scrubjay.training.meta.bandits import BanditScore, Tasks, pull_lives
from scrubjay.training.meta.drift import ClipDrift, DriftNet, LearnedDrift
from scrubjay.training.meta.es import Adam, OpenES, centered_rank, pair_rank, zscore
from scrubjay.training.meta.lifetimes import Experience, GridScore, live, with_lifetime
from scrubjay.training.meta.meta_gradient import MetaGradient, Unroll
from scrubjay.training.meta.objectives import LearnedPolicyGradient, LPGNet
from scrubjay.training.meta.saved import Objective
from scrubjay.training.meta.search import evolve
from scrubjay.worlds.gridworld import GridWorld, Levels
from scrubjay.worlds.gridworld_values import best_return, random_return

SMALL = Levels(side=(3, 4), things=(1, 2), limit=(8, 15), lifetime=(2, 6))
FEW = Experience(environments=3, steps=6)
NET = LPGNet(4, 6, 4, "ta")


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def weights(net: LPGNet = NET, seed: int = 0) -> np.ndarray:
    return net.layout.draw(np.random.default_rng(seed))


def test_shapings_by_hand() -> None:
    scores = np.array([[1.0, 5.0], [200.0, 100.0], [3.0, 3.0]])
    assert pair_rank(scores).tolist() == [[0, 1], [1, 0], [0.5, 0.5]]
    assert centered_rank(scores) == pytest.approx(np.array([[-0.5, 0.1], [0.5, 0.3], [-0.2, -0.2]]))
    assert zscore(np.array([[1.0, 3.0]])).tolist() == [[-1.0, 1.0]]
    assert zscore(np.ones((2, 2))).tolist() == [[0, 0], [0, 0]]


def test_adam_is_torchs() -> None:
    rng, mine = np.random.default_rng(0), Adam.zeros(3)
    leaf = torch.zeros(3, dtype=torch.double, requires_grad=True)
    theirs, x = torch.optim.Adam([leaf], lr=0.1, maximize=True), np.zeros(3)
    for _ in range(5):
        g = rng.normal(size=3)
        leaf.grad = torch.tensor(g)
        theirs.step()
        x = x + mine.step(g, 0.1)
    assert x == pytest.approx(leaf.detach().numpy())


def test_the_estimate_is_the_gradient_of_a_linear_score() -> None:
    slope = np.array([1.0, -2.0, 0.5])
    es = OpenES(np.zeros(3), 20_000, sigma=0.5, rate=1e-3, shaping="zscore")
    candidates = es.ask()
    assert candidates[0] + candidates[1] == pytest.approx(np.zeros(3), abs=1e-6)
    scores = candidates @ slope
    es.tell(scores)
    # After one step of Adam, m = 0.1 g: the estimate is the slope in units of the deviation.
    assert es.adam.m * 10 * scores.std() == pytest.approx(slope, abs=0.05)


def test_it_climbs() -> None:
    goal = np.array([1.0, -2.0, 3.0])
    for shaping in ("pair_rank", "centered_rank", "zscore"):
        es = OpenES(np.zeros(3), 16, rate=0.1, decay=0.99, shaping=shaping)  # type: ignore[arg-type]
        evolve(es, lambda c, step: -((c - goal) ** 2).sum(axis=1), 150)
        assert es.mean == pytest.approx(goal, abs=0.15), shaping


def test_nothing_to_compare_means_no_step() -> None:
    es = OpenES(np.zeros(2), 4, rate=0.1)
    es.ask()
    assert es.tell(np.array([1.0, 0, 1, 0]))
    before = es.mean.copy()
    for scores in ([3.0] * 4, [np.nan] * 4, [1.0, np.nan, np.inf, 0.0]):
        es.ask()
        assert not es.tell(np.array(scores))
        assert np.array_equal(es.mean, before)
    es.ask()
    assert es.tell(np.array([np.nan, 1.0, 0.0, 1.0]))  # the second pair is enough


def test_a_pair_with_a_broken_score_is_dropped() -> None:
    moved = []
    for broken in (np.nan, np.inf):
        es = OpenES(np.zeros(2), 4, shaping="zscore")
        es.ask()
        es.tell(np.array([broken, 7.0, 1.0, 0.0]))
        moved.append(es.mean)
    assert np.array_equal(*moved)
    assert moved[0].any()


def test_around_zero_a_drift_ties_in_every_pair() -> None:
    net = DriftNet(4, "relative")
    score = BanditScore(net, 6, (3, 5))
    tied = score(OpenES(np.zeros(net.layout.dim), 8).ask(), 0).reshape(-1, 2)
    assert np.array_equal(tied[:, 0], tied[:, 1])
    start = LearnedDrift.start(net, np.random.default_rng(0), 1.0)
    apart = score(OpenES(start, 8).ask(), 0).reshape(-1, 2)
    assert (apart[:, 0] != apart[:, 1]).any()


def test_equal_candidates_get_equal_scores() -> None:
    flat = np.repeat(weights()[None], 8, axis=0)
    grid = GridScore(NET, SMALL, FEW)(flat, 0)
    assert np.array_equal(grid[:, 0], grid[:, 1])
    assert len(set(grid[:, 0])) == 4
    net = DriftNet(4)
    start = LearnedDrift.start(net, np.random.default_rng(0))
    bandit = BanditScore(net, 8, (3, 5))(np.repeat(start[None], 4, axis=0), 0)
    assert len(set(bandit)) == 1


def test_an_agent_in_a_mixed_batch_is_the_agent_alone() -> None:
    levels = [replace(SMALL.draw(0, i), lifetime=n) for i, n in enumerate((3, 0, 6, 1))]
    population = np.stack([weights(seed=i) for i in range(4)])
    together = live(LearnedPolicyGradient(NET, population), levels, FEW, room=SMALL)
    shape = GridWorld(levels, 1, SMALL.cells, SMALL.things[1])
    for i, level in enumerate(levels):
        alone = live(LearnedPolicyGradient(NET, population[i]), [level, levels[2]], FEW, room=SMALL)
        assert together.returns[i] == pytest.approx(alone.returns[0], abs=1e-5)
        assert np.isfinite(together.size[i]).sum() == level.lifetime
    untrained = Agents.new(shape, NET.m, levels)
    assert np.array_equal(together.agents.policy[1], untrained.policy[1])
    assert not np.array_equal(together.agents.policy[3], untrained.policy[3])


def test_bandit_tasks_dont_depend_on_who_stands_beside_them() -> None:
    tasks = Tasks.draw(6, (4, 0, 9), 0)
    found = pull_lives(ClipDrift(0.4), tasks)
    uniform = tasks.means.mean(axis=1) / tasks.means.max(axis=1)
    assert found.shape == (1, 6)
    assert found[0, [1, 4]] == pytest.approx(uniform[[1, 4]], abs=1e-6)  # N = 0: untrained
    longer = replace(tasks, horizons=np.where(tasks.horizons == 9, 15, tasks.horizons))
    short = tasks.horizons < 9
    assert np.array_equal(pull_lives(ClipDrift(0.4), longer)[0, short], found[0, short])


def test_ppo_learns_bandits_and_matches_a_plain_loop() -> None:
    tasks = Tasks.draw(3, (6,), 1)
    seen: list[np.ndarray] = []
    found = pull_lives(ClipDrift(0.2), tasks, look=lambda n, rows, pi: seen.append(pi))
    for i in range(3):
        logits = np.zeros(5)
        for n in range(6):
            from scrubjay.core.randomness import numpy_stream

            luck = numpy_stream(tasks.seed, "pulls", n).random((3, 2, 8), np.float32)[i]
            old = np.exp(logits) / np.exp(logits).sum()
            assert seen[n][0, i] == pytest.approx(old, abs=1e-4)
            acts = [int((u >= np.cumsum(old)[:-1]).sum()) for u in luck[0]]
            won = np.array([float(u < tasks.means[i, a]) for u, a in zip(luck[1], acts)])
            gain = (won - won.mean()) / (won.std() + 1e-8)
            leaf = torch.tensor(logits, requires_grad=True)
            for _ in range(4):
                rho = (leaf.log_softmax(0)[acts] - torch.tensor(np.log(old))[acts]).exp()
                a = torch.tensor(gain)
                loss = -torch.minimum(rho * a, rho.clamp(0.8, 1.2) * a).mean()
                (g,) = torch.autograd.grad(loss, leaf)
                leaf = (leaf - 2.0 * g).detach().requires_grad_()
            logits = leaf.detach().numpy()
        pi = np.exp(logits) / np.exp(logits).sum()
        earned = (pi * tasks.means[i]).sum() / tasks.means[i].max()
        assert found[0, i] == pytest.approx(earned, abs=1e-4)


def test_actor_critic_gets_near_the_best() -> None:
    levels = [SMALL.draw(5, i) for i in range(12)]
    world = GridWorld(levels, 1)
    rule, earned = tune(levels, decay=True)
    best, blind = best_return(world).mean(), random_return(world).mean()
    long = live(rule, with_lifetime(levels, 60)).returns.mean()
    assert blind < earned < long < best + 1e-6
    assert (long - blind) / (best - blind) > 0.7


def test_decay_ends_in_no_step_and_awareness_of_a_hand_made_rule() -> None:
    world = GridWorld([SMALL.draw(0, 0)], 3)
    agents = Agents.new(world, 1, [SMALL.draw(0, 0)])
    world.start(np.zeros((1, 3)))

    class Half:
        def take(self, rows: int, *shape: int) -> np.ndarray:
            return np.random.default_rng(0).random((rows, *shape), np.float32)

    seen = play(world, agents, Half(), 6)
    seen.rewards[:] = np.random.default_rng(1).normal(size=seen.rewards.shape)
    moved = []
    for done in (0, 5, 10):
        mine = Agents(agents.policy.copy(), agents.memory.copy())
        ActorCritic(decay=True).update(mine, seen, np.array([done]), np.array([10]))
        moved.append(float(np.linalg.norm(mine.policy - agents.policy)))
    assert moved[1] == pytest.approx(moved[0] / 2, rel=1e-3)
    assert moved[2] == 0


def test_a_search_improves_a_learned_objective() -> None:
    net = LPGNet(4, 6, 4)
    spec = replace(SMALL, lifetime=(6, 6), limit=(10, 10))
    score = GridScore(net, spec, Experience(4, 10))
    es = OpenES(weights(net), 16, rate=0.05, seed=1)
    held = [spec.draw(99, i) for i in range(40)]
    before = live(LearnedPolicyGradient(net, es.mean), held, Experience(4, 10)).returns.mean()
    evolve(es, score, 40)
    after = live(LearnedPolicyGradient(net, es.mean), held, Experience(4, 10)).returns.mean()
    assert after > before + 0.05


def stop_at(n: int):  # type: ignore[no-untyped-def]
    return lambda done, score: done == n


def test_a_killed_evolution_ends_with_the_same_weights(tmp_path: Path) -> None:
    score = GridScore(NET, SMALL, FEW)

    def fresh() -> OpenES:
        return OpenES(weights(), 6, rate=0.03)

    whole, part, again = fresh(), fresh(), fresh()
    expected = evolve(whole, score, 7)
    state = tmp_path / "state.npz"
    evolve(part, score, 7, checkpoint=state, every=2, look=stop_at(5))
    assert evolve(again, score, 7, checkpoint=state, every=2) == expected
    assert np.array_equal(whole.mean, again.mean)
    with pytest.raises(InputError, match="another search"):
        evolve(OpenES(np.zeros(3), 6), score, 7, checkpoint=state)
    state.write_bytes(b"no arrays")
    with pytest.raises(InputError, match="not a whole file of arrays"):
        evolve(fresh(), score, 7, checkpoint=state)


def test_a_killed_meta_gradient_ends_with_the_same_weights(tmp_path: Path) -> None:
    def fresh() -> MetaGradient:
        return MetaGradient(NET, weights(), SMALL, FEW, Unroll(agents=4, updates=2, rate=0.01))

    whole, part, again = fresh(), fresh(), fresh()
    expected = whole.run(7)
    state = tmp_path / "state.npz"
    part.run(7, checkpoint=state, every=2, look=stop_at(5))
    assert again.run(7, checkpoint=state, every=2) == expected
    assert np.array_equal(whole.weights, again.weights)
    assert whole.born.sum() > 4  # agents died and were born anew on the way


def test_the_unrolled_update_is_the_closed_form_one() -> None:
    search = MetaGradient(NET, weights(), SMALL, FEW, Unroll(agents=4))
    search.done[:] = [0, 1, 0, 99]  # the last is past its lifetime: masked
    before = Agents(search.agents.policy.copy(), search.agents.memory.copy())

    class Luck:
        def take(self, rows: int, *shape: int) -> np.ndarray:
            return np.random.default_rng(0).random((rows, *shape), np.float32)

    seen = play(search.world, before, Luck(), 6)
    eta = torch.tensor(search.weights, dtype=torch.float32, requires_grad=True)
    policy, memory, _ = search._inner(
        NET.layout.split(eta), torch.tensor(before.policy), torch.tensor(before.memory), seen
    )
    mine = Agents(before.policy.copy(), before.memory.copy())
    search.rule.update(mine, seen, search.done, search.lifetime)
    assert policy.detach().numpy()[:3] == pytest.approx(mine.policy[:3], abs=1e-4)
    assert memory.detach().numpy()[:3] == pytest.approx(mine.memory[:3], abs=1e-4)
    assert np.array_equal(policy.detach().numpy()[3], before.policy[3])
    (gradient,) = torch.autograd.grad(policy.square().sum(), eta)
    assert gradient.abs().sum() > 0


def test_an_objective_is_saved_and_read_back(tmp_path: Path) -> None:
    for net in (NET, DriftNet(4, "relative")):
        mine = Objective(net, np.random.default_rng(0).normal(size=net.layout.dim))
        mine.save(tmp_path / mine.base)
        found = Objective.load(tmp_path / mine.base)
        assert found.net == net
        assert np.array_equal(found.weights, mine.weights)
    with pytest.raises(InputError, match="can't be read"):
        Objective.load(tmp_path)
    (tmp_path / "lpg/objective.json").write_text('{"base": "other", "net": {}}')
    with pytest.raises(InputError, match="not the card"):
        Objective.load(tmp_path / "lpg")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"population": 5}, "must be even"),
        ({"population": 0}, "must be even"),
        ({"sigma": 0.0}, "sigma must be a number above 0"),
        ({"rate": float("nan")}, "rate must be"),
        ({"shaping": "softmax"}, "no shaping"),
        ({"mean": np.array([np.nan])}, "finite"),
    ],
)
def test_a_search_refuses_what_it_cant_do(change: dict, says: str) -> None:
    with pytest.raises(InputError, match=says):
        OpenES(**{"mean": np.zeros(2), "population": 4, **change})
    es = OpenES(np.zeros(2), 4)
    es.ask()
    with pytest.raises(InputError, match="as many scores"):
        es.tell(np.zeros(3))


def test_noise_is_new_in_every_step() -> None:
    es = OpenES(np.zeros(4), 4)
    drawn = []
    for _ in range(3):
        drawn.append(es.ask())
        es.tell(np.zeros(4))
    assert all(not np.array_equal(a, b) for a, b in itertools.combinations(drawn, 2))
