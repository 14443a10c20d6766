"""Agents side by side: means by hand, worlds kept apart, the same table in any order."""

import random
from dataclasses import replace

import pytest

from scrubjay.core.errors import InputError
from scrubjay.core.figures import draw
from scrubjay.evaluation.compare import compare_figure, compare_table
from scrubjay.evaluation.compare_page import command, write_page
from scrubjay.evaluation.runs import Record


def record(setting, world, question, f1, tokens=100, searches=0, recall=None, task="recall"):
    scores = {"f1": f1, "em": float(f1 == 1)} | ({} if recall is None else {"recall": recall})
    cost = {"tokens_in": tokens - 10, "tokens_out": 10, "calls": 2, "searches": searches}
    return Record(setting, world, question, task, "g", "?", ("a",), "b", scores, cost=cost)


RECORDS = [
    record("closed-book", "real", "q1", 1.0),
    record("closed-book", "real", "q2", 0.0),
    record("closed-book", "twin-0", "q1", 0.0),
    record("closed-book", "twin-1", "q1", 0.5),
    record("dragin", "real", "q1", 0.5, tokens=400, searches=3, recall=0.5),
    record("dragin", "real", "q2", 1.0, tokens=600, searches=1, recall=1.0),
]


def test_means_by_hand():
    rows = {(r.setting, r.world): r for r in compare_table(RECORDS)}
    assert set(rows) == {("closed-book", "real"), ("closed-book", "twin"), ("dragin", "real")}
    closed, twin, dragin = (
        rows["closed-book", "real"],
        rows["closed-book", "twin"],
        rows["dragin", "real"],
    )
    assert (closed.f1, closed.recall, closed.searches, closed.tokens) == (0.5, None, 0, 100)
    assert (twin.f1, twin.n) == (0.25, 2)
    assert (dragin.f1, dragin.recall, dragin.searches, dragin.tokens) == (0.75, 0.75, 2, 500)
    assert dragin.calls == 2
    assert dragin.low is not None
    assert dragin.low <= 0.75 <= dragin.high


def test_the_order_of_answers_does_not_matter():
    mixed = RECORDS[:]
    random.Random(1).shuffle(mixed)
    assert compare_table(mixed) == compare_table(RECORDS)


def test_what_has_no_f1_is_left_out():
    walk = Record("links-only", "real", "q", "navigation", "g", "?", (), "", {"success": 1.0})
    assert compare_table([walk]) == []


def test_the_figure_is_drawn(tmp_path):
    figure = compare_figure(compare_table(RECORDS))
    draw(figure, tmp_path / "a.svg")
    picture = (tmp_path / "a.svg").read_text()
    assert "<svg" in picture
    assert "dragin" in picture
    draw(figure, tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(InputError, match=r"\.svg, \.png or \.json, not 'a\.gif'"):
        draw(figure, tmp_path / "a.gif")


def test_true_sources_by_construction_and_the_share_named_right():
    """Closed book knows q1 only; the agent found the gold of q1 and q2, not of q3 and q4."""

    def said(question, em, recall, source):
        made = record("rag", "real", question, float(em), recall=recall)
        return replace(made, source=source)

    closed = [
        replace(record("closed-book", "real", q, float(q == "q1")), source="memory")
        for q in ("q1", "q2", "q3", "q4", "q5")
    ]
    rag = [
        said("q1", 1, 1.0, "both"),  # right
        said("q2", 1, 1.0, "both"),  # it is from documents
        said("q3", 0, 0.5, "nowhere"),  # right: half of the gold is not enough
        said("q4", 1, 0.0, "documents"),  # a lucky answer: from nowhere
        said("q5", 0, 1.0, "documents"),  # misread: no true source
    ]
    rows = {r.setting: r for r in compare_table([*closed, *rag])}
    assert (rows["rag"].sources, rows["rag"].sourced) == (0.5, 4)
    assert rows["rag"].majority == 0.5  # both, documents, nowhere, nowhere
    assert rows["closed-book"].majority == 0.8
    # Memory where it is right; elsewhere nothing holds, and 'memory' is wrong.
    assert (rows["closed-book"].sources, rows["closed-book"].sourced) == (0.2, 5)
    (alone,) = compare_table(rag)  # without closed book nothing is known
    assert (alone.sources, alone.sourced, alone.majority) == (None, 0, None)


def test_the_page_links_the_figure_and_names_the_command(tmp_path):
    settings = {
        "world": "atlas", "model": "m", "settings": ["closed-book", "dragin"], "tasks": ["recall"],
        "questions": 4, "twins": 1, "seed": 0, "encoder": "", "sources": True,
    }  # fmt: skip
    rows = compare_table(RECORDS)
    write_page(rows, settings, tmp_path / "docs/a.md", tmp_path / "results/a.svg")
    text = (tmp_path / "docs/a.md").read_text()
    assert "](../results/a.svg)" in text
    assert "| dragin | real | 0.75" in text
    assert "--settings closed-book,dragin" in command(settings)
    assert command(settings).endswith("--sources")
    with pytest.raises(InputError, match=r"ends in \.md"):
        write_page(rows, settings, tmp_path / "a.txt")
