"""Multilingual RAG: languages, queries that cross, gate, guard, answers in the user's language."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.agents.scripted import Scripted

from scrubjay.agents import MultilingualRAG, Session, make_agent
from scrubjay.agents.multilingual import ByGlossary, ByModel
from scrubjay.agents.plain_words import plain, plain_words
from scrubjay.agents.quoting import candidates, quote
from scrubjay.agents.support import evidence, stated, supported, tokens
from scrubjay.core import Generated, Hit, InputError, Noted, Passage, Question, Source
from scrubjay.retrieval.glossary import Glossary

PAGES = [
    Passage("b", "Coul is the capital of Brandador. 8,516,543 people live there.", "Brandador"),
    Passage("m", "Velm is the capital of Maxwell.", "Maxwell"),
]
NAMES = Glossary({"de": {"Brandadorien": "Brandador", "Kuhl": "Coul"}})
GERMAN = Question("q", "Wie heißt die Hauptstadt dieses Landes: Brandadorien?", ("Kuhl",), "recall")


class Exact:
    """Finds the pages whose title stands in the query; all if none does."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def search(self, query: str, k: int = 5, where: str | None = None) -> list[Hit]:
        self.asked.append(query)
        best = [p for p in PAGES if p.title in query.replace("?", "").split()] or PAGES[::-1]
        return [Hit(p, 1.0, i) for i, p in enumerate(best[:k])]


def ask(agent: MultilingualRAG, text: str, *lines: str) -> tuple[str, Exact, Scripted, Session]:
    shelf, model = Exact(), Scripted([*lines])
    session = Session(model, shelf)
    answer = asyncio.run(agent.answer(Question("q", text), session))
    return answer.text, shelf, model, session


def test_german_in_english_documents_german_out() -> None:
    agent = MultilingualRAG(NAMES, route="translate", k=1)
    text, shelf, model, session = ask(agent, GERMAN.text, "Coul")
    assert text == "Kuhl"
    assert shelf.asked == ["capital country: Brandador?"]
    assert "Question: capital country: Brandador?" in model.asked[0]
    assert "Hauptstadt" not in model.asked[0]
    assert session.trace.cost.searches == 1


def test_routes() -> None:
    def asked(route: str, text: str = GERMAN.text, **more: object) -> list[str]:
        agent = MultilingualRAG(NAMES, route=route, **more)  # type: ignore[arg-type]
        return ask(agent, text, "Coul")[1].asked

    assert asked("direct") == [GERMAN.text]
    assert asked("both") == [GERMAN.text, "capital country: Brandador?"]
    english = "What is the capital of Brandador?"
    assert asked("both", english) == [english]
    assert asked("direct", unsure=1.1) == asked("both")  # unsure of the language: both


def test_names_only() -> None:
    agent = MultilingualRAG(NAMES, ByGlossary(NAMES, words=False), route="translate")
    asked = ask(agent, GERMAN.text, "Coul")[1].asked
    assert asked == ["Wie heißt die Hauptstadt dieses Landes: Brandador?"]


def test_a_model_translates_and_answers_and_is_counted() -> None:
    agent = MultilingualRAG(NAMES, ByModel(), route="translate", writer="model", k=1)
    text, shelf, model, session = ask(
        agent, GERMAN.text, "What is the capital of Brandador? <search>", "Kuhl"
    )
    assert text == "Kuhl"  # 'Coul' to the guard, which reads the documents' language
    assert shelf.asked[0].startswith("What is the capital of Brandador?")
    assert "<search>" not in shelf.asked[0]
    assert session.trace.cost.calls == 2
    assert "Answer (German):" in model.asked[1]


def test_what_is_not_in_the_documents_is_declined_in_the_users_language() -> None:
    agent = MultilingualRAG(NAMES, k=1)
    session = Session(Scripted(["Paris"]), Exact())
    answer = asyncio.run(agent.answer(GERMAN, session))
    assert answer.text == "Dazu steht nichts in den Dokumenten."
    assert (answer.source, answer.confidence, answer.citations) == (Source.NOWHERE, 0.0, ())
    free = MultilingualRAG(NAMES, k=1, guard=False)
    assert ask(free, GERMAN.text, "Paris")[0] == "Paris"


def test_the_gate_declines_before_the_model_is_asked() -> None:
    agent = MultilingualRAG(NAMES, least={"de": 0.9, "fr": 0.0})
    text, _, model, session = ask(agent, "Welcher Fluss fließt durch Torvik?", "Coul")
    assert text == "Dazu steht nichts in den Dokumenten."
    assert model.asked == []
    assert any("too little" in s.text for s in session.trace if isinstance(s, Noted))
    assert ask(MultilingualRAG(NAMES, least=0.6, k=1), GERMAN.text, "Coul")[0] == "Kuhl"


