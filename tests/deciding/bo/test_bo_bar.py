"""Bar distributions against sums over a fine grid."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scrubjay.deciding.bo.bar import BarDistribution
from scrubjay.deciding.bo.tasks import OptimiseError

BAR = BarDistribution(torch.tensor([-0.1, 0.0, 0.3, 0.35, 0.8, 1.1], dtype=torch.double))
LOGITS = st.lists(st.floats(-4, 4, width=16), min_size=5, max_size=5).map(
    lambda x: torch.tensor([x], dtype=torch.double)
)
STEP = 1e-4
GRID = torch.arange(-0.1 + STEP / 2, 1.1, STEP, dtype=torch.double)
"""Middles of cells that tile the bars exactly (all borders are multiples of the step)."""


def integral(logits: torch.Tensor, of: torch.Tensor) -> float:
    density = BAR.log_prob(logits.expand(len(GRID), -1), GRID).exp()
    return float((density * of).sum() * STEP)


@settings(deadline=None, max_examples=30)
@given(LOGITS, st.floats(-0.3, 1.3))
def test_moments_and_improvement_are_integrals_of_the_density(
    logits: torch.Tensor, best: float
) -> None:
    assert integral(logits, torch.ones(())) == pytest.approx(1, abs=1e-4)
    mean = integral(logits, GRID)
    assert BAR.mean(logits).item() == pytest.approx(mean, abs=1e-4)
    variance = integral(logits, (GRID - mean) ** 2)
    assert BAR.variance(logits).item() == pytest.approx(variance, abs=1e-4)
    assert BAR.ucb(logits, 1.5).item() == pytest.approx(mean + 1.5 * variance**0.5, abs=1e-3)
    gain = integral(logits, (GRID - best).clamp(min=0))
    found = BAR.ei(logits, torch.tensor([best], dtype=torch.double)).item()
    assert found == pytest.approx(gain, abs=1e-4)


@settings(deadline=None, max_examples=30)
@given(LOGITS, st.floats(0.01, 0.99))
def test_a_quantile_has_its_share_below(logits: torch.Tensor, share: float) -> None:
    q = BAR.quantile(logits, share)
    assert integral(logits, (q > GRID).double()) == pytest.approx(share, abs=2e-3)
    assert BAR.quantile(logits, 0.0) >= -0.1
    assert BAR.quantile(logits, 1.0).item() == pytest.approx(1.1, abs=1e-6)


def test_samples_have_the_distributions_moments() -> None:
    logits = torch.tensor([[0.0, 2.0, -1.0, 1.0, 0.5], [3.0, 0, 0, 0, -3]], dtype=torch.double)
    drawn = BAR.sample(logits.expand(40_000, 2, 5), torch.Generator().manual_seed(0))
    assert drawn.shape == (40_000, 2)
    assert drawn.mean(0).tolist() == pytest.approx(BAR.mean(logits).tolist(), abs=0.01)
    assert drawn.var(0).tolist() == pytest.approx(BAR.variance(logits).tolist(), abs=0.01)


def test_borders_belong_to_the_bucket_above_and_the_ends_are_inside() -> None:
    y = torch.tensor([-0.1, 0.0, 0.29, 0.3, 0.35, 1.1], dtype=torch.double)
    assert BAR.bucket(y).tolist() == [0, 1, 1, 2, 3, 4]
    for outside in (-0.11, 1.11, float("nan")):
        with pytest.raises(OptimiseError, match="outside"):
            BAR.bucket(torch.tensor([outside], dtype=torch.double))


def test_borders_must_rise() -> None:
    for borders in ([0.0, 0.0, 1.0], [1.0], [1.0, 0.0]):
        with pytest.raises(OptimiseError, match="must rise"):
            BarDistribution(torch.tensor(borders))
