"""The command: bad input in one sentence, a killed review, what ends up in the files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from scrubjay.agents.review import assistant
from scrubjay.app.cli import app
from scrubjay.core import ScrubjayError
from scrubjay.worlds.literature import LiteratureWorld

WORLD = LiteratureWorld.make(5, 60)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SCRUBJAY_CACHE", str(tmp_path / "cache"))
    records = [
        {"id": p.id, "title": p.title, "abstract": p.abstract, "date": p.date.isoformat()}
        for p in WORLD.papers[:-1]
    ]
    lines = [json.dumps(r) for r in [*records, {"id": "bare", "title": "Bare"}]]
    (tmp_path / "papers.jsonl").write_text("\n".join(lines) + "\n")
    new = WORLD.papers[-1]
    (tmp_path / "new.txt").write_text(f"# {new.title}\n{new.abstract}\n")
    return tmp_path


def run(files: Path, *options: str, abstract: str = "new.txt") -> Any:
    library = [] if "--library" in options else ["--library", str(files / "papers.jsonl")]
    always = ["--model", "none", "--encoder", "none", "--abstract", str(files / abstract)]
    return CliRunner().invoke(app, ["review", *always, *library, *options])


def test_a_review_without_a_model_quotes_and_lists(files: Path) -> None:
    out = files / "review.md"
    done = run(files, "--json", "--papers", "3", "--before", "2021", "--out", str(out))
    assert done.exit_code == 0
    value = json.loads(done.stdout)
    held = {p.id: p for p in WORLD.papers}
    assert [r["n"] for r in value["references"]] == [1, 2, 3]
    for clause in value["clauses"]:
        paper = held[value["references"][clause["paper"] - 1]["id"]]
        assert clause["text"].strip("“”") in paper.abstract
        assert paper.date.year < 2021
    assert value["left_out"]["without_abstract"] == ["bare"]
    assert set(value["left_out"]["too_new"]) == {
        p.id for p in WORLD.papers[:-1] if p.date.year >= 2021
    }
    text = out.read_text()
    assert text.startswith("## Related work\n\n“")
    assert "[3].\n\n## References" in text
    assert "1 without an abstract" in text


def test_a_killed_review_goes_on_with_the_steps_it_has(
    files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(files, "--json", "--papers", "4").stdout
    made: list[int] = []
    original = assistant.GroundedWriter.clause

    async def dying(self: Any, session: Any, number: int, paper: Any) -> Any:
        made.append(number)
        if len(made) == 3:
            raise ScrubjayError("killed")
        return await original(self, session, number, paper)

    monkeypatch.setenv("SCRUBJAY_CACHE", str(files / "other"))
    monkeypatch.setattr(assistant.GroundedWriter, "clause", dying)
    assert isinstance(run(files, "--json", "--papers", "4").exception, ScrubjayError)
    (steps,) = (files / "other" / "reviews").rglob("steps.jsonl")
    with open(steps, "a") as file:
        file.write('{"step": "clau')  # killed while writing
    again = run(files, "--json", "--papers", "4")
    assert again.stdout == whole
    assert len(made) < 4 + 3


def test_a_plan_decides_what_is_cited_where(files: Path) -> None:
    plan = "2 sentences, cite [2] [1] in line 1, cite [3] in line 2"
    value = json.loads(run(files, "--json", "--plan", plan).stdout)
    assert [c["paper"] for c in value["clauses"]] == [2, 1, 3]
    assert "[2]; “" in value["text"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--before", "soon"], "'soon' is not a day"),
        (["--before", "1900"], "holds no paper that is surely older than 1900"),
        (["--order", "best"], "there is no order 'best'"),
        (["--plan", "1 sentence, cite [9] in line 1"], "there are 6 papers"),
        (["--library", "nowhere.bib"], "there is no such library"),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_nothing(
    files: Path, options: list[str], message: str
) -> None:
    out = files / "out.md"
    done = run(files, *options, "--out", str(out))
    assert isinstance(done.exception, ScrubjayError)
    assert message in str(done.exception)
    assert "\n" not in str(done.exception)
    assert not out.exists()


@pytest.mark.parametrize("text", ["", " \n", "# Only a title\n", "…"])
def test_an_empty_abstract_is_refused(files: Path, text: str) -> None:
    (files / "empty.txt").write_text(text)
    done = run(files, abstract="empty.txt")
    assert "the abstract is empty" in str(done.exception)


def test_a_malformed_library_is_named_with_its_line(files: Path) -> None:
    (files / "l.bib").write_text("@a{x, title = {y}}\n@a{x, title = {z}}\n")
    done = run(files, "--library", str(files / "l.bib"))
    assert str(done.exception).endswith("l.bib:2: the key 'x' is used already in line 1")


def test_titles_can_t_speak_markdown(files: Path) -> None:
    record = {"id": "x", "title": "<b>a</b> [l](http://x) \x1b[2J", "abstract": "Jays hide acorns."}
    (files / "one.jsonl").write_text(json.dumps(record) + "\n")
    (files / "jays.txt").write_text("Jays hide acorns in autumn.")
    done = run(files, "--library", str(files / "one.jsonl"), abstract="jays.txt")
    assert "<b>" not in done.stdout
    assert "](http" not in done.stdout
    assert "\x1b" not in done.stdout
