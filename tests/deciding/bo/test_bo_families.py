"""Families of tasks: known minima, planted regions, tables that are what was measured."""

from __future__ import annotations

import numpy as np
import pytest

from scrubjay.core.errors import UnknownName
from scrubjay.deciding.bo.families import AnalyticFamily, GPFamily, TableFamily, evaluate
from scrubjay.deciding.bo.svm_tables import _examples, svm_family
from scrubjay.deciding.bo.tasks import OptimiseError, Task, draw, squared_differences


@pytest.mark.parametrize("place", [(-np.pi, 12.275), (np.pi, 2.275), (9.42478, 2.475)])
def test_branin_has_its_three_minima(place: tuple[float, float]) -> None:
    unit = np.array([[(place[0] + 5) / 15, place[1] / 15]])
    assert evaluate("branin", unit)[0] == pytest.approx(0.397887, abs=1e-5)


@pytest.mark.parametrize("function", ["ackley", "griewank"])
def test_the_others_are_zero_in_the_middle_and_above_elsewhere(function: str) -> None:
    assert evaluate(function, np.full((1, 4), 0.5))[0] == pytest.approx(0, abs=1e-9)
    assert (evaluate(function, np.random.default_rng(0).random((200, 4))) > 0.01).all()
    # by hand: Ackley at (1, 0) of its own domain, Griewank at (1, 0)
    found = evaluate(function, np.array([[0.5 + (0.1 if function == "ackley" else 0.05), 0.5]]))[0]
    by_hand = {"ackley": 20 - 20 * np.exp(-0.2 * np.sqrt(0.5)), "griewank": 1.00025 - np.cos(1)}
    assert found == pytest.approx(by_hand[function])


def test_best_candidates_of_drawn_processes_lie_near_the_shared_region() -> None:
    family = GPFamily(dimensions=2, bump=6.0, seed=3)
    best = np.array([t.candidates[t.values.argmax()] for t in draw(family, 40, 0, "train")])
    assert np.abs(best.mean(axis=0) - family.centre).max() < 0.08
    none = GPFamily(dimensions=2, bump=0.0, seed=3)
    loose = np.array([t.candidates[t.values.argmax()] for t in draw(none, 40, 0, "train")])
    assert loose.std(axis=0).min() > 2 * best.std(axis=0).max()


def test_lengths_of_drawn_processes_are_the_familys() -> None:
    """At distance 0 in all but one dimension, neighbours differ as the kernel says."""
    from scrubjay.core.randomness import numpy_stream
    from scrubjay.deciding.bo.gp import GP

    family = GPFamily(dimensions=2, candidates=80, bump=0.0, seed=1)
    usual = np.exp(numpy_stream(1, "lengths").uniform(np.log(0.15), np.log(0.8), 2))
    fitted = [
        GP.fit(t.candidates, t.values, t.kinds, prior=False).theta[:2]
        for t in draw(family, 8, 0, "train")
    ]
    assert np.exp(np.mean(fitted, axis=0)) == pytest.approx(usual, rel=0.35)


def test_tasks_depend_on_their_stream_only_and_training_is_not_test() -> None:
    family = AnalyticFamily("ackley", 3, candidates=20)
    a, b = draw(family, 3, 0, "train"), draw(family, 2, 0, "train")
    assert (a[1].values == b[1].values).all()
    assert not (a[0].candidates == draw(family, 1, 0, "test")[0].candidates).any()


def test_a_table_gives_its_own_rows_and_splits_by_data_set() -> None:
    settings = np.array([[i / 9, i % 2] for i in range(10)])
    results = np.arange(40.0).reshape(4, 10)
    family = TableFamily(settings, results, (0, 2), ("a", "b", "c", "d"), candidates=6)
    for task in draw(family, 20, 0, "any"):
        row = np.round(task.candidates[:, 0] * 9).astype(int)
        assert len(set(row)) == 6
        assert (task.values == results["abcd".index(task.name), row]).all()
    train, test = family.split(1, seed=0)
    assert set(train.names) | set(test.names) == set("abcd")
    assert not set(train.names) & set(test.names)
    assert {t.name for t in draw(test, 10, 0, "x")} == set(test.names)
    with pytest.raises(UnknownName):
        family.only(["e"])
    with pytest.raises(OptimiseError, match="can't be drawn"):
        TableFamily(settings, results, (0, 2), ("a", "b", "c", "d"), candidates=11)


def test_svm_table_is_what_the_library_measures() -> None:
    from sklearn.metrics import balanced_accuracy_score
    from sklearn.svm import SVC

    family = svm_family(3, seed=5, candidates=10, side=2)
    again = svm_family(3, seed=5, candidates=10, side=2)
    assert (family.results == again.results).all()
    assert ((family.results >= 0) & (family.results <= 1)).all()
    x, y, held, truth = _examples(1, 5)
    machine = SVC(C=10**3.0, gamma=10**-4.0, class_weight="balanced").fit(x, y)
    row = np.flatnonzero((family.settings == [1, 0, 1]).all(axis=1))[0]
    assert family.results[1, row] == balanced_accuracy_score(truth, machine.predict(held))


def test_levels_differ_or_not() -> None:
    a, b = np.array([[0.0, 2], [0.5, 1]]), np.array([[1.0, 2]])
    assert squared_differences(a, b, (0, 3)).tolist() == [[[1.0], [0.25]], [[0.0], [1.0]]]


@pytest.mark.parametrize(
    ("x", "y", "kinds", "says"),
    [
        (np.zeros((3, 2)), np.zeros(3), (0,), "can't have the shape"),
        (np.zeros((3, 1)), np.zeros(2), (0,), "one value for every"),
        (np.zeros((3, 1)), np.array([0, np.nan, 1]), (0,), "finite"),
        (np.full((3, 1), 1.5), np.zeros(3), (0,), r"lie in \[0, 1\]"),
        (np.full((3, 1), np.nan), np.zeros(3), (0,), r"lie in \[0, 1\]"),
        (np.full((3, 1), 2.0), np.zeros(3), (2,), "levels 0 to 1"),
        (np.zeros((3, 1)), np.zeros(3), (1,), "a kind is"),
    ],
)
def test_bad_tasks_are_refused(x, y, kinds, says: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(OptimiseError, match=says):
        Task(x, y, kinds)


def test_bad_families_are_refused() -> None:
    with pytest.raises(UnknownName, match="did you mean 'ackley'"):
        AnalyticFamily("akley")  # type: ignore[arg-type]
    with pytest.raises(OptimiseError, match="two dimensions"):
        AnalyticFamily("branin", 3)
