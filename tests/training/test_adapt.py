"""Continued training: what is learned, in which order, resumed to the bit, saved and loaded."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import torch

from scrubjay.core import InputError, ModelError
from scrubjay.models import load_model
from scrubjay.models.tiny import TinySpec, build_tiny, train_tokenizer
from scrubjay.models.weights import load_weights
from scrubjay.training import Adaptation, adapt_model
from scrubjay.training.adapt import CARD, _turn, continue_training, windows

TEXTS = [f"The keeper of the {c} house is {n}." for c in ("red", "blue") for n in ("Ona", "Tam")]
HOW = Adaptation(epochs=12, rate=5e-3, batch=2, length=12)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model that has read nothing, as a folder."""
    folder = tmp_path_factory.mktemp("base")
    tokenizer = train_tokenizer(TEXTS * 3, 60)
    build_tiny(TinySpec(len(tokenizer), 16, 2, 2, 32, context=64)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_windows_hold_every_token_once_and_end_every_text(base: Path) -> None:
    tokenizer = load_weights(str(base)).tokenizer
    pieces = windows(tokenizer, [*TEXTS, "", "  "], 5)
    assert max(map(len, pieces)) == 5
    flat = [t for p in pieces for t in p]
    lengths = [len(tokenizer(t, add_special_tokens=False)["input_ids"]) + 1 for t in TEXTS]
    single = sum(n % 5 == 1 for n in lengths)  # a lone token has nothing to predict
    assert len(flat) == sum(lengths) - single
    assert windows(tokenizer, [TEXTS[0]], 100)[0][-1] == tokenizer.eos_token_id


def test_every_epoch_takes_every_window_once_in_another_order() -> None:
    epochs = [[_turn(7, 3, i) for i in range(e * 7, e * 7 + 7)] for e in range(4)]
    assert all(Counter(e) == Counter(range(7)) for e in epochs)
    assert len({tuple(e) for e in epochs}) > 1


def test_an_adapted_model_says_what_its_texts_say(base: Path, tmp_path: Path) -> None:
    out = adapt_model(str(base), [TEXTS[0]], tmp_path / "adapted", Adaptation(60, 1e-2, 1))
    card = json.loads((out / CARD).read_text())
    assert card["first"] > 2 > card["last"]
    assert card["steps"] == 60
    model = load_model(str(out), dtype="float32")
    reply = asyncio.run(model.generate("The keeper of the red house is", max_tokens=3))
    assert reply.text.split() == ["Ona", "."]
    assert list(tmp_path.iterdir()) == [out]


def test_a_killed_run_ends_with_the_same_weights(base: Path, tmp_path: Path) -> None:
    whole = load_weights(str(adapt_model(str(base), TEXTS, tmp_path / "whole", HOW))).model

    class Killed(Exception):
        pass

    def kill(done: int, steps: int, loss: float) -> None:
        assert steps == 24
        if done == 15:
            raise Killed

    with pytest.raises(Killed):
        adapt_model(str(base), TEXTS, tmp_path / "part", HOW, look=kill)
    assert not (tmp_path / "part").exists()
    seen: list[int] = []
    adapt_model(str(base), TEXTS, tmp_path / "part", HOW, look=lambda done, *_: seen.append(done))
    assert seen[0] == 13  # a checkpoint every quarter
    resumed = load_weights(str(tmp_path / "part")).model
    assert all(torch.equal(x, y) for x, y in zip(whole.parameters(), resumed.parameters()))


def test_nothing_is_overwritten_and_nothing_trained_on_nothing(base: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(InputError, match="not an adapted model"):
        adapt_model(str(base), TEXTS, tmp_path, HOW)
    with pytest.raises(InputError, match="not an adapted model"):
        adapt_model(str(base), TEXTS, tmp_path / "thesis.txt", HOW)
    with pytest.raises(InputError, match="no text"):
        adapt_model(str(base), ["", " \n"], tmp_path / "new", HOW)
    with pytest.raises(ModelError):
        adapt_model(str(tmp_path / "nowhere"), TEXTS, tmp_path / "new", HOW)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_model_built_otherwise_is_refused_in_a_sentence(base: Path) -> None:
    from transformers import GPT2Config, GPT2LMHeadModel

    other = GPT2LMHeadModel(GPT2Config(vocab_size=60, n_embd=8, n_layer=1, n_head=1))
    with pytest.raises(ModelError, match="gpt2"):
        continue_training(other, load_weights(str(base)).tokenizer, TEXTS)  # type: ignore[arg-type]


def test_command(base: Path, tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "houses.md").write_text("# Houses\n\n" + " ".join(TEXTS))

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        code = "import sys; from scrubjay.app.cli import main; sys.exit(main())"
        return subprocess.run(
            [sys.executable, "-c", code, "train", "adapt", "--out", "new", *words],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )

    nothing = run()
    assert (nothing.returncode, nothing.stderr.count("\n")) == (2, 1)
    done = run("--documents", "docs", "--model", str(base), "--epochs", "3", "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["model"], said["texts"], said["steps"]) == ("new", 1, 1)
    before, after = (load_weights(str(p)).model for p in (base, tmp_path / "new"))
    assert any(not torch.equal(x, y) for x, y in zip(before.parameters(), after.parameters()))
