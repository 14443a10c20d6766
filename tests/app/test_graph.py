"""``scrubjay graph`` as a user meets it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from scrubjay.agents.distil import Triple
from scrubjay.app.cli import app
from scrubjay.app.graph_page import drawing, graph_page
from scrubjay.core import ScrubjayError
from scrubjay.models.types import Prompt, Scored

SAMPLE = Path(__file__).parents[1] / "agents" / "sample_graph_text.md"


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["graph", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("graph") / "my.graph"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SCRUBJAY_CACHE", str(out.parent / "cache"))
        assert "26 facts" in run("build", SAMPLE, "--out", out)
    return out


def test_show(graph: Path) -> None:
    rows = json.loads(run("show", graph, "Petra Oake", "--json"))
    assert len(rows) == 6
    assert {"sample_graph_text.md:12"} < {r["place"] for r in rows}
    with pytest.raises(ScrubjayError, match="names nothing like 'Zorp'"):
        run("show", graph, "Zorp")


def test_export(graph: Path, tmp_path: Path) -> None:
    run("export", graph, "--out", tmp_path / "out")
    assert len((tmp_path / "out" / "triples.csv").read_text().splitlines()) == 27
    pairs = [json.loads(x) for x in (tmp_path / "out" / "qa.jsonl").read_text().splitlines()]
    assert all(p["accepted"] and p["quote"] and p["place"] for p in pairs)


def test_the_page_loads_nothing_and_runs_nothing(graph: Path, tmp_path: Path) -> None:
    run("show", graph, "--html", tmp_path / "g.html")
    page = (tmp_path / "g.html").read_text()
    assert page.count("<circle") == 26
    assert page.count("<line") == 26
    assert not re.search(r"<script|https?://|src=|href=|url\(|\son\w+=", page)
    evil = "</title><script>x()</script>"
    told = graph_page([Triple(evil, evil, "B", "verb", quote=evil, place=evil)], evil)
    assert "<script" not in told
    assert "&lt;script&gt;" in told


def test_places_are_apart() -> None:
    star = [Triple("Hub", "has", f"N{i}", "verb") for i in range(12)]
    apart = [Triple("Lone", "has", "Other", "verb")]
    spots = re.findall(r'<circle cx="(-?\d+)" cy="(-?\d+)"', drawing([*star, *apart]))
    assert len(set(spots)) == len(spots) == 15
    assert drawing([]) == ""


@dataclass
class Judge:
    """Finds things with these words likelier than others."""

    likes: tuple[str, ...]
    name: str = "judge"

    async def score(self, prompt: Prompt, continuations: Sequence[str]) -> list[Scored]:
        return [Scored(c, (float(any(x in c for x in self.likes)) - 1.5,)) for c in continuations]

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    async def check(self) -> None: ...

    async def close(self) -> None: ...


def test_ask_shows_the_way_with_its_places(graph: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = Judge((" the mayor of Tessaly\n",))
    monkeypatch.setattr("scrubjay.models.load_model", lambda name: one)
    told = json.loads(run("ask", "Who is the mayor of Tessaly?", "--graph", graph, "--json"))
    assert told["answer"] == "Petra Oake"
    assert told["path"] == [
        {
            "says": "The mayor of Tessaly is Petra Oake.",
            "place": "sample_graph_text.md:4",
            "quote": "Today Tessaly has a population of 18,200, and its mayor is Petra Oake.",
        }
    ]


def test_mistakes_are_one_sentence(graph: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("Dear reader")
    for arguments, message in (
        (("build", tmp_path / "nowhere"), "no such file"),
        (("build", tmp_path / "empty", "--out", tmp_path / "g"), "with text is there"),
        (("build", SAMPLE, "--out", tmp_path / "mine"), "is no graph"),
        (("build", SAMPLE, "--no-patterns", "--out", tmp_path / "g"), "a model has to read"),
        (("build", tmp_path / "mine", "--out", tmp_path / "g"), "no facts were found"),
        (("show", tmp_path / "empty"), "no graph is here"),
        (("ask", " ", "--graph", graph), "the question is empty"),
    ):
        with pytest.raises(ScrubjayError, match=message):
            run(*arguments)
    assert not (tmp_path / "g").exists()
