"""``scrubjay train explorer`` as a user meets it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from scrubjay.app import cli
from scrubjay.training.rl.trial import load_agent
from scrubjay.worlds.lookup import AskOrGuess

SHORT = ("--task", "lookup", "--block", "3", "--updates", "6", "--tests", "50")


def explorer(out: Path, *words: str) -> dict:
    line = ["train", "explorer", "--out", str(out), "--json", *words]
    done = CliRunner().invoke(cli.app, line)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_it_trains_tests_and_doesnt_train_again(tmp_path: Path) -> None:
    first = explorer(tmp_path / "a", *SHORT)
    assert [t["player"] for t in first["trials"]] == ["agent", "random"]
    assert first["optimum"] == pytest.approx(AskOrGuess().optimum(3)[0] / 3)
    kept = (tmp_path / "a" / "agent.safetensors").stat().st_mtime_ns
    assert explorer(tmp_path / "a", *SHORT) == first
    assert (tmp_path / "a" / "agent.safetensors").stat().st_mtime_ns == kept
    network = load_agent(tmp_path / "a" / "agent.safetensors")
    assert network.spec.actions == 9
    same = explorer(tmp_path / "b", *SHORT)
    assert same["trials"] == first["trials"]


def test_rivals_stand_beside_an_agent_on_arms(tmp_path: Path) -> None:
    words = ("--task", "coins", "--block", "4", "--updates", "3", "--tests", "40")
    found = explorer(tmp_path / "a", *words, "--memory", "2", "--network", "transformer")
    players = {t["player"]: t for t in found["trials"]}
    assert {"agent", "random", "thompson", "greedy posterior mean", "bayes-optimal"} <= {*players}
    assert players["bayes-optimal"]["reward"] >= players["random"]["reward"]
    assert all(len(t["by_episode"]) == 4 for t in found["trials"])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--task", "arm"), "did you mean 'arms'"),
        (("--block", "0"), "at least one episode"),
        (("--gamma", "1"), "lies in [0, 1)"),
        (("--updates", "0"), "at least one update"),
        (("--memory", "0"), "window holds at least one step"),
        (("--memory", "3"), "take a transformer for 3 steps"),
        (("--memory", "some"), "not 'some'"),
        (("--network", "cnn"), "'gru' or 'transformer'"),
        (("--block", "4"), "give another folder"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_2(
    words: tuple[str, ...],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "a"
    if "another folder" in says:
        explorer(folder, *SHORT)
    line = ["scrubjay", "train", "explorer", "--out", str(folder), *SHORT, *words]
    monkeypatch.setattr(sys, "argv", line)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    sentence = capsys.readouterr().err.strip().splitlines()[-1]
    assert says in sentence
    if "another folder" not in says:
        assert not folder.exists()


def test_other_files_are_no_agents(tmp_path: Path) -> None:
    from scrubjay.core.errors import InputError

    bad = tmp_path / "x.safetensors"
    bad.write_bytes(b"nothing of the kind")
    for path, says in ((bad, "is not an agent"), (tmp_path / "missing", "can't be read")):
        with pytest.raises(InputError, match=says):
            load_agent(path)
