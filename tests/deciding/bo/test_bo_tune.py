"""Proposals from tables: what is read, what is refused, and which row comes next."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from scrubjay.core.errors import InputError, UnknownName
from scrubjay.deciding.bo.gp import GP, expected_improvement
from scrubjay.deciding.bo.nap import NAPSpec, NeuralAcquisitionProcess
from scrubjay.deciding.bo.tune import Table, make_table, propose, read_table

GRID = [{"rate": 10.0**-e, "k": k, "kind": kind} for e in range(4) for k in (1, 3) for kind in "ab"]


def told(row: dict) -> float:
    return 0.5 - 0.1 * abs(np.log10(row["rate"]) + 2) + 0.05 * (row["kind"] == "b")


def partly(known: list[int]) -> Table:
    return make_table(GRID, [told(r) if i in known else None for i, r in enumerate(GRID)])


def test_settings_are_scaled_and_levels_numbered(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("rate,k,mode,acc\n0.001,1,on,0.5\n0.01,3,off,\n0.1,2,on, \n")
    table = read_table(path, "acc")
    assert table.kinds == (0, 0, 2)
    expected = [[0, 0, 1], [0.5, 1, 0], [1, 0.5, 1]]  # the rate spans a factor of 100: logarithm
    assert table.settings.tolist() == [pytest.approx(row) for row in expected]
    assert table.known.tolist() == [True, False, False]
    lines = [{"rate": 0.001, "k": 1, "mode": "on", "acc": 0.5}]
    lines += [{"rate": 0.01, "k": 3, "mode": "off", "acc": None}]
    lines += [{"rate": 0.1, "k": 2, "mode": "on", "acc": ""}]
    other = tmp_path / "t.jsonl"
    other.write_text("\n".join(map(json.dumps, lines)))
    assert (read_table(other, "acc").settings == table.settings).all()


def test_a_column_without_a_choice_stays_possible() -> None:
    table = make_table([{"a": 1, "b": "x"}, {"a": 1, "b": "x"}], [1.0, None])
    assert table.kinds == (0, 2)
    assert table.settings.tolist() == [[0.5, 0], [0.5, 0]]


def test_gp_ei_proposes_the_row_of_highest_improvement() -> None:
    known = [0, 3, 6, 9, 13]
    table = partly(known)
    (found,) = propose(table)
    process = GP.fit(table.settings[known], table.target[known], table.kinds)
    mean, deviation = process.predict(table.settings)
    gain = expected_improvement(mean, deviation, table.target[known].max())
    free = [i for i in range(16) if i not in known]
    best = max(free, key=lambda i: gain[i])
    assert found.row == best + 1
    assert found.settings == GRID[best]
    assert (found.mean, found.deviation) == (mean[best], deviation[best])
    assert found.improvement == gain[best]


def test_several_proposals_are_different_rows_and_find_the_best() -> None:
    known = [0, 5, 15]
    for _ in range(3):
        rows = [p.row - 1 for p in propose(partly(known), count=3)]
        assert len(set(rows)) == 3
        assert not set(rows) & set(known)
        known += rows
    truth = [told(r) for r in GRID]
    assert max(truth[i] for i in known) == max(truth)


def test_more_than_there_are_gives_all_that_are_left() -> None:
    found = propose(partly(list(range(14))), count=9)
    assert sorted(p.row for p in found) == [15, 16]


def test_without_a_history_the_order_is_random_and_nothing_is_predicted() -> None:
    rows = [propose(partly([]), seed=s)[0] for s in range(20)]
    assert len({p.row for p in rows}) > 5
    assert all(p.mean is None for p in rows)
    assert propose(partly([]), seed=1) == propose(partly([]), seed=1)


def test_equal_results_give_a_warning_and_a_random_order() -> None:
    table = make_table(GRID, [0.5, 0.5, *[None] * 14])
    with pytest.warns(UserWarning, match="all results are equal"):
        rows = {propose(table, seed=s)[0].row for s in range(20)}
    assert len(rows) > 5


def model(kinds: tuple[int, ...], head: str = "ei") -> NeuralAcquisitionProcess:
    torch.manual_seed(0)
    spec = NAPSpec(kinds, width=8, layers=1, heads=1, buckets=8, head=head)  # type: ignore[arg-type]
    return NeuralAcquisitionProcess(spec)


def test_a_nap_ranks_by_its_acquisition_in_the_targets_units() -> None:
    table, net = partly([0, 5, 15]), model((0, 0, 2))
    (found,) = propose(table, "nap", model=net, span=(0.0, 1.0))
    wide = make_table(GRID, [None if np.isnan(v) else 100 + 50 * v for v in table.target])
    (again,) = propose(wide, "nap", model=net, span=(100.0, 150.0))
    assert again.row == found.row
    assert again.mean == pytest.approx(100 + 50 * found.mean, rel=1e-5)
    assert again.deviation == pytest.approx(50 * found.deviation, rel=1e-4)
    # without a span the scale comes from what was seen, and does not depend on the units either
    (a,), (b,) = (propose(t, "nap", model=net) for t in (table, wide))
    assert a.row == b.row
    assert b.mean == pytest.approx(100 + 50 * a.mean, rel=1e-5)


def test_one_result_is_not_enough_for_units() -> None:
    (found,) = propose(partly([3]), "nap", model=model((0, 0, 2)))
    assert found.mean is None


def test_mistakes_are_told() -> None:
    table = partly([0])
    with pytest.raises(UnknownName, match="did you mean 'gp-ei'"):
        propose(table, "gpei")
    with pytest.raises(InputError, match="needs a saved model"):
        propose(table, "nap")
    with pytest.raises(InputError, match="of the kinds"):
        propose(table, "nap", model=model((0, 0)))
    with pytest.raises(InputError, match="at least one row"):
        propose(table, count=0)
    with pytest.raises(InputError, match="16 rows can't have 1"):
        make_table(GRID, [None])
    with pytest.raises(InputError, match="finite"):
        make_table(GRID, [float("inf"), *[None] * 15])
    with pytest.raises(InputError, match="nothing left"):
        propose(partly(list(range(16))))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no rows"),
        ("a,acc\n", "no rows"),
        ("a,b\n1,2\n", "no column 'acc'; there are: a, b"),
        ("acc\n1\n", "at least one column of settings"),
        ("a,acc\n1,high\n", "'acc' of row 1 is no finite number: 'high'"),
        ("a,acc\n1,nan\n", "no finite number"),
        ("a,acc\n,1\n", "the setting 'a' of row 1 is empty"),
        ("a,acc\n1,2,3\n", "more or fewer cells"),
        ("a,acc\n1\n", "more or fewer cells"),
    ],
)
def test_bad_tables_are_told(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=says):
        read_table(path, "acc")


def test_bad_lines_are_told(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    for text, says in (
        ('{"a": 1, "acc": 1}\n{"b": 1, "acc": 1}', "other columns"),
        ("[1]", "must hold an object"),
        ("{", "not JSON"),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=says):
            read_table(path, "acc")
    with pytest.raises(InputError, match="can't be read"):
        read_table(tmp_path / "none.csv", "acc")
    path = tmp_path / "bin.csv"
    path.write_bytes(b"a,acc\n\xff\xfe,1\n")
    with pytest.raises(InputError, match="can't be read"):
        read_table(path, "acc")
