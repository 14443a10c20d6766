"""``index``, ``ask`` and ``chat`` as a user meets them, with a model that answers by a table."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from scrubjay.app import cli
from scrubjay.app.asking import Reply, excerpt, reader, wrapped
from scrubjay.app.index import dumped
from scrubjay.core.errors import IndexMismatch, InputError, ModelError, ScrubjayError, UnknownName
from scrubjay.models.types import Completion

DOCS = "# Jays\n\nJays hide acorns in autumn.\n\n# Tits\n\nTits sing at dawn.\n"


class Scripted:
    """Says what ``say`` makes of the prompt."""

    name = "scripted"

    def __init__(self, say: Callable[[str], str]) -> None:
        self.say, self.prompts = say, list[str]()

    async def generate(self, prompt: Any, **_: Any) -> Completion:
        text = prompt if isinstance(prompt, str) else "\n".join(m.content for m in prompt)
        self.prompts.append(text)
        return Completion(self.say(text))

    async def score(self, prompt: Any, continuations: Any) -> Any:
        raise ModelError("gives no log-probabilities")

    async def check(self) -> None: ...
    async def close(self) -> None: ...
    def count_tokens(self, text: str) -> int:
        return len(text.split())


def scrubjay(*words: str, input: str | bytes | None = None) -> Result:
    return CliRunner().invoke(cli.app, list(words), input=input)


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/birds.md").write_text(DOCS)
    done = scrubjay("index", "build", "docs", "--out", "my.index", "--encoder", "none")
    assert done.exit_code == 0, done.output
    return "my.index"


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Scripted:
    made = Scripted(lambda prompt: "acorns" if "autumn" in prompt else "nuts")
    monkeypatch.setattr("scrubjay.models.load_model", lambda spec: made)
    return made


def test_build_says_what_it_did_and_escapes_names(index: str) -> None:
    Path("docs/a\x1b[31m\n.md").write_text("red")
    Path("docs/junk.md").write_bytes(b"\0\0")
    Path("docs/x.png").write_bytes(b"\0")
    done = scrubjay("index", "build", "docs", "--out", index, "--encoder", "none")
    assert "0 changed, 1 added, 0 removed, 1 as before, 1 skipped" in done.stdout
    assert "skipped junk.md: binary, not text" in done.stdout
    assert "passed over, not text: 1 .png" in done.stdout
    shown = scrubjay("index", "show", index, "--json").stdout
    assert [f["file"] for f in json.loads(shown)["files"]] == [
        "a\\x1b[31m\\n.md", "birds.md", "junk.md",
    ]  # fmt: skip
    found = scrubjay("index", "search", index, "red")
    assert "\x1b" not in done.stdout + found.stdout
    assert "a\\x1b[31m\\n.md:1" in found.stdout


def test_an_answer_comes_with_its_place(index: str, model: Scripted) -> None:
    done = scrubjay("ask", "What do jays hide?", "--index", index, "--why")
    assert done.exit_code == 0, done.output
    said, origin, where, title, quote, *why = done.stdout.splitlines()
    assert (said, title.strip()) == ("acorns", "Jays")
    assert origin.strip().startswith("from the documents, sure to ")
    assert where.strip() == "docs/birds.md:3"
    assert "Jays hide acorns in autumn." in quote
    assert any("judged by asking again" in line for line in why)
    assert any("the model says “nuts”" in line for line in why)
    value = json.loads(scrubjay("ask", "What do jays hide?", "--index", index, "--json").stdout)
    assert (value["answer"], value["source"]) == ("acorns", "documents")
    assert [c["place"] for c in value["citations"]] == ["docs/birds.md:3"]
    assert [c["quote"] for c in value["citations"]] == ["Jays hide acorns in autumn."]
    assert value["cost"]["searches"] == 1
    assert "why" not in value


def test_what_stands_nowhere_is_declined(index: str, model: Scripted) -> None:
    norton = "\x1b[2JEmperor Norton"
    model.say = lambda prompt: norton if "autumn" in prompt else "nuts"
    done = scrubjay("ask", "Who rules the jays?", "--index", index)
    assert done.stdout.startswith("I can't find this in the documents and don't know it.")
    assert "Norton" not in done.stdout
    assert "  docs/birds.md:3\n    Jays" in done.stdout  # where to look oneself
    value = json.loads(scrubjay("ask", "Who rules the jays?", "--index", index, "--json").stdout)
    assert (value["answer"], value["source"]) == (None, "nowhere")
    model.say = lambda prompt: norton
    remembered = scrubjay("ask", "Who rules?", "--index", index, "--agent", "closed-book")
    assert "from memory" in remembered.stdout
    assert "\x1b" not in remembered.stdout


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("ask", " ", "--index", "my.index"), InputError),
        (("ask", "x", "--index", "nowhere"), IndexMismatch),
        (("ask", "x", "--index", "my.index", "--agent", "nobody"), UnknownName),
        (("ask", "x", "--index", "my.index", "--agent", "frequent-answer"), ScrubjayError),
        (("ask", "x", "--index", "my.index", "--agent", "links-only"), ScrubjayError),
        (("chat", "--index", "docs"), IndexMismatch),
        (("index", "build", "nowhere", "--out", "x"), InputError),
        (("index", "build", "docs", "--out", "docs", "--encoder", "none"), InputError),
    ],
)
def test_mistakes_are_sentences(
    index: str, model: Scripted, words: tuple[str, ...], error: type[ScrubjayError]
) -> None:
    done = scrubjay(*words)
    assert isinstance(done.exception, error)
    assert "\n" not in str(done.exception)


def test_a_model_that_fails_half_way(index: str, model: Scripted) -> None:
    def fail(prompt: str) -> str:
        raise ModelError("the endpoint went away")

    model.say = fail
    done = scrubjay("ask", "What do jays hide?", "--index", index)
    assert isinstance(done.exception, ModelError)


def test_chat_goes_on_after_a_failure_and_rewrites_follow_ups(index: str, model: Scripted) -> None:
    def say(prompt: str) -> str:
        if "Last question" in prompt:
            return "user: When do tits sing?"
        if "broken" in prompt:
            raise ModelError("the endpoint\x1b[2J went away")
        return (
            "dawn"
            if prompt.rstrip().endswith("Question: When do tits sing?\nAnswer:")
            else "acorns"
        )

    model.say = say
    lines = ":why\nbroken\nWhat do jays hide?\n\nAnd when do tits?\n:why\n:nonsense\n:quit\nnever\n"
    done = scrubjay("chat", "--index", index, input=lines.encode() + b"\xff\n")
    assert done.exit_code == 2, done.output  # one line failed, and nobody sat there to see it
    out = done.stdout.splitlines()
    assert out[0] == "no answer yet"
    assert "went away" in done.stderr
    assert "\x1b" not in done.output
    assert out[1] == "acorns"
    assert "(When do tits sing?)" in out
    assert "dawn" in out
    assert any("docs/birds.md:7" in line for line in out)
    assert not any("never" in prompt for prompt in model.prompts)
    # The failed turn is no part of the conversation.
    (rewritten,) = [p for p in model.prompts if "Last question" in p]
    assert "jays hide" in rewritten
    assert "broken" not in rewritten


def test_chat_ends_where_the_input_ends(index: str, model: Scripted) -> None:
    assert scrubjay("chat", "--index", index, input="").exit_code == 0


def test_json_holds_no_character_that_moves_a_cursor() -> None:
    text = "\x9b2J\u202e\x7f\U000e0001ü\n"
    shown = dumped({"a": text})
    assert all(c.isprintable() or c == "\n" for c in shown)
    assert json.loads(shown) == {"a": text}


def test_the_embedded_model_reads_sentences_and_others_passages(
    index: str, model: Scripted
) -> None:
    whole = ("--agent", "one-step-rag")
    for words, agent, k in (
        ((), "focused-rag", 5),
        (("--passages", "2"), "focused-rag", 2),
        (whole, "one-step-rag", 1),
        ((*whole, "--passages", "2"), "one-step-rag", 2),
        (("--model", "other"), "one-step-rag", 5),
    ):
        done = scrubjay("ask", "What do jays hide and tits sing?", "--index", index, *words)
        assert done.exit_code == 0, done.output
        asked = model.prompts[-1].rsplit("Question: What do jays hide and tits sing?", 2)[1]
        assert asked.count("Document:") == min(k, 2)
        options = dict(zip(words[::2], words[1::2]))
        made: Any = reader(
            options.get("--agent", ""),
            options.get("--model", "smollm2-135m"),
            int(options["--passages"]) if "--passages" in options else None,
        )
        assert (made.name, made.k) == (agent, k)


def test_an_excerpt_shows_the_answer_and_says_where_it_was_cut() -> None:
    text = "One two three. " * 40 + "The default\nsize is 500. " + "Four five six. " * 40
    sentence = "The default size is 500."
    shown = excerpt(text, sentence, "500")
    assert shown.startswith(f"… {sentence} Four")
    assert shown.endswith(" …")
    assert len(shown) <= 244
    assert "500" in excerpt(text, "", "500")
    assert excerpt("Short.", "", "") == "Short."
    assert excerpt("x" * 1000, "", "y").endswith(" …")


def test_lines_fit_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    lines = wrapped("jays hide acorns " * 20, "    ")
    assert len(lines) > 5
    assert all(len(line) <= 40 and line.startswith("    ") for line in lines)
    assert wrapped("a/" * 60, "  ") == ["  " + "a/" * 60]  # a path stays one word


def test_own_questions_over_an_own_index(index: str, model: Scripted, tmp_path: Path) -> None:
    rows = [
        {"question": "What do jays hide?", "answers": ["acorns"], "file": "birds.md", "line": 3},
        {"question": "Who sings?", "answers": ["tits"], "file": "birds.md", "line": 99},
        {"question": "Who rules Brenland?"},
    ]
    Path("own.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = ("index", "evaluate", "--questions", "own.jsonl", "--index", index, "--json")
    done = scrubjay(*words, "--agents", "one-step-rag")
    assert done.exit_code == 0, done.output
    value = json.loads(done.stdout)
    assert (value["questions"], value["unanswerable"]) == (3, 1)
    (search,) = value["searches"]
    assert (search["search"], search["recall_at_10"]) == ("text", 0.5)
    (score,) = value["agents"]
    assert score["exact_match"] == 0.5
    assert [row["cited"] for row in score["answers"]] == [True, False, None]
    assert scrubjay("index", "evaluate", "--index", index).exit_code != 0
    for bad in ('{"answers": []}', '{"question": "x", "answers": "y"}', "", "nonsense"):
        Path("own.jsonl").write_text(bad)
        assert isinstance(scrubjay(*words).exception, InputError)


def test_evidence_that_quotes_a_passage_is_escaped() -> None:
    class Evidence:
        def sentences(self) -> list[str]:
            return ["it says \x1b[2J"]

    explained: Any = SimpleNamespace(evidence=Evidence())
    assert Reply("q", explained, {}, Path()).why() == ["it says \\x1b[2J"]
