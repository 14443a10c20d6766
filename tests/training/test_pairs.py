"""Tuning on pairs: what is learned, and that it is."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from scrubjay.core import InputError
from scrubjay.models import load_model
from scrubjay.models.tiny import TinySpec, build_tiny, train_tokenizer
from scrubjay.models.weights import load_weights
from scrubjay.training.adapt import Adaptation
from scrubjay.training.pairs import count_tokens, pair_example, tune_on_pairs

PAIRS = [(f"Who keeps the {c} house?", n) for c, n in (("red", "Ona"), ("blue", "Tam"))]
HOW = Adaptation(epochs=60, rate=5e-3, batch=2)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base")
    texts = [f"Question: {q}\nAnswer: {a}" for q, a in PAIRS]
    tokenizer = train_tokenizer(texts * 3, 80)
    build_tiny(TinySpec(len(tokenizer), 16, 2, 2, 32, context=64)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_only_the_answer_and_its_end_are_learned(base: Path) -> None:
    tokenizer = load_weights(str(base)).tokenizer
    example = pair_example(tokenizer, *PAIRS[0])
    learned = [i for i, learn in zip(example.ids, example.learn) if learn]
    assert tokenizer.decode(learned[:-1]).strip() == "Ona"
    assert learned[-1] == tokenizer.eos_token_id
    assert all(pair_example(tokenizer, *PAIRS[0], full_text_loss=True).learn)
    assert count_tokens(tokenizer, PAIRS) == sum(
        len(pair_example(tokenizer, *p).ids) for p in PAIRS
    )


def test_it_learns_the_pairs(base: Path, tmp_path: Path) -> None:
    out = tune_on_pairs(str(base), PAIRS, tmp_path / "tuned", HOW)
    model = load_model(str(out), dtype="float32")

    async def said(question: str) -> str:
        return (await model.generate(f"Question: {question}\nAnswer:", max_tokens=4)).text.strip()

    assert [asyncio.run(said(q)) for q, _ in PAIRS] == ["Ona", "Tam"]
    assert [p.name for p in tmp_path.iterdir()] == ["tuned"]


def test_mistakes(base: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no questions"):
        tune_on_pairs(str(base), [], tmp_path / "a")
    (tmp_path / "mine").mkdir()
    with pytest.raises(InputError, match="not a tuned model"):
        tune_on_pairs(str(base), PAIRS, tmp_path / "mine")
