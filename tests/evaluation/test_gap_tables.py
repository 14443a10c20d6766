"""The gap, its reduction and its decomposition, on tables worked out by hand."""

import json
import random

import pytest

from scrubjay.evaluation.gap import (
    base_setting,
    decomposition,
    gap_table,
    group_table,
    reduction_table,
    table_json,
    write_tables,
)
from scrubjay.evaluation.runs import Record, Run


def record(setting, world, item, value, *, task="recall", metric="f1", group="g", searches=0):
    return Record(
        setting=setting,
        world=world,
        question=f"q{item:04}",
        task=task,
        group=group,
        text="?",
        gold=("x",),
        prediction="x",
        scores={metric: float(value)},
        index=item,
        cost={"searches": searches},
    )


def column(setting, world, values, **more):
    return [record(setting, world, i, v, **more) for i, v in enumerate(values)]


def only(rows):
    assert len(rows) == 1
    return rows[0]


def test_a_gap_by_hand():
    rows = gap_table(
        column("closed-book", "real", [1, 1, 0, 1]) + column("closed-book", "twin-0", [0, 0, 0, 1])
    )
    row = only(rows)
    assert (row.setting, row.task, row.metric) == ("closed-book", "recall", "f1")
    assert (row.real, row.twin, row.gap, row.n) == (0.75, 0.25, 0.5, 4)
    assert row.low <= row.gap <= row.high
    assert " ".join(row.as_dict()) == "setting task metric real twin gap low high n"


def test_several_twins_are_averaged():
    row = only(
        gap_table(
            column("closed-book", "real", [1, 1])
            + column("closed-book", "twin-0", [0, 1])
            + column("closed-book", "twin-1", [0, 0])
        )
    )
    assert (row.real, row.twin, row.gap, row.n) == (1.0, 0.25, 0.75, 2)


def test_only_items_answered_everywhere_count():
    records = column("closed-book", "real", [1, 1, 1]) + column("closed-book", "twin-0", [0, 1])
    assert only(gap_table(records)).n == 2
    assert gap_table(column("closed-book", "real", [1, 1])) == []
    assert gap_table([]) == []


def test_swapped_worlds_flip_the_sign():
    rng = random.Random(0)
    known = [float(rng.random() < 0.6) for _ in range(120)]
    unknown = [float(rng.random() < 0.1) for _ in range(120)]
    one = only(
        gap_table(column("closed-book", "real", known) + column("closed-book", "twin-0", unknown))
    )
    other = only(
        gap_table(column("closed-book", "real", unknown) + column("closed-book", "twin-0", known))
    )
    assert one.low > 0
    assert other.high < 0
    assert one.gap == -other.gap


def test_reduction_by_hand_and_paired():
    records = (
        column("closed-book", "real", [1, 1, 1, 0])
        + column("closed-book", "twin-0", [0, 0, 0, 0])
        + column("reading", "real", [1, 1, 0, 1])
        + column("reading", "twin-0", [1, 0, 0, 1])
    )
    row = only(reduction_table(records))
    # Gaps per item: 1 1 1 0 without help, 0 1 0 0 with; the difference is 1 0 1 0.
    assert (row.setting, row.base, row.reduction, row.n) == ("reading", "closed-book", 0.5, 4)
    assert -2 <= row.low <= row.reduction <= row.high <= 2


def test_an_aid_that_widens_the_gap_has_a_negative_reduction():
    base = [1.0] * 5 + [0.0] * 35
    records = (
        column("closed-book", "real", base)
        + column("closed-book", "twin-0", [0.0] * 40)
        + column("one-step-rag", "real", [1.0] * 30 + [0.0] * 10)
        + column("one-step-rag", "twin-0", [0.0] * 40)
    )
    row = only(reduction_table(records))
    assert row.reduction == pytest.approx(-25 / 40)
    assert row.high < 0


def test_each_kind_of_setting_has_its_own_base():
    assert base_setting("recall") == base_setting("multihop", "ircot") == "closed-book"
    assert base_setting("navigation", "content-links") == "links-only"
    assert base_setting("recall", "reading-ranking") == "closed-book-ranking"


