"""The hand-written questions: every answer stands in the line that is named."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest

from scrubjay.core.nouns import Passage
from scrubjay.evaluation.own_files import (
    PACKAGES,
    Item,
    _score,
    is_evidence,
    load_items,
    metadata_of,
    read_items,
)

ITEMS = load_items()


def test_twenty_questions_with_an_answer_and_some_without() -> None:
    assert sum(bool(i.answers) for i in ITEMS) == 20
    assert sum(not i.answers for i in ITEMS) == 4
    assert {i.package for i in ITEMS if i.answers} <= set(PACKAGES)
    assert len({i.question for i in ITEMS}) == len(ITEMS)


@pytest.mark.parametrize("item", [i for i in ITEMS if i.answers], ids=lambda i: i.question[:40])
def test_the_evidence_line_holds_the_answer(item: Item) -> None:
    if version(item.package) != item.version:
        pytest.skip(f"{item.package} is {version(item.package)}, lines are of {item.version}")
    line = metadata_of(item.package).read_text("utf-8").split("\n")[item.line - 1].lower()
    assert any(answer.lower() in line for answer in item.answers)


@pytest.mark.parametrize(
    "path", sorted((Path(__file__).parent / "own_files").glob("*.jsonl")), ids=lambda p: p.stem
)
def test_the_questions_over_other_trees_can_be_asked(path: Path) -> None:
    items = read_items(path)
    assert sum(bool(i.answers) for i in items) == 20
    assert sum(not i.answers for i in items) == 4
    assert all(i.file and i.line for i in items if i.answers)


def test_found_means_the_line_is_in_the_passage_of_that_file() -> None:
    item = next(i for i in ITEMS if i.answers)
    path = metadata_of(item.package)
    base = path.parents[1]

    def held(file: Path, line: int, last: int) -> Passage:
        meta = {"file": str(file.relative_to(base)), "line": line, "last": last}
        return Passage("x", "text", meta=meta)

    assert is_evidence(item, held(path, item.line - 2, item.line), base)
    assert not is_evidence(item, held(path, item.line + 1, item.line + 9), base)
    assert not is_evidence(item, held(metadata_of("numpy"), 1, 10_000), base)
    page = Passage("y", "text", meta={"file": "a.pdf", "page": 3})
    assert is_evidence(Item("q", ("a",), file="a.pdf"), page, base)
    assert not is_evidence(Item("q", ("a",), file="a.pdf", line=3), page, base)


def test_scores_by_hand() -> None:
    items = [Item("a", ("x",)), Item("b", ("y",)), Item("c", ())]
    rows = [
        {"em": 1.0, "f1": 1.0, "declined": False, "cited": True, "calls": 1},
        {"em": 0.0, "f1": 0.5, "declined": True, "cited": False, "calls": 1},
        {"em": None, "f1": None, "declined": True, "cited": None, "calls": 4},
    ]
    score = _score("agent", items, rows)
    assert (score.cited, score.exact_match, score.f1) == (1.0, 0.5, 0.75)
    assert (score.declined, score.wrongly_declined, score.calls) == (1.0, 0.5, 2.0)
    assert score.low is not None
    assert score.high is not None
    assert 0.5 <= score.low <= 0.75 <= score.high <= 1.0
    assert _score("agent", items[2:], rows[2:]).f1 is None
