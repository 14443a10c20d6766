"""Training: it learns what was planted, stops and goes on to the byte, and refuses nonsense."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from scrubjay.deciding.bo.curves import area
from scrubjay.deciding.bo.deep_kernel import DeepKernel, fit_deep_kernel
from scrubjay.deciding.bo.env import BOEnv
from scrubjay.deciding.bo.episodes import TEMPERATURE, TOP, log_policy, play
from scrubjay.deciding.bo.families import GPFamily
from scrubjay.deciding.bo.fit import Fit, fit_metabo, fit_nap, regression_loss
from scrubjay.deciding.bo.gp import GP, log_marginal
from scrubjay.deciding.bo.metabo import MetaBOStyle, one_hot
from scrubjay.deciding.bo.nap import NAPSpec, NeuralAcquisitionProcess
from scrubjay.deciding.bo.optimisers import GPEI, NPEI, RandomSearch, optimise
from scrubjay.deciding.bo.tasks import OptimiseError, Task, draw, squared_differences

TINY = NAPSpec((0,), width=16, layers=1, heads=1, buckets=12, acquisition=16)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@dataclass(frozen=True)
class Peaks:
    """All tasks are highest near 0.8: who knows it needs one trial."""

    kinds: tuple[int, ...] = (0,)

    def sample(self, rng: np.random.Generator) -> Task:
        x = rng.random((12, 1))
        peak = 0.8 + 0.02 * rng.standard_normal()
        return Task(x, 3 + np.exp(rng.normal()) * -np.abs(x[:, 0] - peak), self.kinds)


@pytest.mark.parametrize("parts", [{}, {"auxiliary": False}, {"reinforce": False}])
def test_a_shared_peak_is_learned(parts: dict[str, bool]) -> None:
    settings = Fit(40, trials=4, tasks=12, rate=8e-3, seed=1, **parts)  # type: ignore[arg-type]
    model, steps = fit_nap(Peaks(), settings, TINY)
    assert len(steps) == 40
    tasks = draw(Peaks(), 100, 1, "test")
    optimiser = NPEI(model) if "reinforce" in parts else model
    found = area(optimise(optimiser, tasks, 4).regret).mean()
    chance = area(optimise(RandomSearch(), tasks, 4).regret).mean()
    assert found < 0.3 * chance


def test_metabo_learns_a_shared_peak_from_rewards_alone() -> None:
    model, _ = fit_metabo(Peaks(), Fit(40, trials=4, tasks=12, rate=8e-3, seed=1))
    tasks = draw(Peaks(), 100, 1, "test")
    found = area(optimise(model, tasks, 4).regret).mean()
    assert found < 0.3 * area(optimise(RandomSearch(), tasks, 4).regret).mean()


def test_regression_approaches_the_truth() -> None:
    """Given four points of a line, the fifth is predicted: the likelihood beats a flat density."""
    _, steps = fit_nap(Peaks(), Fit(40, trials=5, rate=8e-3, reinforce=False), TINY)
    assert steps[0].auxiliary > steps[-1].auxiliary
    assert steps[-1].auxiliary < np.log(1.2) - 0.3  # flat on [-0.1, 1.1]
    assert np.isnan(steps[-1].reward)


def test_gp_ei_beats_chance() -> None:
    tasks = draw(GPFamily(2, 40, bump=0.0), 20, 0, "test")
    found = area(optimise(GPEI(), tasks, 10, initial=1).regret).mean()
    assert found < 0.85 * area(optimise(RandomSearch(), tasks, 10, initial=1).regret).mean()


KILLED = """
    import os, signal, sys
    from pathlib import Path
    import torch
    torch.set_num_threads(1)
    from scrubjay.deciding.bo import Fit, GPFamily, NAPSpec, fit_nap
    def look(done, step):
        if done == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
    family = GPFamily(1, 10)
    spec = NAPSpec(family.kinds, width=8, layers=1, heads=1, buckets=6, acquisition=8)
    model, _ = fit_nap(family, Fit(6, trials=4, tasks=4), spec,
                       checkpoint=Path(sys.argv[1]) / "state", every=2, look=look)
    model.save(Path(sys.argv[1]) / "model")