@pytest.mark.parametrize("text", ["", "  \n", "???", "жжж", "Brandadorien"])
def test_no_question_is_an_error(text: str) -> None:
    answer = asyncio.run(
        MultilingualRAG(NAMES).answer(Question("q", text), Session(Scripted(["Coul"]), Exact()))
    )
    assert answer.text


def test_a_language_detector_of_ones_own() -> None:
    from scrubjay.models.languages import Detected

    agent = MultilingualRAG(NAMES, detect=lambda text: Detected("de", 1.0), route="translate")
    assert ask(agent, "Brandadorien", "Coul")[1].asked == ["Brandador"]


def test_quoting_needs_no_model() -> None:
    agent = MultilingualRAG(NAMES, writer="quote", k=1)
    answer = asyncio.run(agent.answer(GERMAN, Session(None, Exact())))
    assert (answer.text, answer.citations) == ("Kuhl", ("b",))
    assert answer.trace.cost.calls == 0
    known = Glossary({"de": {"Kell Frank": "Kell franc"}})
    told = "The Kell franc is the money of Saint Ems and Vorland, of 9,269 people in Bad Homburg."
    found = list(candidates(told, known))
    assert found == ["Kell franc", "Saint Ems and Vorland", "9,269", "Bad Homburg"]
    assert quote("What money has Bad Homburg?", [Passage("p", told)], known) == "Kell franc"
    assert quote("money", [], known) == ""
    flat = Passage("p", "Vorland is a country. Coul lies in Vorland.", "Vorland")
    assert quote("country: Vorland?", [flat], known) == "Coul"  # the first sentence adds nothing
    assert quote("Where is Vorland?", [Passage("p", "Vorland is a country.")], known) == ""


def test_support_by_hand() -> None:
    assert tokens("São Tomé: 1.234.567") == ["sao", "tome", "1234567"]
    assert stated("the city of Coul") == {"coul"}
    assert stated("no idea") == {"no", "idea"}
    assert supported("8 516 543", PAGES[:1])
    assert supported("Coul, Brandador", PAGES)
    assert not supported("Coul, Maxwell", PAGES)  # no single passage holds both
    assert not supported("", PAGES)
    assert evidence("capital Brandador", PAGES) == 1
    assert evidence("capital Torvik", PAGES) == 0.5
    assert evidence("", PAGES) == evidence("x", []) == 0


@given(st.text(max_size=40))
def test_a_text_supports_itself(text: str) -> None:
    assert supported(text, [Passage("p", text)]) == bool(tokens(text))


LONG = "The keys, which Kalen Brusk keeps in Torvik, go back within 14 days unless it is renewed."


@pytest.mark.parametrize(
    ("said", "taken"),
    [
        ("Kalen Brusk keeps the keys in Torvik. They go back within 14 days.", True),
        ("Kalen Brusk keeps the keys in Torvik. They go back within 15 days.", False),
        ("Someone keeps the keys in Torvik. They go back within 14 days.", False),
        (LONG, False),
        ("", False),
    ],
)
def test_plain_words_keep_names_and_numbers(said: str, taken: bool) -> None:
    assert not plain(LONG)
    session = Session(Scripted([said]))
    assert asyncio.run(plain_words(LONG, "English", session)) == (said if taken else LONG)
    assert session.trace.cost.calls == 1


def test_what_is_plain_costs_nothing() -> None:
    session = Session(None)
    assert asyncio.run(plain_words("Coul.", "English", session)) == "Coul."
    agent = MultilingualRAG(NAMES, plain=True, k=1)
    _, _, _, asked = ask(agent, GERMAN.text, "Coul")
    assert sum(isinstance(s, Generated) for s in asked.trace) == 1


def test_registered_with_ones_own_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SCRUBJAY_GLOSSARY", raising=False)
    agent = make_agent("multilingual-rag", None)
    assert isinstance(agent, MultilingualRAG)
    assert agent.glossary.localise("Germany", "fr") == "Allemagne"
    (tmp_path / "g.csv").write_text("language,local,name\nde,Lager Nord,Northern depot\n")
    monkeypatch.setenv("SCRUBJAY_GLOSSARY", str(tmp_path / "g.csv"))
    own = make_agent("multilingual-rag", None)
    assert isinstance(own, MultilingualRAG)
    assert own.glossary.translate("Lager Nord in Frankreich", "de") == "Northern depot France"
    (tmp_path / "g.csv").write_text("language,local,name\nde,,Northern depot\n")
    with pytest.raises(InputError, match=r"g\.csv:2"):
        make_agent("multilingual-rag", None)
