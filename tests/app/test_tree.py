"""``scrubjay tree`` as a user meets it, without a language model."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from scrubjay.app import cli
from scrubjay.core.errors import InputError, UnknownName

BIRDS = """id,parent,name,terms
b,,Birds,
j,b,Jays,noisy blue jays
t,b,Tits,tiny tits | little garden singers
f,,Fish,
e,f,Eels,long eels
"""


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("SCRUBJAY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "120")
    path = tmp_path / "birds.csv"
    path.write_text(BIRDS)
    return str(path)


def scrubjay(*words: str) -> Result:
    return CliRunner().invoke(cli.app, ["tree", *words])


def test_flat_search_finds_a_node_and_shows_the_way(table: str, tmp_path: Path) -> None:
    asked = ("ask", "jays", "--tree", table, "--agent", "flat-search", "--json")
    done = scrubjay(*asked)
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["id"] == "j"
    assert [row["name"] for row in found["path"]] == ["Birds", "Jays"]
    assert found["calls"] == 0
    assert [step["kind"] for step in found["trace"]] == ["search"]
    (index,) = (tmp_path / "cache" / "trees").glob("*.index")
    before = index.stat().st_mtime_ns
    assert json.loads(scrubjay(*asked).stdout)["id"] == "j"
    assert index.stat().st_mtime_ns == before  # indexed once


def test_show_lists_the_way_and_the_children(table: str) -> None:
    rows = json.loads(scrubjay("show", table, "b", "--json").stdout)
    assert [(r["level"], r["id"], r["children"]) for r in rows] == [
        (1, "b", 2),
        (2, "j", 0),
        (2, "t", 0),
    ]
    assert "5 nodes, 3 of them leaves" in scrubjay("show", table).stdout


def test_measure_holds_ways_against_the_true_ones(table: str) -> None:
    done = scrubjay("measure", table, "--agents", "flat-search,random", "--json")
    assert done.exit_code == 0, done.output
    flat, random = json.loads(done.stdout[done.stdout.index("[\n") :])
    assert flat["agent"] == "flat-search"
    # three of the four wordings name their node; "little garden singers" shares no word with any
    assert flat["exact"]["value"] == pytest.approx(0.75)
    assert flat["levels"][0] == pytest.approx(0.75)
    assert flat["searches"] == 1
    assert 0 <= random["pms"] <= 1


@pytest.mark.parametrize(
    ("words", "error", "sentence"),
    [
        (["ask", " ", "--tree", "TABLE"], InputError, "description is empty"),
        (["ask", "x", "--tree", "TABLE", "--agent", "navigater"], UnknownName, "did you mean"),
        (["ask", "x", "--tree", "nothing"], UnknownName, "no tree 'nothing'"),
        (["show", "TABLE", "zz"], UnknownName, "no node 'zz'"),
        (["measure", "random:2x2", "--agents", "random"], InputError, "other wordings"),
        (["measure", "TABLE", "--agents", "walker"], UnknownName, "walker"),
    ],
)
def test_mistakes_are_sentences(
    table: str, words: list[str], error: type[Exception], sentence: str
) -> None:
    done = scrubjay(*(table if w == "TABLE" else w for w in words))
    assert isinstance(done.exception, error)
    assert sentence in str(done.exception)


def test_a_mistake_ends_with_status_2(table: str) -> None:
    import subprocess

    code = "import sys; from scrubjay.app.cli import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", code, "tree", "show", table, "zz"],
        capture_output=True,
        text=True,
        env=os.environ,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("scrubjay: there is no node 'zz'")
