"""The literature world: time, citations by facets, sentences that are broken on purpose."""

from __future__ import annotations

import datetime

from scrubjay.worlds.literature import KINDS, LiteratureWorld, word_overlap

WORLD = LiteratureWorld.make(3, 300)


def test_the_same_seed_gives_the_same_papers_and_another_gives_others() -> None:
    assert LiteratureWorld.make(3, 300) == WORLD
    assert LiteratureWorld.make(4, 300) != WORLD
    assert len({p.name for p in WORLD.papers}) == 300


def test_a_paper_cites_earlier_papers_on_its_task_only() -> None:
    for paper in WORLD.papers:
        for cited in map(WORLD.by_id, paper.references):
            assert cited.date <= paper.date
            assert cited.id < paper.id
            assert cited.facets.task == paper.facets.task
    assert all(p.references for p in WORLD.papers[-50:])


def test_papers_with_the_same_method_are_cited_more_often() -> None:
    cited, passed = [], []
    for paper in WORLD.papers[150:]:
        for other in WORLD.papers:
            if other.id < paper.id and other.facets.task == paper.facets.task:
                same = other.facets.method == paper.facets.method
                (cited if other.id in paper.references else passed).append(same)
    assert sum(cited) / len(cited) > sum(passed) / len(passed)


def test_many_references_share_no_word_of_the_task() -> None:
    overlaps = [
        word_overlap(WORLD.by_id(i).title.split(": ")[1].split(" with ")[0], p.abstract)
        for p in WORLD.papers
        for i in p.references
    ]
    none = sum(x == 0 for x in overlaps) / len(overlaps)
    assert 0.3 < none < 0.9


def test_the_split_is_by_date() -> None:
    old, new = WORLD.split(datetime.date(2021, 1, 1))
    assert len(old) + len(new) == 300
    assert max(p.date for p in old) < datetime.date(2021, 1, 1) <= min(p.date for p in new)


def test_planted_sentences_are_true_or_broken_in_one_way() -> None:
    paper = WORLD.papers[-1]
    cases = {case.kind: case for case in WORLD.planted([paper])}
    right = cases["right"].sentence
    assert tuple(cases) == KINDS
    assert paper.name in right
    assert paper.percent in right
    assert cases["shuffled"].paper.facets.task != paper.facets.task
    assert paper.percent not in cases["number"].sentence
    assert paper.name not in cases["name"].sentence
    changed = set(cases["opposite"].sentence.split()) ^ set(right.split())
    assert len(changed) == 2