def test_groups_partition_the_items():
    real = column("closed-book", "real", [1, 1], group="a")
    real += [record("closed-book", "real", 2, 0, group="b")]
    twin = column("closed-book", "twin-0", [0, 1], group="a")
    twin += [record("closed-book", "twin-0", 2, 1, group="b")]
    rows = {r.group: r for r in group_table(real + twin)}
    assert {g: (r.gap, r.n) for g, r in rows.items()} == {"a": (0.5, 2), "b": (-1.0, 1)}


def test_decomposition_by_hand():
    records = (
        column("closed-book", "real", [1, 0, 0, 0])
        + column("closed-book", "twin-0", [0, 0, 0, 0])
        + column("reading", "real", [1, 1, 1, 0])
        + column("reading", "twin-0", [1, 1, 0, 0])
        + column("one-step-rag", "real", [1, 1, 0, 0], searches=1)
        + column("one-step-rag", "twin-0", [1, 0, 0, 0], searches=1)
        + column("frequent-answer", "real", [0, 0, 0, 1])
        + column("frequent-answer", "twin-0", [0, 0, 0, 0])
    )
    assert {(r.setting, r.what): r.value for r in decomposition(records)} == {
        ("reading", "reasoning"): 0.5,
        ("reading", "memory beside evidence"): 0.25,
        ("reading", "reading, real"): 0.5,
        ("reading", "reading, twin"): 0.5,
        ("one-step-rag", "looking up, real"): 0.25,
        ("one-step-rag", "looking up, twin"): 0.25,
    }


def test_a_metric_that_only_successes_have_is_paired_on_those():
    def walk(world, item, steps):
        ratio = {} if steps is None else {"steps_over_shortest": float(steps)}
        r = record("links-only", world, item, steps is not None, task="navigation")
        return Record(**{**_fields(r), "scores": {"success": float(bool(ratio)), **ratio}})

    rows = {
        r.metric: r
        for r in gap_table(
            [walk("real", i, s) for i, s in enumerate([1, 2, None])]
            + [walk("twin-0", i, s) for i, s in enumerate([3, None, None])]
        )
    }
    assert (rows["success"].n, rows["steps_over_shortest"].n) == (3, 1)
    assert rows["steps_over_shortest"].gap == -2
    # One value of an unbounded ratio has no interval: null in the table, not a made-up number.
    assert rows["steps_over_shortest"].low is None


def test_tables_do_not_depend_on_the_order_of_arrival():
    rng = random.Random(1)
    records = [
        record(s, w, i, rng.random(), group=str(i % 3))
        for s in ("closed-book", "reading")
        for w in ("real", "twin-0", "twin-1")
        for i in range(30)
    ]
    shuffled = list(records)
    rng.shuffle(shuffled)
    for table in (gap_table, group_table, reduction_table, decomposition):
        assert table_json(table(records)) == table_json(table(shuffled))


def test_written_tables_are_lists_of_rounded_rows(tmp_path):
    with Run.open(tmp_path / "run", {}) as run:
        run.add("a", column("closed-book", "real", [1 / 3, 1, 0]))
        run.add("b", column("closed-book", "twin-0", [0, 1, 0]))
        rows = write_tables(run)
    stored = json.loads((tmp_path / "run" / "gap.json").read_text())
    assert stored == [r.as_dict() for r in rows]
    assert stored[0]["gap"] == 0.111111
    for name in ("groups", "reduction", "decomposition"):
        assert isinstance(json.loads((tmp_path / "run" / f"{name}.json").read_text()), list)


def test_an_unfinished_run_gives_empty_tables(tmp_path):
    with Run.open(tmp_path / "run", {}) as run:
        assert write_tables(run) == []
    assert json.loads((tmp_path / "run" / "gap.json").read_text()) == []


def _fields(r):
    return {name: getattr(r, name) for name in r.__dataclass_fields__}
