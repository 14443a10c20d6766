"""Statutes: pairs of clauses, the gap between case and clause, and what a corpus holds."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrubjay.core.randomness import stream
from scrubjay.worlds.statutes import StatuteWorld, cited

WORLD = StatuteWorld(4, 10, seed=1)


def content(text: str) -> set[str]:
    few = {"a", "an", "of", "in", "the", "for", "at", "on", "with", "to", "and"}
    return {w.lower() for w in text.split() if w.isalpha()} - few


def test_every_clause_stands_in_two_codes_under_titles_of_its_own() -> None:
    counts = Counter((a.act, a.object, a.circumstance) for a in WORLD.articles)
    assert min(counts.values()) >= 2
    assert len({p.title for p in WORLD.passages}) == len(WORLD.passages) == 40
    assert len({p.id for p in WORLD.passages}) == 40


@given(st.integers(0, 39), st.integers(0, 1000))
def test_the_gap_is_what_it_says(at: int, seed: int) -> None:
    article = WORLD.articles[at]
    told = content(f"{WORLD.title(article)} {WORLD.clause(article)}")
    far = WORLD.case(article, 1.0, stream(seed, "far"))
    near = WORLD.case(article, 0.0, stream(seed, "near"))
    assert not content(far) & told
    terms = {WORLD.acts[article.act], WORLD.objects[article.object], WORLD.codes[article.code]}
    assert terms <= set(near.split())


def test_worlds_share_no_term_but_everyday_words() -> None:
    other = StatuteWorld(4, 10, seed=2)
    assert not {*WORLD.codes, *WORLD.acts, *WORLD.objects} & {*other.codes, *other.objects}
    assert StatuteWorld(4, 10, seed=1).passages == WORLD.passages


def test_the_corpus_holds_all_articles_and_no_question() -> None:
    corpus = WORLD.corpus(3)
    assert len(corpus) == 40 * 4
    assert all(cited(text) for text in corpus)
    text = "\n".join(corpus)
    questions = WORLD.questions(50, 0.5)
    assert sum(q.text in text for q in questions) <= 2  # a case may come up twice by chance
    by_id = {p.id: p for p in WORLD.passages}
    assert all(by_id[q.gold[0]].title == q.answers[0] for q in questions)


def test_citations_are_read() -> None:
    assert cited(WORLD.passages[3].title) == (WORLD.articles[3].number, WORLD.codes[0])
    assert cited("Article of the Velm Code") is None


def test_odd_numbers_of_codes_are_refused() -> None:
    with pytest.raises(ValueError, match="even"):
        StatuteWorld(3)
