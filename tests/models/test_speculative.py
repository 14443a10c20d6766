"""Speculative sampling: the distribution is the target's, to a chi-square test, and tokens are the
same as without it when nothing is drawn."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from scipy.stats import chisquare
from tests.models.test_combined import LARGE, PROMPTS, SMALL, TOKENIZER, TUNED

from scrubjay.core.errors import ModelError
from scrubjay.models.combined import CombinedModel, EmulatedFineTuning
from scrubjay.models.speculative import Reading, speculate, speculative_sample

V = 20


class Chain:
    """A Markov chain over ``V`` tokens, as a source."""

    def __init__(self, seed: int, sharp: float = 1.0) -> None:
        rng = np.random.default_rng(seed)
        self.logs = torch.tensor(rng.normal(size=(V, V)) * sharp).log_softmax(-1)
        self.state, self.passes = [0], 0

    def next(self) -> torch.Tensor:
        return self.logs[self.state[-1]]

    def read(self, tokens: Sequence[int]) -> torch.Tensor:
        self.passes += 1
        self.state += tokens
        return self.logs[list(tokens)]

    def forget(self, count: int) -> None:
        if count:
            del self.state[-count:]


def draws(block: int, n: int, **settings) -> list[tuple[int, ...]]:
    return [
        speculative_sample(
            Chain(1), Chain(2), most=3, block=block, seed=seed, **settings
        ).tokens
        for seed in range(n)
    ]  # fmt: skip


@pytest.mark.parametrize("block", [1, 4])
def test_tokens_follow_the_target(block: int) -> None:
    target = Chain(2).logs.exp().numpy()
    found = draws(block, 1200)
    for place in range(3):
        expected = np.linalg.matrix_power(target, place + 1)[0]
        counts = np.bincount([t[place] for t in found], minlength=V)
        assert chisquare(counts, expected * len(found)).pvalue > 1e-3
    # pairs too: what follows a token depends on it as in the target
    pairs = Counter((t[1], t[2]) for t in found)
    often = max(range(V), key=lambda v: sum(c for (a, _), c in pairs.items() if a == v))
    after = np.array([pairs[often, v] for v in range(V)])
    assert chisquare(after, target[often] / target[often].sum() * after.sum()).pvalue > 1e-3


def test_the_draft_alone_would_fail_this_test() -> None:
    counts = np.bincount(
        [speculative_sample(Chain(1), Chain(1), most=1, seed=s).tokens[0] for s in range(800)],
        minlength=V,
    )
    assert chisquare(counts, Chain(2).logs[0].exp().numpy() * 800).pvalue < 1e-6


def test_acceptance_is_one_minus_total_variation() -> None:
    q, p = Chain(1).logs[0].exp(), Chain(2).logs[0].exp()
    overlap = float(torch.minimum(p, q).sum())
    runs = [speculative_sample(Chain(1), Chain(2), most=1, block=1, seed=s) for s in range(1500)]
    assert np.mean([r.accepted for r in runs]) == pytest.approx(overlap, abs=0.04)
    same = speculative_sample(Chain(2), Chain(2), most=30, block=4, seed=3)
    assert same.acceptance == 1
    assert same.passes == 6  # five tokens a pass


def test_nucleus_and_temperature_shape_both_sides() -> None:
    target = torch.softmax(Chain(2).logs[0] / 0.7, -1)
    ordered, ids = target.sort(descending=True)
    inside = ids[ordered.cumsum(0) - ordered < 0.6]
    expected = torch.zeros_like(target)
    expected[inside] = target[inside] / target[inside].sum()
    first = [t[0] for t in draws(2, 1000, temperature=0.7, top_p=0.6)]
    counts = np.bincount(first, minlength=V)
    assert set(np.flatnonzero(counts)) <= set(inside.tolist())
    kept = inside.numpy()
    assert chisquare(counts[kept], expected.numpy()[kept] * 1000).pvalue > 1e-3


def test_end_tokens_and_lengths() -> None:
    plain = speculative_sample(Chain(1), Chain(2), most=40, block=5, seed=8)
    assert len(plain.tokens) == 40
    end = plain.tokens[17]
    cut = speculative_sample(Chain(1), Chain(2), most=40, block=5, seed=8, ends=[end])
    assert cut.ended
    assert end not in cut.tokens
    with pytest.raises(ModelError, match="block"):
        speculative_sample(Chain(1), Chain(2), most=4, block=0)


@pytest.mark.parametrize("block", [1, 2, 5])
def test_greedy_drafts_change_no_token_of_a_real_combination(block: int) -> None:
    target, draft = EmulatedFineTuning(LARGE, TUNED, SMALL), CombinedModel(TUNED, [])
    for prompt in PROMPTS:
        plain = asyncio.run(target.generate(prompt, max_tokens=12))
        told, drawn = speculate(target, draft, prompt, max_tokens=12, block=block)
        assert (told.tokens, told.text, told.finish) == (plain.tokens, plain.text, plain.finish)
        assert drawn.passes <= len(told.tokens) + 1


def test_distributions_after_reading_back_are_those_of_a_fresh_reader() -> None:
    model = EmulatedFineTuning(LARGE, TUNED, SMALL)
    ids = TOKENIZER.encode("the red fox", add_special_tokens=False)
    reading = Reading(model, [ids] * len(model.members))
    reading.read([7, 8, 9])
    reading.forget(2)
    reading.read([10])
    fresh = Reading(model, [[*ids, 7, 10]] * len(model.members))
    assert torch.allclose(reading.next(), fresh.next(), atol=1e-5)
