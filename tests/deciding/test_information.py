"""Mechanisms against brute force, scoring rules against their definition, the online algorithm."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from scrubjay.deciding.information import (
    ExploreCommitPrincipal,
    HiringInstance,
    Infeasible,
    Mechanism,
    SearchAllocator,
    auditor,
    best_product_mechanism,
    best_profile_mechanism,
    best_response,
    check_mechanism,
    expected_score,
    optimal_mechanism,
    overlapping_sources,
    plan_search,
    pure_equilibria,
    random_instance,
    robustify,
    scores,
    strict_rules,
    two_workers,
    value_under,
    with_rules,
)

TABLE = {0.2: 0.5580, 0.3: 0.5725, 0.5: 0.5821, 1.0: 0.5883, 2.0: 0.5912}
"""Cap -> value of the two-workers problem, from another linear programme than ours."""


def brute_force(instance: HiringInstance) -> float:
    """The same optimum with one row for every joint deviation, dense, straight from the
    definition."""
    n, law, efforts, signals = instance.agents, instance.law, instance.efforts, instance.signals
    profiles, seen = list(np.ndindex(*efforts)), list(np.ndindex(*signals))
    states = range(instance.states)
    mu = {b: i for i, b in enumerate(profiles)}
    x = {
        key: len(profiles) + i
        for i, key in enumerate(itertools.product(range(n), profiles, seen, states))
    }
    size = len(profiles) + len(x)
    rows, objective = [], np.zeros(size)
    for b in profiles:
        best = sum(
            max(sum(law[b + s + (th,)] * u[th] for th in states) for u in instance.utility)
            for s in seen
        )
        objective[mu[b]] = -best
        for i, s, th in itertools.product(range(n), seen, states):
            objective[x[i, b, s, th]] = law[b + s + (th,)]
            row = np.zeros(size)
            row[x[i, b, s, th]], row[mu[b]] = 1, -instance.cap
            rows.append(row)
    for i in range(n):
        for told, tried in itertools.product(range(efforts[i]), repeat=2):
            for phi in itertools.product(range(signals[i]), repeat=signals[i]):
                row = np.zeros(size)
                for b in profiles:
                    if b[i] != told:
                        continue
                    other = (*b[:i], tried, *b[i + 1 :])
                    row[mu[b]] += instance.costs[i][told] - instance.costs[i][tried]
                    for s, th in itertools.product(seen, states):
                        said = (*s[:i], phi[s[i]], *s[i + 1 :])
                        row[x[i, b, said, th]] += law[other + s + (th,)]
                        row[x[i, b, s, th]] -= law[b + s + (th,)]
                rows.append(row)
    found = linprog(
        objective,
        A_ub=np.array(rows),
        b_ub=np.zeros(len(rows)),
        A_eq=[[1.0] * len(profiles) + [0.0] * len(x)],
        b_eq=[1.0],
        method="highs",
    )
    return -found.fun


@pytest.mark.parametrize(("cap", "value"), TABLE.items())
def test_two_workers_by_the_table(cap: float, value: float) -> None:
    instance = two_workers(cap)
    found = optimal_mechanism(instance)
    assert found.value == pytest.approx(value, abs=1e-4)
    assert found.mu[0] == pytest.approx(0, abs=1e-6)
    assert found.mu[1] == pytest.approx(found.mu[2], abs=1e-4)
    assert check_mechanism(instance, found).holds()
    assert best_profile_mechanism(instance).value < found.value - 0.05


def test_correlation_beats_independence() -> None:
    instance = two_workers(0.5)
    product = best_product_mechanism(instance, 4)
    assert product.value < optimal_mechanism(instance).value - 0.005
    assert check_mechanism(instance, product).holds()


@pytest.mark.parametrize(
    "instance",
    [
        two_workers(0.3, flip=0.05),
        auditor(),
        overlapping_sources(2),
        random_instance(0),
        random_instance(1),
        random_instance(2, 2, 3, 2, 2),
        random_instance(3, 2, 2, 3, 2),
        random_instance(4, 1, 3, 3, 3),
    ],
)
def test_the_programme_finds_the_brute_force_optimum(instance: HiringInstance) -> None:
    found = optimal_mechanism(instance)
    assert found.value == pytest.approx(brute_force(instance), abs=1e-6)
    assert check_mechanism(instance, found).holds()


SHAPES = [(2, 2, 2, 2), (2, 3, 3, 2), (3, 2, 2, 2), (2, 2, 2, 3)]


@given(st.integers(0, 10**6), st.sampled_from(SHAPES))
@settings(max_examples=12, deadline=None)
def test_no_deviation_pays_in_random_problems(seed: int, shape: tuple[int, ...]) -> None:
    instance = random_instance(seed, *shape, cap=0.4)
    found = optimal_mechanism(instance)
    check = check_mechanism(instance, found)
    assert check.worst <= 1e-7
    assert min(check.participation) >= -1e-7
    assert found.value >= best_profile_mechanism(instance).value - 1e-7


def test_the_check_sees_a_mechanism_that_invites_lies() -> None:
    instance = two_workers(0.5)
    good = optimal_mechanism(instance)
    pays_anyway = Mechanism(good.mu, np.full_like(good.gamma, 0.5), good.policy, 0.0)
    check = check_mechanism(instance, pays_anyway)
    # Paid in any case, a worker saves the cost of its effort, whenever it was told to work.
    told = 0.05 * (good.mu[2] + good.mu[3])
    assert max(d.gain for d in check.deviations if d.agent == 0) == pytest.approx(told)
    assert not check.holds()
    overpaid = Mechanism(good.mu, good.gamma * 3, good.policy, 0.0)
    assert check_mechanism(instance, overpaid).overpaid > 0


def test_many_signals_are_checked_signal_by_signal() -> None:
    instance = random_instance(5, 2, 2, 3, 2, cap=0.4)
    mechanism = optimal_mechanism(instance, slack=0.02)
    every = check_mechanism(instance, mechanism)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("scrubjay.deciding.information.deviations.ENUMERATED", 2)
        assert check_mechanism(instance, mechanism).worst == pytest.approx(every.worst, abs=1e-12)
    many = random_instance(6, 2, 2, 6, 2, cap=0.4)
    assert check_mechanism(many, optimal_mechanism(many)).holds()


def test_other_equilibria_are_listed_and_obedience_is_one() -> None:
    instance = two_workers(0.5)
    mechanism = optimal_mechanism(instance)
    values = [value for _, value in pure_equilibria(instance, mechanism)]
    assert max(values) == pytest.approx(mechanism.value, abs=1e-6)
    assert min(values) < mechanism.value - 0.1  # both can also lie together
    assert value_under(instance, mechanism, {}) == pytest.approx(mechanism.value)


def test_restricted_and_loosened_programmes() -> None:
    instance = two_workers(0.5)
    best = optimal_mechanism(instance).value
    assert optimal_mechanism(instance, slack=0.01).value > best
    only = optimal_mechanism(instance, support=[0])
    assert only.mu == pytest.approx([1, 0, 0, 0])
    assert only.value == pytest.approx(0.5)
    with pytest.raises(Infeasible, match="raise the cap"):
        optimal_mechanism(two_workers(cap=0.05), support=[1])
    with pytest.raises(ValueError, match="distribution"):
        optimal_mechanism(instance, fixed_mu=[0.5, 0.2, 0.2, 0.2])


@given(
    st.lists(st.floats(0.01, 1), min_size=2, max_size=4),
    st.lists(st.floats(0.01, 1), min_size=4, max_size=4),
    st.sampled_from(["quadratic", "spherical", "log"]),
)
def test_truth_scores_best(belief: list[float], report: list[float], rule) -> None:
    p = np.array(belief) / sum(belief)
    q = np.array(report[: len(p)]) / sum(report[: len(p)])
    truth = expected_score(p, p, rule)
    assert truth >= expected_score(p, q, rule) - 1e-12
    if np.abs(p - q).max() > 1e-2:
        assert truth > expected_score(p, q, rule)
    assert ((scores(q, rule) >= -1e-12) & (scores(q, rule) <= 1 + 1e-12)).all()


def test_quadratic_score_by_hand() -> None:
    assert scores([0.8, 0.2]) == pytest.approx([(1 + 1.6 - 0.68) / 2, (1 + 0.4 - 0.68) / 2])


def test_strict_rules_have_the_margin_they_say() -> None:
    for instance in (two_workers(0.5), overlapping_sources(2)):
        rules, margin = strict_rules(instance)
        for told in np.ndindex(*instance.efforts):
            mu = np.zeros(instance.efforts)
            mu[told] = 1
            mechanism = with_rules(instance, mu.ravel(), rules)
            for agent in range(instance.agents):
                obeys = best_response(instance, mechanism, agent, told[agent])
                assert (obeys.effort, obeys.gain) == (told[agent], 0.0)
        assert margin > 0.03
    assert strict_rules(two_workers(0.5))[1] == pytest.approx(0.048, abs=1e-4)


@pytest.mark.parametrize("observed", [True, False])
def test_exploring_and_committing_is_obeyed_and_sublinear(observed: bool) -> None:
    instance = two_workers(0.5)
    rules, margin = strict_rules(instance)
    principal = ExploreCommitPrincipal(rules, margin, observe_effort=observed)
    runs = [principal.run(instance, t, np.random.default_rng(1)) for t in (10**6, 10**7, 10**8)]
    assert all(run.obeyed for run in runs)
    slope = np.log10(runs[2].regret / runs[1].regret)
    assert 0.55 < slope < 0.75
    assert runs[0].alpha > runs[1].alpha > runs[2].alpha
    careless = ExploreCommitPrincipal(rules, margin, robust=False)
    assert not careless.run(instance, 10**7, np.random.default_rng(1)).obeyed


def test_robust_mixing_restores_obedience() -> None:
    instance = two_workers(0.5)
    rules, margin = strict_rules(instance)
    loose = optimal_mechanism(instance, slack=0.01)
    assert check_mechanism(instance, loose).worst > 1e-4
    safe = robustify(instance, loose, rules, min(1, 0.01 / (0.01 + margin) + 1e-9))
    assert check_mechanism(instance, safe).worst <= 1e-9


def bad(law=None, costs=None, utility=None, cap=0.5):
    good = two_workers()
    return lambda: HiringInstance(
        good.law if law is None else law,
        good.costs if costs is None else costs,
        good.utility if utility is None else utility,
        cap,
    )


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (bad(law=two_workers().law * 0.9), "sum to 0.9"),
        (bad(law=np.ones((2, 2))), "axes"),
        (bad(law=-two_workers().law), "0 or more"),
        (bad(costs=[[0.1, 0.2], [0, 0.1]]), "costs nothing"),
        (bad(costs=[[0, -0.2], [0, 0.1]]), "0 or more"),
        (bad(costs=[]), "at least one agent"),
        (bad(utility=[[1.0]]), "column per state"),
        (bad(cap=0.0), "above 0"),
        (bad(cap=float("nan")), "above 0"),
        (lambda: scores([0.5, 0.6]), "sum to 1"),
        (lambda: scores([0.5, 0.5], "cubic"), "no scoring rule"),
        (lambda: plan_search([[0.5]], [1.0], -1), "budget"),
        (lambda: plan_search([[1.5]], [1.0], 1), r"\[0, 1\]"),
        (lambda: plan_search([[0.5]], [-1.0], 1), "cost"),
        (lambda: plan_search([], [1.0], 1), "practice"),
        (lambda: SearchAllocator([1.0], -3, 10), "budget"),
        (lambda: SearchAllocator([1.0], 3, 10).learn(0.5), "choose before"),
    ],
)
def test_mistakes_are_one_clear_sentence(make, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        make()


def test_a_plan_sees_that_two_sources_find_the_same() -> None:
    # Sources 0 and 1 find the same half, source 2 the other half.
    found = np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1], [0, 0, 1]])
    plan = plan_search(found, [1, 1, 1], budget=2)
    assert plan.sets in ((((0, 2), 1.0),), (((1, 2), 1.0),))
    assert (plan.value, plan.cost) == (1.0, 2.0)
    half = plan_search(found, [1, 1, 1], budget=0.5)
    assert half.value == pytest.approx(0.25)
    assert half.cost == pytest.approx(0.5)
    assert plan_search(found, [1, 1, 1], budget=0).sets == ()
    # At a price of 0.6 a unit, nothing that finds half the answers is worth asking.
    assert plan_search(found, [1, 1, 1], budget=3, price=0.6).sets == ()
    # What costs nothing is always asked where it helps.
    assert plan_search(found, [0, 1, 0], budget=0).value == 1.0


@given(st.integers(0, 10**6), st.integers(1, 4), st.floats(0, 3))
@settings(max_examples=40, deadline=None)
def test_no_set_beats_the_plan_within_the_budget(seed: int, sources: int, budget: float) -> None:
    rng = np.random.default_rng(seed)
    found, costs = (rng.random((12, sources)) < 0.4) * 1.0, rng.random(sources)
    plan = plan_search(found, costs, budget)
    assert plan.cost <= budget + 1e-7
    assert sum(p for _, p in plan.sets) <= 1 + 1e-9
    for size in range(1, sources + 1):
        for chosen in itertools.combinations(range(sources), size):
            if costs[list(chosen)].sum() <= budget:
                assert found[:, list(chosen)].max(axis=1).mean() <= plan.value + 1e-6


@given(st.integers(0, 10**6), st.floats(0, 30))
@settings(max_examples=15, deadline=None)
def test_an_allocator_never_exceeds_its_budget(seed: int, budget: float) -> None:
    costs, rng = [1.0, 2.5], np.random.default_rng(seed)
    allocator, spent = SearchAllocator(costs, budget, 60, seed), 0.0
    for _ in range(60):
        spent += sum(costs[i] for i in allocator.choose())
        allocator.learn(float(rng.random() < 0.5))
    assert spent <= budget
    assert allocator.left == pytest.approx(budget - spent)


def test_what_is_free_is_always_asked() -> None:
    allocator = SearchAllocator([0.0, 0.0], 0.0, 20)
    for _ in range(20):
        assert allocator.choose()
        allocator.learn(1.0)


def test_an_allocator_learns_whom_to_ask() -> None:
    """Source 1 knows nothing and costs as much as source 0, which always knows."""
    allocator = SearchAllocator([1.0, 1.0], 600, 1000)
    asked = []
    for _ in range(1000):
        chosen = allocator.choose()
        asked.append(chosen)
        allocator.learn(float(0 in chosen))
    useful = sum(0 in chosen for chosen in asked)
    assert useful > 400
    assert asked[-300:].count((0,)) > asked[-300:].count((1,))
