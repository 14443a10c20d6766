"""The Gaussian process beside scikit-learn's, and improvement beside an integral."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import check_grad
from scipy.stats import norm
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

from scrubjay.deciding.bo.gp import GP, expected_improvement, log_marginal, posterior
from scrubjay.deciding.bo.tasks import squared_differences


def data(seed: int, t: int = 12, d: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.random((t, d))
    return x, np.sin(4 * x[:, 0]) + x[:, 1] ** 2 + 0.05 * rng.standard_normal(t)


def oracle(theta: np.ndarray, x: np.ndarray, y: np.ndarray) -> GaussianProcessRegressor:
    lengths, (signal, noise) = np.exp(theta[:-2]), np.exp(theta[-2:])
    kernel = ConstantKernel(signal) * RBF(lengths) + WhiteKernel(noise)
    return GaussianProcessRegressor(kernel, optimizer=None, alpha=0.0).fit(x, y)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 1000), st.lists(st.floats(-2, 1), min_size=5, max_size=5))
def test_likelihood_and_gradient_are_the_oracles(seed: int, logs: list[float]) -> None:
    theta = np.array(logs) - [0, 0, 0, 0, 1.5]
    x, y = data(seed)
    value, slope = log_marginal(theta, squared_differences(x, x, (0,) * 3), y)
    model = oracle(theta, x, y)
    # the oracle orders its parameters: signal, lengths, noise
    told, gradient = model.log_marginal_likelihood(model.kernel_.theta, eval_gradient=True)
    assert value == pytest.approx(told, rel=1e-6, abs=1e-6)
    ours = np.concatenate([slope[3:4], slope[:3], slope[4:]])
    assert ours == pytest.approx(gradient, rel=1e-5, abs=1e-5)


def test_gradient_with_levels_is_the_slope() -> None:
    rng = np.random.default_rng(0)
    x = np.column_stack([rng.random(10), rng.integers(0, 3, 10)])
    y = rng.standard_normal(10)
    squares = squared_differences(x, x, (0, 3))
    theta = np.array([-0.5, 0.3, 0.1, -2.0])
    off = check_grad(
        lambda t: log_marginal(t, squares, y)[0], lambda t: log_marginal(t, squares, y)[1], theta
    )
    assert off < 1e-4


def test_predictions_are_the_oracles() -> None:
    x, y = data(1)
    at = np.random.default_rng(2).random((7, 3))
    theta = np.log([0.3, 0.8, 2.0, 1.7, 0.02])
    mean, deviation = posterior(theta, x, y, at, (0,) * 3)
    told, sd = oracle(theta, x, y).predict(at, return_std=True)
    assert mean == pytest.approx(told, abs=1e-8)
    # the oracle's deviation is that of a noisy observation
    assert deviation**2 + 0.02 == pytest.approx(sd**2, abs=1e-8)


def test_levels_are_a_scaled_one_hot_code() -> None:
    """½ · (1/l²) for two different levels is an RBF on one-hot columns divided by √2."""
    rng = np.random.default_rng(3)
    level = rng.integers(0, 3, 9)
    x, y = np.column_stack([rng.random(9), level]), rng.standard_normal(9)
    wide = np.column_stack([x[:, 0], np.eye(3)[level] / np.sqrt(2)])
    theta = np.log([0.4, 0.7, 1.2, 0.1])
    mean, _ = posterior(theta, x, y, x, (0, 3))
    told = oracle(np.log([0.4, 0.7, 0.7, 0.7, 1.2, 0.1]), wide, y).predict(wide)
    assert mean == pytest.approx(told, abs=1e-8)


@pytest.mark.parametrize("seed", range(4))
def test_fitting_is_no_worse_than_the_oracles(seed: int) -> None:
    x, y = data(seed, t=15)
    y = (y - y.mean()) / y.std()
    found = GP.fit(x, y, (0,) * 3, prior=False)
    ours, slope = log_marginal(found.theta, squared_differences(x, x, (0,) * 3), found.y)
    bounds = (0.03, 30.0)
    kernel = ConstantKernel(1.0, (0.05, 20)) * RBF([0.5] * 3, bounds)
    kernel = kernel + WhiteKernel(0.01, (1e-6, 1.0))
    theirs = GaussianProcessRegressor(kernel, alpha=0.0, n_restarts_optimizer=2, random_state=0)
    assert ours >= theirs.fit(x, y).log_marginal_likelihood_value_ - 0.05
    assert len(slope) == 5


def test_predictions_have_the_targets_units() -> None:
    x, y = data(5)
    plain, far = GP.fit(x, y, (0,) * 3), GP.fit(x, 100 + 7 * y, (0,) * 3)
    (m, s), (m7, s7) = plain.predict(x), far.predict(x)
    assert m7 == pytest.approx(100 + 7 * m, rel=1e-3)
    assert s7 == pytest.approx(7 * s, rel=1e-2)


def test_constant_values_are_predicted_as_they_are() -> None:
    x, _ = data(6)
    mean, deviation = GP.fit(x, np.full(12, 3.0), (0,) * 3).predict(x)
    assert mean == pytest.approx(np.full(12, 3.0))
    assert np.isfinite(deviation).all()


def test_processes_side_by_side_are_each_their_own() -> None:
    (x, y), (u, v) = data(7), data(8)
    at = np.random.default_rng(9).random((2, 5, 3))
    theta = np.log([0.5, 0.5, 0.5, 1, 0.01])
    mean, deviation = posterior(theta, np.stack([x, u]), np.stack([y, v]), at, (0,) * 3)
    alone, wide = posterior(theta, u, v, at[1], (0,) * 3)
    assert mean[1] == pytest.approx(alone)
    assert deviation[1] == pytest.approx(wide)


@settings(deadline=None, max_examples=30)
@given(st.floats(-2, 2), st.floats(0.05, 2), st.floats(-2, 2))
def test_improvement_is_an_integral(mean: float, deviation: float, best: float) -> None:
    found = expected_improvement(np.array([mean]), np.array([deviation]), best)[0]
    top = max(best, mean) + 12 * deviation
    told = quad(
        lambda y: (y - best) * norm.pdf(y, mean, deviation), best, top, points=[max(mean, best)]
    )[0]
    assert found == pytest.approx(told, abs=1e-6)


def test_improvement_is_botorchs() -> None:
    botorch = pytest.importorskip("botorch")
    torch = pytest.importorskip("torch")
    x, y = (torch.tensor(a, dtype=torch.double) for a in data(1))
    model = botorch.models.SingleTaskGP(x, y[:, None])
    told = botorch.acquisition.ExpectedImprovement(model, y.max())(x[:, None])
    after = model.posterior(x)
    mean, variance = after.mean[:, 0].detach().numpy(), after.variance[:, 0].detach().numpy()
    found = expected_improvement(mean, np.sqrt(variance), y.max().item())
    assert found == pytest.approx(told.detach().numpy(), abs=1e-6)
