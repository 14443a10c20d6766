"""Chains by hand: sentences that hang together, halves that must not pass for wholes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scrubjay.agents.provenance_chain import LONGEST, chain
from scrubjay.agents.provenance_support import MOST, weighed
from scrubjay.core import Passage

OSSA = Passage("o", "Ossa is a city. Ossa lies in Brenland. It has 3 lakes.", "Ossa")
BREN = Passage("b", "Brenland is old. The capital of Brenland is Torvik.", "Brenland")
CROM = Passage("c", "Crom is old. The capital of Crom is Baal.", "Crom")
ASKED = "What is the capital of the country in which Ossa lies?"


def texts(question: str, answer: str, passages: list[Passage]) -> list[str]:
    return [s.text for s in chain(question, answer, passages).said]


def test_the_chain_runs_from_the_answer_to_the_name_asked_about() -> None:
    for order in ([OSSA, BREN, CROM], [CROM, BREN, OSSA]):
        found = chain(ASKED, "Torvik", order)
        assert [s.text for s in found.said] == [
            "The capital of Brenland is Torvik.",
            "Ossa lies in Brenland.",
        ]
        assert found.places == ("b", "o")
        assert (found.named, found.gap) == (1.0, 0.0)


def test_half_a_chain_explains_less_and_says_so() -> None:
    whole = chain(ASKED, "Torvik", [OSSA, BREN, CROM])
    without_start = chain(ASKED, "Torvik", [BREN, CROM])
    assert without_start.covered < 0.6 * whole.covered
    assert without_start.named == 0.0
    assert chain(ASKED, "Torvik", [OSSA, CROM]).said == ()  # nothing says Torvik
    other = chain(ASKED, "Baal", [OSSA, BREN, CROM])  # said, but Crom hangs together with nothing
    assert other.places == ("c",)
    assert other.named == 0.0
    assert other.gap > 0.2


def test_a_word_asked_twice_has_to_be_said_twice() -> None:
    asked = "What is the nearest larger city to the nearest larger city to Ossa?"
    first = Passage("1", "From Ossa, the nearest larger city is Mar.", "Ossa")
    second = Passage("2", "From Mar, the nearest larger city is Pell.", "Mar")
    assert chain(asked, "Pell", [first, second]).covered == pytest.approx(1.0)
    assert chain(asked, "Pell", [first, second]).places == ("2", "1")
    assert chain(asked, "Mar", [first]).covered < 0.8


def test_a_title_stands_in_for_a_name_that_its_text_leaves_out() -> None:
    bren = Passage("b", "The capital is Torvik.", "Brenland")
    assert texts(ASKED, "Torvik", [OSSA, bren]) == [
        "Brenland: The capital is Torvik.",
        "Ossa lies in Brenland.",
    ]


def test_a_capital_that_only_begins_a_sentence_is_no_name() -> None:
    one = Passage("1", "Some people pay with the Dorn.")
    two = Passage("2", "Some people live in Ossa.")
    found = chain("With what do people in Ossa pay?", "Dorn", [one, two])
    assert found.places == ("1",)


@pytest.mark.parametrize(
    ("question", "answer"), [("", "Torvik"), (ASKED, ""), ("?", "!"), ("", "")]
)
def test_nothing_asked_or_nothing_said_has_no_chain(question: str, answer: str) -> None:
    assert chain(question, answer, [OSSA, BREN]).said == ()
    assert chain(question, answer, []).covered == 0.0


@settings(max_examples=60, deadline=None)
@given(
    st.text(max_size=60),
    st.text(max_size=10),
    st.lists(st.tuples(st.text(max_size=80), st.text(max_size=8)), max_size=5),
)
def test_shares_stay_shares_whatever_the_text(
    question: str, answer: str, pages: list[tuple[str, str]]
) -> None:
    found = chain(question, answer, [Passage(str(i), t, n) for i, (t, n) in enumerate(pages)])
    for share in (found.covered, found.named, found.gap):
        assert 0.0 <= share <= 1.0 + 1e-9
    assert len(found.said) <= LONGEST


def test_a_long_text_is_looked_through_quickly_and_its_chain_found() -> None:
    noise = " ".join(f"Lake {i} of Crom is deep." for i in range(4000))
    pages = [Passage("n", noise, "Lakes"), OSSA, BREN]
    assert chain(ASKED, "Torvik", pages).places == ("b", "o")


def test_a_passage_of_the_chain_is_weighed_though_it_holds_no_answer() -> None:
    loud = [
        Passage(f"p{i}", f"The capital of the country {i} lies in which country?") for i in range(9)
    ]
    kept = {p.id for p in weighed(ASKED, "Torvik", [*loud, OSSA, BREN])}
    assert {"o", "b"} <= kept
    assert len(kept) == MOST
