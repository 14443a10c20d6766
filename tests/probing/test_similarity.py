"""Similarity of hidden states against closed forms, and of models against planted changes."""

import numpy as np
import pytest
import torch

from scrubjay.models.tiny import TinySpec, build_tiny
from scrubjay.probing import (
    last_states,
    layerwise_cka,
    layerwise_cosine,
    linear_cka,
    query_statement_gap,
)

SPEC = TinySpec(vocabulary=30, width=16, layers=3, heads=2, feedforward=32)
RNG = np.random.default_rng(0)


def texts(n: int, seed: int) -> list[list[int]]:
    rng = np.random.default_rng(seed)
    return [rng.integers(4, 30, size=rng.integers(2, 7)).tolist() for _ in range(n)]


def test_cka_ignores_rotation_and_scale_and_sees_independence() -> None:
    x = RNG.normal(size=(400, 6))
    rotation = np.linalg.qr(RNG.normal(size=(6, 6)))[0]
    assert linear_cka(x, 3 * x @ rotation + 7) == pytest.approx(1)
    assert linear_cka(x, RNG.normal(size=(400, 6))) < 0.1
    assert linear_cka(x, np.ones((400, 2))) == 0


def test_cka_of_one_dimension_is_the_squared_correlation() -> None:
    x, y = RNG.normal(size=(50, 1)), RNG.normal(size=(50, 1))
    y = x + 0.7 * y
    expected = np.corrcoef(x[:, 0], y[:, 0])[0, 1] ** 2
    assert linear_cka(x, y) == pytest.approx(expected)


def test_centring_takes_the_shared_part_away() -> None:
    a, b = RNG.normal(size=(300, 1, 8)), RNG.normal(size=(300, 1, 8))
    shared = np.full(8, 50.0)
    assert layerwise_cosine(a + shared, b + shared, centred=False).mean() > 0.99
    assert abs(layerwise_cosine(a + shared, b + shared).mean()) < 0.1


def test_cosines_by_hand() -> None:
    a = np.array([[[1.0, 0.0]], [[0.0, 2.0]], [[0.0, 0.0]]])
    b = np.array([[[1.0, 1.0]], [[0.0, -1.0]], [[1.0, 0.0]]])
    found = layerwise_cosine(a, b, centred=False)[:, 0]
    assert found == pytest.approx([2**-0.5, -1, 0])
    with pytest.raises(ValueError, match="same texts"):
        layerwise_cosine(a, b[:2])


def test_states_are_the_last_tokens_whatever_the_batch() -> None:
    model = build_tiny(SPEC)
    asked = texts(7, 1)
    states = last_states(model, asked)
    assert states.shape == (7, 3, 16)
    assert states == pytest.approx(last_states(model, asked, batch=2), abs=1e-5)
    alone = model(input_ids=torch.tensor([asked[3]]), output_hidden_states=True).hidden_states
    assert states[3, 1] == pytest.approx(alone[2][0, -1].detach().numpy(), abs=1e-5)


def test_a_change_to_the_tokens_of_queries_shows_on_queries_only() -> None:
    before, after = build_tiny(SPEC), build_tiny(SPEC)
    with torch.no_grad():  # tokens 20 to 29 stand in queries only
        after.get_input_embeddings().weight[20:] += torch.randn(
            10, 16, generator=torch.Generator().manual_seed(3)
        )
    rng = np.random.default_rng(5)
    statements = [rng.integers(4, 20, size=5).tolist() for _ in range(40)]
    queries = [rng.integers(20, 30, size=5).tolist() for _ in range(40)]
    gap = query_statement_gap(before, after, queries, statements)
    assert gap.statements == pytest.approx(np.ones((40, 3)), abs=1e-6)
    assert (gap.by_layer > 0.05).all()
    assert gap.per_probe.shape == (40,)
    same = query_statement_gap(before, before, queries, statements)
    assert same.by_layer == pytest.approx(np.zeros(3), abs=1e-6)
    a, b = last_states(before, queries), last_states(after, queries)
    assert (layerwise_cka(a, b) < 0.99).all()
    assert layerwise_cka(a, a) == pytest.approx(np.ones(3))
