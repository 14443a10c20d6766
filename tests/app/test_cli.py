"""The command line as a user meets it: in another process, with its exit status and sentences."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scrubjay.core.files import cache_dir

CONTROLS = ["--settings", "oracle", "--world", "random:120", "--questions", "12"]


def scrubjay(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    code = "import sys; from scrubjay.app.cli import main; sys.exit(main())"
    return subprocess.run(
        [sys.executable, "-c", code, *words],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, "COLUMNS": "120", "NO_COLOR": "1"},
        check=False,
    )


def refused(*words: str, cwd: Path | None = None) -> str:
    """The sentence of a command that must end with status 2, say one line and print no more."""
    done = scrubjay(*words, cwd=cwd)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("scrubjay: ")
    return lines[0]


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A finished run with controls only, and what it printed."""
    folder = tmp_path_factory.mktemp("run")
    done = scrubjay("gap", *CONTROLS, "--out", str(folder), "--json")
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def test_gap_rows_are_what_gap_json_holds(run: tuple[Path, str]) -> None:
    folder, printed = run
    rows = json.loads((folder / "gap.json").read_text())
    assert json.loads(printed) == rows
    assert {frozenset(r) for r in rows} == {
        frozenset(["setting", "task", "metric", "real", "twin", "gap", "low", "high", "n"])
    }
    oracle = [r for r in rows if r["setting"] == "oracle" and r["metric"] == "f1"]
    assert {r["task"] for r in oracle} == {"recall", "multihop"}
    assert all(r["real"] == r["twin"] == 1 and r["n"] == 12 for r in oracle)
    frequent = [r for r in rows if r["setting"] == "frequent-answer"]
    assert all(r["real"] < 1 for r in frequent)


def test_the_same_command_again_changes_nothing(run: tuple[Path, str]) -> None:
    folder, printed = run
    before = {p.name: p.read_bytes() for p in folder.glob("*.json*")}
    again = scrubjay("gap", *CONTROLS, "--out", str(folder), "--json")
    assert again.stdout == printed
    assert {p.name: p.read_bytes() for p in folder.glob("*.json*")} == before


def test_a_run_folder_of_other_settings_is_refused_and_untouched(run: tuple[Path, str]) -> None:
    folder, _ = run
    before = (folder / "answers.jsonl").read_bytes()
    sentence = refused("gap", *CONTROLS, "--seed", "3", "--out", str(folder))
    assert str(folder) in sentence
    assert (folder / "answers.jsonl").read_bytes() == before


def test_report_is_made_again(run: tuple[Path, str]) -> None:
    folder, _ = run
    (folder / "report.html").unlink()
    done = scrubjay("report", str(folder))
    assert done.returncode == 0, done.stderr
    assert (folder / "report.html").exists()


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--model", "nosuch"], "no model 'nosuch'"),
        (["--world", "atlass"], "did you mean 'atlas'"),
        (["--settings", "closedbook"], "did you mean 'closed-book'"),
        (["--tasks", "recal"], "did you mean 'recall'"),
        (["--settings", "links-only", "--tasks", "recall"], "fits the tasks"),
        (["--settings", ","], "at least one setting"),
    ],
)
def test_bad_names_get_one_sentence(words: list[str], part: str, tmp_path: Path) -> None:
    sentence = refused("gap", "--world", "random:60", *words, "--out", str(tmp_path / "x"))
    assert part in sentence
    assert not (tmp_path / "x").exists()


def test_a_dead_endpoint_gets_one_sentence_before_work_starts(tmp_path: Path) -> None:
    url = f"endpoint:http://127.0.0.1:{free_port()}/v1#m"
    words = ["--world", "random:60", "--settings", "closed-book", "--out", str(tmp_path / "x")]
    sentence = refused("gap", "--model", url, *words)
    assert "127.0.0.1" in sentence
    assert not (tmp_path / "x").exists()


