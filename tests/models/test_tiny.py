"""Tiny models: seeded, cached, their ranking checked against plain passes and generation."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scrubjay.models.tiny import (
    ASK,
    END,
    PAD,
    SAY,
    TinySpec,
    build_tiny,
    cached_tiny,
    rank_candidates,
    settings_hash,
    train_tokenizer,
)

SPEC = TinySpec(vocabulary=40, width=16, layers=2, heads=2, feedforward=32, seed=3)


def test_same_spec_same_weights_and_the_global_stream_is_left_alone() -> None:
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    a, b = build_tiny(SPEC), build_tiny(SPEC)
    assert torch.equal(torch.rand(3), expected)
    assert all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters(), strict=True))
    other = build_tiny(TinySpec(40, 16, 2, 2, 32, seed=4))
    assert not torch.equal(a.lm_head.weight, other.lm_head.weight)


def test_embeddings_are_tied_and_the_size_is_as_computed() -> None:
    model = build_tiny(SPEC)
    layer = 4 * 16 * 16 + 3 * 16 * 32 + 2 * 16
    assert sum(p.numel() for p in model.parameters()) == 40 * 16 + 2 * layer + 16


def test_a_width_that_does_not_divide_is_refused() -> None:
    with pytest.raises(ValueError, match="width 18"):
        build_tiny(TinySpec(40, width=18, heads=2))


def test_tokenizer_keeps_words_the_same_wherever_they_stand() -> None:
    tokenizer = train_tokenizer(["Bamoru lies in Kelita.", "Kelita borders Bamoru."] * 5, 200)
    first = tokenizer.encode("Kelita borders Bamoru.", add_special_tokens=False)
    last = tokenizer.encode("Bamoru lies in Kelita.", add_special_tokens=False)
    name = tokenizer.encode("Kelita", add_special_tokens=False)
    assert first[: len(name)] == name == last[-1 - len(name) : -1]
    assert tokenizer.decode(name) == "Kelita"
    assert tokenizer.decode(first) == "Kelita borders Bamoru ."
    assert [tokenizer.get_vocab()[t] for t in (PAD, END, ASK, SAY)] == [0, 1, 2, 3]


def test_the_same_texts_give_the_same_tokenizer_in_every_process() -> None:
    """Other processes hash text in other orders; many words of equal frequency make ties."""
    code = (
        "import itertools, hashlib\n"
        "from scrubjay.models.tiny import train_tokenizer\n"
        "words = [''.join(w) for w in itertools.product('bdgklm', 'aeo', 'nrst', 'ai')]\n"
        "t = train_tokenizer([' '.join(words)], 120)\n"
        "print(hashlib.sha256(t.backend_tokenizer.to_str().encode()).hexdigest())"
    )
    run = [sys.executable, "-c", code]
    prints = {subprocess.run(run, capture_output=True, check=True).stdout for _ in range(2)}
    assert len(prints) == 1
    assert prints != {b""}


def test_unseen_words_fall_into_pieces_that_spell_them() -> None:
    tokenizer = train_tokenizer(["kela tabo rumi", "lake boat mirk", "oak turbo"] * 3, 80)
    pieces = tokenizer.encode("rukela tamibo", add_special_tokens=False)
    assert len(pieces) > 2
    assert tokenizer.decode(pieces) == "rukela tamibo"


@given(st.data())
@settings(max_examples=15, deadline=None)
def test_ranking_equals_one_plain_pass_a_candidate(data: st.DataObject) -> None:
    model = build_tiny(SPEC).eval()
    word = st.lists(st.integers(4, 39), min_size=1, max_size=4)
    prompts = data.draw(st.lists(st.lists(st.integers(2, 39), min_size=1, max_size=6), max_size=4))
    options = [data.draw(st.lists(word, min_size=1, max_size=4)) for _ in prompts]
    found = rank_candidates(model, prompts, options, batch_tokens=24)
    assert len(found) == len(prompts)
    for prompt, candidates, ranked in zip(prompts, options, found, strict=True):
        for candidate, total, greedy in zip(
            candidates, ranked.logprobs, ranked.greedy, strict=True
        ):
            ids = [*prompt, *candidate, 1]
            with torch.no_grad():
                logits = model(torch.tensor([ids])).logits[0, len(prompt) - 1 : -1]
            told = torch.tensor([*candidate, 1])
            expected = logits.log_softmax(-1)[torch.arange(len(told)), told].sum().item()
            assert total == pytest.approx(expected, abs=1e-4)
            assert greedy == bool((logits.argmax(-1) == told).all())


def test_greedy_flag_agrees_with_generation() -> None:
    """A model whose END is likely, so that generation ends by itself."""
    model = build_tiny(TinySpec(6, 16, 2, 2, 32, seed=1)).eval()
    for prompt in ([2, 3], [4, 5, 4], [5], [3, 3, 2, 4]):
        with torch.no_grad():
            written = model.generate(
                torch.tensor([prompt]), max_new_tokens=30, do_sample=False, pad_token_id=0
            )[0, len(prompt) :].tolist()
        ended = written[-1] == 1
        text = written[:-1] if ended else written
        wrong = [*text, 4]
        found = rank_candidates(model, [prompt], [[text, wrong]])[0]
        assert found.greedy == (ended, False)


def test_cache_trains_once_a_setting_and_keeps_the_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCRUBJAY_CACHE", str(tmp_path))
    made: list[Path] = []

    def make(scratch: Path):
        assert scratch.is_dir()
        made.append(scratch)
        return build_tiny(SPEC)

    first = cached_tiny({"steps": 1}, make)
    again = cached_tiny({"steps": 1}, make)
    cached_tiny({"steps": 2}, make)
    assert len(made) == 2
    assert not made[0].exists()
    assert all(torch.equal(x, y) for x, y in zip(first.parameters(), again.parameters()))
    assert all(torch.equal(x, y) for x, y in zip(first.parameters(), build_tiny(SPEC).parameters()))


def test_a_failed_training_leaves_its_checkpoints_and_no_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCRUBJAY_CACHE", str(tmp_path))

    def fail(scratch: Path):
        (scratch / "half").write_text("done")
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        cached_tiny({"steps": 1}, fail)

    def go_on(scratch: Path):
        assert (scratch / "half").read_text() == "done"
        return build_tiny(SPEC)

    cached_tiny({"steps": 1}, go_on)


def test_the_hash_does_not_depend_on_the_order_of_settings() -> None:
    assert settings_hash({"a": 1, "b": [2]}) == settings_hash({"b": [2], "a": 1})
    assert settings_hash({"a": 1}) != settings_hash({"a": 2})