"""


def test_a_killed_training_ends_with_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    code = textwrap.dedent(KILLED)
    run = [sys.executable, "-c", code, str(tmp_path)]
    assert subprocess.run([*run, "5"]).returncode == -9
    assert (tmp_path / "state").exists()
    assert not (tmp_path / "model").exists()
    family = GPFamily(1, 10)
    spec = NAPSpec(family.kinds, width=8, layers=1, heads=1, buckets=6, acquisition=8)
    settings = Fit(6, trials=4, tasks=4)
    seen: list[int] = []
    on, steps = fit_nap(
        family, settings, spec, checkpoint=tmp_path / "state", look=lambda n, _: seen.append(n)
    )
    assert seen == [5, 6]
    assert len(steps) == 6
    on.save(tmp_path / "model")
    fit_nap(family, settings, spec)[0].save(tmp_path / "whole" / "model")
    assert (tmp_path / "model").read_bytes() == (tmp_path / "whole" / "model").read_bytes()


def test_episodes_keep_what_the_policy_did() -> None:
    torch.manual_seed(0)
    model = NeuralAcquisitionProcess(TINY)
    env = BOEnv(draw(Peaks(), 3, 0, "train"), 4)
    env.start(np.random.default_rng(0), 1)
    episodes = play(model, env, np.random.default_rng(1), discount=1.0, trace=1.0)
    assert len(episodes.actions) == 3 * 3
    assert episodes.inputs.x_cand.shape == (9, TOP, 1)
    # what was kept says again what the policy said, though all candidates were seen then
    alpha = model(*episodes.inputs)[0]
    assert torch.allclose(log_policy(alpha, episodes.actions), episodes.logs, atol=1e-5)
    assert torch.allclose(
        episodes.logs.exp(),
        (alpha / TEMPERATURE).softmax(-1).gather(1, episodes.actions[:, None])[:, 0],
        atol=1e-5,
    )
    # the chosen candidate of row (step t, task b) is the one that was tried
    chosen = episodes.inputs.x_cand.gather(1, episodes.actions[:, None, None])[:, 0, 0]
    tried = env.state.history[:, 1:, 0].T.reshape(-1)
    assert chosen.numpy() == pytest.approx(tried, abs=1e-6)
    # with γ = λ = 1 the return of the first step is the sum of the episode's rewards
    assert episodes.returns[:3].mean().item() == pytest.approx(episodes.reward, abs=1e-5)
    assert episodes.advantage.mean().item() == pytest.approx(0, abs=1e-5)
    assert episodes.regret == pytest.approx(env.regret[:, -1].mean())


def test_small_tasks_always_leave_a_choice() -> None:
    torch.manual_seed(0)
    env = BOEnv(draw(Peaks(), 3, 0, "train"), 12)
    episodes = play(
        NeuralAcquisitionProcess(TINY), env, np.random.default_rng(1), discount=1.0, trace=1.0
    )
    assert (np.sort(env.tried, axis=1) == np.arange(12)).all()
    assert torch.isfinite(episodes.logs).all()


def test_regression_loss_is_the_mean_over_candidates() -> None:
    torch.manual_seed(0)
    model = NeuralAcquisitionProcess(TINY)
    env = BOEnv(draw(Peaks(), 4, 0, "train"), 5)
    with torch.no_grad():
        for net in model.surrogate:
            if isinstance(net, torch.nn.Linear):
                net.weight.zero_()
                net.bias.zero_()
        found = regression_loss(model, env, np.random.default_rng(0))
    assert found.item() == pytest.approx(np.log(1.2), abs=1e-5)  # the flat density


def test_deep_kernel_likelihood_and_posterior_are_a_gps() -> None:
    """With features that are x / l it is the plain process, and training raises its likelihood."""
    model = DeepKernel((0, 0))
    model.phi = torch.nn.Linear(2, 2, bias=False)
    model.phi.weight.data = torch.diag(torch.tensor([2.0, 0.5]))
    rng = np.random.default_rng(0)
    x, y, at = rng.random((9, 2)), rng.standard_normal(9), rng.random((4, 2))
    noise = np.log(np.exp(-3.0) + 1e-4)
    theta = np.array([-np.log(2), np.log(2), 0.0, noise])
    told, _ = log_marginal(theta, squared_differences(x, x, (0, 0)), y)
    target = torch.tensor(y, dtype=torch.float32)
    assert model.log_marginal(x, target).item() == pytest.approx(told, rel=1e-4)
    mean, deviation = model.posterior(x, target, at)
    process = GP(theta, (0, 0), x, y, 0.0, 1.0)
    assert mean.tolist() == pytest.approx(process.predict(at)[0].tolist(), abs=1e-3)
    assert deviation.tolist() == pytest.approx(process.predict(at)[1].tolist(), abs=1e-3)


def test_deep_kernel_training_helps() -> None:
    family = Peaks()
    raw, fitted = (fit_deep_kernel(family, steps=n, points=10) for n in (0, 40))
    tasks = draw(family, 20, 0, "test")
    x = np.array([t.candidates for t in tasks])
    y = np.array([t.values for t in tasks])
    target = torch.tensor((y - y.mean(1, keepdims=True)) / y.std(1, keepdims=True)).float()
    gain = fitted.log_marginal(x, target).mean() - raw.log_marginal(x, target).mean()
    assert gain.item() > 1.0
    found = area(optimise(fitted, tasks, 5, initial=1).regret).mean()
    assert found < area(optimise(RandomSearch(), tasks, 5, initial=1).regret).mean()


def test_metabo_sees_the_process() -> None:
    env = BOEnv([Task(np.array([[0.1, 2], [0.5, 0], [0.9, 1]]), np.arange(3.0), (0, 3))], 3)
    model = MetaBOStyle(np.log([0.5, 0.5, 1.0, 0.01]), (0, 3))
    empty = model.inputs(env.state).x_cand[0]
    assert empty[:, :2].tolist() == [[0.0, 1.0]] * 3  # prior mean and deviation
    assert empty[:, 2:].tolist() == pytest.approx(one_hot(env.tasks[0].candidates, (0, 3)))
    env.step(np.array([0]))
    env.step(np.array([1]))
    seen = model.inputs(env.state)
    process = GP.given(model.theta, env.state.history[0], env.state.seen[0], (0, 3))
    mean, deviation = process.predict(env.tasks[0].candidates)
    scale = process.scale
    told = np.stack([(mean - process.offset) / scale, deviation / scale], axis=1)
    assert seen.x_cand[0, :, :2].numpy() == pytest.approx(told, abs=1e-5)
    assert seen.feats[0].tolist() == pytest.approx([1.0, 2 / 3])


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (Fit(1, reinforce=False, auxiliary=False), "nothing to learn from"),
        (Fit(1, trials=1), "two trials or more"),
        (Fit(1, trials=3, initial=3), "all initial"),
        (Fit(1, trials=99), "can't be made"),
    ],
)
def test_nonsense_is_refused(settings: Fit, says: str) -> None:
    with pytest.raises(OptimiseError, match=says):
        fit_nap(Peaks(), settings, TINY)


def test_rates_warm_up_and_fall_to_nothing() -> None:
    settings = Fit(100, rate=1.0)
    rates = [settings.at(i) for i in range(100)]
    assert max(rates) == pytest.approx(1.0, abs=0.02)
    assert rates[0] == pytest.approx(0.2)
    assert rates[-1] < 0.02
    assert np.argmax(rates) in (4, 5)