FAULTS = {
    "a torn row": ("subject,relation,object\nA,likes,B\nC,likes\n", r":3:"),
    "a relation without phrasing": ("subject,relation,object\nA,likes,B\n", "likes"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_bad_triples_name_file_and_line(fault: str, tmp_path: Path) -> None:
    text, part = FAULTS[fault]
    path = tmp_path / "facts.csv"
    path.write_text(text)
    sentence = refused("world", "build", str(path), "--out", str(tmp_path / "w"))
    assert part in sentence
    assert not (tmp_path / "w").exists()


def test_a_disconnected_universe_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "facts.csv"
    path.write_text("subject,relation,object\nA,likes,B\nC,likes,D\n")
    (tmp_path / "relations.csv").write_text("relation,phrasing\nlikes,[S] likes [O].\n")
    sentence = refused("world", "build", str(path), "--out", str(tmp_path / "w"))
    assert "connected" in sentence or "component" in sentence or "parts" in sentence


def test_a_world_is_built_shown_audited_and_exported(tmp_path: Path) -> None:
    built = scrubjay("world", "build", "random:120", "--twin", "1", "--out", str(tmp_path / "w"))
    assert built.returncode == 0, built.stderr
    shown = scrubjay("world", "show", str(tmp_path / "w"), "--json")
    assert sum(r["entities"] for r in json.loads(shown.stdout)) == 120
    audit = scrubjay("world", "audit", "random:120", "--twin", "1")
    assert audit.returncode == 0, audit.stdout + audit.stderr
    out = tmp_path / "e"
    done = scrubjay("world", "export", str(tmp_path / "w"), "--questions", "6", "--out", str(out))
    assert done.returncode == 0, done.stderr
    questions = [json.loads(x) for x in (out / "questions.jsonl").read_text().splitlines()]
    assert len(questions) >= 12
    assert list(out.rglob("*.md"))


def test_study_table_has_a_row_per_paper() -> None:
    rows = json.loads(scrubjay("study", "table", "--json").stdout)
    assert len(rows) == 72
    assert all(set(r) >= {"paper", "slug", "verdict", "scale", "seconds"} for r in rows)
    verdicts = {r["slug"]: r["verdict"] for r in rows}
    assert verdicts["spar"] == "planned"
    assert verdicts["synthworlds"] != "planned"


def test_prompts_are_listed_and_shown() -> None:
    listed = json.loads(scrubjay("prompts", "--json").stdout)
    assert "agents/answer" in {r["prompt"] for r in listed}
    assert "--- user" in scrubjay("prompts", "agents/answer").stdout
    assert "no prompt 'agents/nothing'" in refused("prompts", "agents/nothing")


@pytest.mark.parametrize("verb", [[], ["gap"], ["world", "build"], ["study", "run"], ["prompts"]])
def test_help_has_an_example(verb: list[str]) -> None:
    done = scrubjay(*verb, "--help")
    assert done.returncode == 0
    if verb:
        assert "Example: scrubjay" in done.stdout


ENDPOINT = """
import json, os, sys, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

port, lives, log = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
asked, counting = 0, threading.Lock()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.reply(200, {"data": [{"id": "m"}]})

    def do_POST(self):
        global asked
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with counting:
            asked += 1
            if asked > lives:
                time.sleep(0.5)  # what was answered before arrives
                os._exit(0)
            with open(log, "a") as file:
                file.write(json.dumps([self.path, body]) + "\\n")
        if "echo" in body or "grammar" in body or not self.path.endswith("completions"):
            return self.reply(400, {"error": {"message": "not here"}})
        text = "Paris"
        self.reply(200, {"choices": [{"text": text, "message": {"content": text}}]})

    def reply(self, status, value):
        raw = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""


def served(port: int, lives: int, log: Path) -> subprocess.Popen[bytes]:
    """A process that answers ``lives`` requests and then is gone."""
    words = [sys.executable, "-c", ENDPOINT, str(port), str(lives), str(log)]
    process = subprocess.Popen(words)
    for _ in range(500):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return process
        time.sleep(0.02)
    raise AssertionError("the endpoint didn't come up")


def test_an_endpoint_that_dies_in_the_middle_costs_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "tokenizers").symlink_to(cache_dir("tokenizers"))
    monkeypatch.setenv("SCRUBJAY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("SCRUBJAY_PATIENCE", "4")
    port, log = free_port(), tmp_path / "log"
    words = [
        *("gap", "--world", "random:60", "--settings", "closed-book"),
        *("--tasks", "recall", "--questions", "12", "--out", str(tmp_path / "run")),
        *("--model", f"endpoint:http://127.0.0.1:{port}/v1#m"),
    ]
    process = served(port, 15, log)
    try:
        died = scrubjay(*words)
        process.wait(10)
        first = log.read_text().splitlines()
        process = served(port, 10_000, log)
        again = scrubjay(*words)
    finally:
        process.kill()
        process.wait()
    assert died.returncode == 2, died.stderr
    (sentence,) = [s for s in died.stderr.splitlines() if s.startswith("scrubjay: ")]
    assert "went away" in sentence
    assert sentence.endswith("the same command goes on with the answers so far")
    assert again.returncode == 0, again.stderr
    second = log.read_text().splitlines()[len(first) :]
    assert len(first) == 15
    asked_again = set(first) & set(second)
    assert len(asked_again) <= 1, "at most the call that sees whether it is there"
    assert "Traceback" not in died.stderr + again.stderr


def test_a_sentence_cannot_move_the_cursor(tmp_path: Path) -> None:
    sentence = refused("ask", "x", "--index", str(tmp_path / "a\x1b[2J\x9b\u202e"))
    assert sentence.isprintable()
    assert "\\x1b[2J" in sentence


def test_numbers_have_three_decimals_unless_nothing_would_be_left_of_them() -> None:
    from scrubjay.app.show import decimal

    shown = [decimal(x) for x in (0.0029, -0.0046, 0.00049, -0.0000123, 0.0, 12.3456)]
    assert shown == ["0.003", "-0.005", "0.00049", "-1.2e-05", "0.000", "12.346"]
