"""Source weights: a planted regression is found again, and too little practice is refused."""

from __future__ import annotations

import numpy as np
import pytest

from scrubjay.agents.provenance_classifier import SourceModel
from scrubjay.agents.provenance_signals import NAMES
from scrubjay.core import ScrubjayError
from scrubjay.core.randomness import numpy_stream
from scrubjay.evaluation.sources_measure import predicted
from scrubjay.evaluation.sources_rows import SourceRow
from scrubjay.training.sources import softmax_regression, train_sources


def planted(n: int, seed: int) -> list[SourceRow]:
    """Memory shows in the first signal, documents in the second; the others are noise."""
    rng = numpy_stream(seed, "planted")
    rows = []
    for i in range(n):
        memory, documents = bool(i % 2), bool(i // 2 % 2)
        x = rng.normal(size=len(NAMES))
        x[0], x[1] = 3 * memory + x[0] * 0.3, 3 * documents + x[1] * 0.3
        truth = ("nowhere", "memory", "documents", "both")[memory + 2 * documents]
        rows.append(
            SourceRow(
                f"{seed}-{i}", "", "w", "q", "r", "a", truth, memory or documents,
                "likelihood/read", tuple(x.tolist()), (), (), "",
            )
        )  # fmt: skip
    return rows


def test_planted_sources_are_told_apart_on_new_rows(tmp_path) -> None:
    model = train_sources(planted(200, 1), trained_on="planted")
    new = planted(200, 2)
    hits = [predicted(r, model)[0] == r.truth for r in new]
    assert sum(hits) >= 190
    right = [predicted(r, model)[2] for r in new]
    assert np.mean([(p > 0.5) == r.right for p, r in zip(right, new)]) > 0.95
    model.save(tmp_path / "w.json")
    read = SourceModel.load(tmp_path / "w.json")
    assert [predicted(r, read)[0] for r in new] == [predicted(r, model)[0] for r in new]


def test_two_classes_equal_logistic_regression() -> None:
    """Against the closed form of one binary signal: the gap of the logits is the log odds ratio."""
    x = np.array([[0.0]] * 40 + [[1.0]] * 40)
    y = np.array([0] * 30 + [1] * 10 + [0] * 10 + [1] * 30)
    w, b = softmax_regression(x, y, np.ones(80), strength=1e6)
    assert w[1, 0] - w[0, 0] == pytest.approx(np.log(9), abs=1e-3)
    assert b[1] - b[0] == pytest.approx(np.log(1 / 3), abs=1e-3)


def test_weights_of_a_row_count_like_copies() -> None:
    rng = numpy_stream(0, "copies")
    x, y = rng.normal(size=(30, 2)), np.arange(30) % 3
    copies = np.concatenate([x, x[:5]]), np.concatenate([y, y[:5]])
    weight = np.ones(30)
    weight[:5] = 2
    one, two = softmax_regression(x, y, weight), softmax_regression(*copies, np.ones(35))
    assert np.allclose(one[0], two[0], atol=1e-3)


def test_too_little_practice_is_refused() -> None:
    with pytest.raises(ScrubjayError, match="so few answers"):
        train_sources(planted(12, 1))
    with pytest.raises(ScrubjayError, match="answered nothing"):
        train_sources([])
