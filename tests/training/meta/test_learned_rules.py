"""Learned objectives against torch: the recurrence, the closed-form gradients, drifts and PPO."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scrubjay.core.errors import InputError
from scrubjay.deciding.policy_gradient import advantages
from scrubjay.training.meta.agents import Agents, Rollout, descend, into_rows, softmax
from scrubjay.training.meta.drift import ClipDrift, DriftNet, LearnedDrift, clip_width
from scrubjay.training.meta.objectives import LearnedPolicyGradient, LPGNet, relative_time

C, L, E, S, A, M = 2, 5, 3, 7, 4, 6
CLOCKS = ("none", "relative", "relative and length")


def rollout(seed: int = 0, agents: Agents | None = None) -> Rollout:
    rng = np.random.default_rng(seed)
    agents = agents or tables(seed)
    states = rng.integers(S, size=(C, L + 1, E))
    rows = np.arange(C)[:, None, None]
    return Rollout(
        states,
        rng.integers(A, size=(C, L, E)),
        rng.normal(size=(C, L, E)).astype(np.float32),
        rng.random((C, L, E)) < 0.3,
        agents.probabilities()[rows, states[:, :-1]],
        agents.memory[rows, states],
    )


def tables(seed: int = 0) -> Agents:
    rng = np.random.default_rng(seed + 100)
    return Agents(
        rng.normal(size=(C, S, A)).astype(np.float32), rng.normal(size=(C, S, M)).astype(np.float32)
    )


@pytest.mark.parametrize("lifetime", ["none", "ta"])
def test_the_network_is_torchs_gru_read_backwards(lifetime: str) -> None:
    net = LPGNet(M, 9, 5, lifetime)  # type: ignore[arg-type]
    rng = np.random.default_rng(0)
    flat = rng.normal(0, 0.5, (C, net.layout.dim)).astype(np.float32)
    seen, done, life = rollout(), np.array([3, 0]), np.array([10, 4])
    weight, target = LearnedPolicyGradient(net, flat).targets(seen, done, life)
    for c in range(C):
        w = {k: torch.tensor(v[c]) for k, v in net.layout.split(flat).items()}
        cell = torch.nn.GRUCell(w["input"].shape[0], 9)
        cell.weight_ih.data, cell.weight_hh.data = w["input"].T, w["state"].T
        cell.bias_ih.data = w["input_bias"]
        cell.bias_hh.data = torch.cat([torch.zeros(18), w["state_bias"]])
        for e in range(E):
            h = torch.zeros(9)
            for t in reversed(range(L)):
                over = float(seen.ended[c, t, e])
                phi = [
                    torch.relu(torch.tensor(softmax(seen.memory))[c, k, e] @ w["read"]
                               + w["read_bias"]) @ w["worth"] + w["worth_bias"]
                    for k in (t, t + 1)
                ]  # fmt: skip
                x = [
                    torch.tensor([seen.rewards[c, t, e], over, seen.chance[c, t, e]]),
                    phi[0],
                    (1 - over) * phi[1],
                ]
                if lifetime == "ta":
                    x.append(torch.tensor([done[c] / life[c], math.log(life[c])]))
                h = cell(torch.cat(x).float(), h * (1 - over))
                out = torch.relu(h) @ w["out"] + w["out_bias"]
                assert weight[c, t, e] == pytest.approx(out[0].item(), abs=1e-5)
                assert target[c, t, e] == pytest.approx(
                    out[1:].softmax(0).detach().numpy(), abs=1e-5
                )


def test_time_is_relative_and_the_lifetime_a_logarithm() -> None:
    late, long = relative_time(np.array([0, 5, 59]), np.array([10, 10, 60]))
    assert late.tolist() == pytest.approx([0.0, 0.5, 59 / 60])
    assert long.tolist() == pytest.approx([math.log(10), math.log(10), math.log(60)])
    assert np.isfinite(relative_time(np.array([0]), np.array([0]))).all()


def test_only_an_aware_objective_sees_the_time() -> None:
    rng, seen = np.random.default_rng(1), rollout()
    early, late = np.array([0, 0]), np.array([9, 9])
    life = np.array([10, 10])
    for lifetime, differs in (("none", False), ("ta", True)):
        net = LPGNet(M, lifetime=lifetime)  # type: ignore[arg-type]
        rule = LearnedPolicyGradient(net, net.layout.draw(rng))
        a, b = rule.targets(seen, early, life)[0], rule.targets(seen, late, life)[0]
        assert np.array_equal(a, b) != differs


def test_an_update_descends_the_stated_loss() -> None:
    net = LPGNet(M)
    agents = tables()
    rule = LearnedPolicyGradient(net, net.layout.draw(np.random.default_rng(2)), 3.0, 2.0)
    seen = rollout(agents=agents)
    weight, target = rule.targets(seen, np.zeros(C), np.ones(C))
    policy = torch.tensor(agents.policy, dtype=torch.double, requires_grad=True)
    memory = torch.tensor(agents.memory, dtype=torch.double, requires_grad=True)
    rows = torch.arange(C)[:, None, None]
    states = torch.tensor(seen.states[:, :-1])
    logs = policy.log_softmax(-1)[rows, states].gather(-1, torch.tensor(seen.actions)[..., None])
    y = memory.softmax(-1)[rows, states]
    kl = (y * (y.log() - torch.tensor(target).log())).sum(-1)
    loss = (torch.tensor(weight) * logs[..., 0] + 0.5 * kl).mean((1, 2)).sum()
    loss.backward()
    before = [t.detach().clone() for t in (policy, memory)]
    size = rule.update(agents, seen, np.zeros(C), np.ones(C))
    assert size == pytest.approx(np.abs(weight).mean((1, 2)))
    for new, old, leaf, rate in zip(
        (agents.policy, agents.memory), before, (policy, memory), (3.0, 2.0)
    ):
        gradient = leaf.grad
        assert gradient is not None
        shrink = torch.clamp(0.5 / gradient.norm(dim=(1, 2), keepdim=True), max=1)
        assert new == pytest.approx((old - rate * shrink * gradient).numpy(), abs=1e-5)


def test_no_step_is_longer_than_the_clip() -> None:
    table, gradient = np.zeros((2, 3, 2)), np.ones((2, 3, 2))
    gradient[1] *= 0.01
    descend(table, gradient, 2.0, most=0.5)
    assert np.linalg.norm(table[0]) == pytest.approx(1.0)
    assert table[1] == pytest.approx(-0.02 * np.ones((3, 2)))


def test_slopes_land_in_the_rows_of_their_states() -> None:
    rng = np.random.default_rng(0)
    states, slopes = rng.integers(S, size=(C, L, E)), rng.normal(size=(C, L, E, 2))
    expected = np.zeros((C, S, 2))
    for c, t, e in np.ndindex(C, L, E):
        expected[c, states[c, t, e]] += slopes[c, t, e]
    assert into_rows(states, slopes, S) == pytest.approx(expected, abs=1e-6)


def test_advantages_stop_at_ends_and_lean_on_the_cut() -> None:
    rng = np.random.default_rng(0)
    rewards, values = rng.normal(size=(1, 6, 1)), rng.normal(size=(1, 7, 1))
    ended = np.zeros((1, 6, 1), bool)
    ended[0, 3] = True
    found = advantages(rewards[0, :, 0], values[0, :, 0], 0.9, 0.8, ended[0, :, 0])
    first = advantages(rewards[0, :4, 0], values[0, :4, 0], 0.9, 0.8)
    # The second piece goes on after the cut: its last reward carries what V expects there.
    cut = rewards[0, 4:, 0].copy()
    cut[-1] += 0.9 * values[0, 6, 0]
    second = advantages(cut, values[0, 4:6, 0], 0.9, 0.8)
    assert found == pytest.approx(np.concatenate([first, second]))


reals = st.floats(-3, 3, allow_nan=False)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 1000), st.sampled_from(CLOCKS), st.sampled_from(["zero", "ppo"]), reals, reals,
    st.integers(0, 40), st.integers(1, 40),
)  # fmt: skip
def test_a_drift_is_never_negative_and_nothing_at_ratio_one(
    seed: int, clock: str, start: str, log_ratio: float, advantage: float, done: int, life: int
) -> None:
    net = DriftNet(5, clock, start)  # type: ignore[arg-type]
    drift = LearnedDrift(net, LearnedDrift.start(net, np.random.default_rng(seed), 2.0))
    when = np.array([done]), np.array([life])
    value, slope = drift(
        np.array([[[log_ratio, 0.0]]]), np.array([[[advantage, advantage]]]), *when
    )
    assert (value >= 0).all()
    assert value[0, 0, 1] == 0
    assert slope[0, 0, 1] == 0


@pytest.mark.parametrize("clock", CLOCKS)
@pytest.mark.parametrize("start", ["zero", "ppo"])
def test_the_slope_of_a_drift_is_torchs(clock: str, start: str) -> None:
    net = DriftNet(5, clock, start)  # type: ignore[arg-type]
    rng = np.random.default_rng(3)
    flat = rng.normal(0, 0.7, (C, net.layout.dim)).astype(np.float32)
    log_ratio, advantage = rng.normal(0, 0.5, (2, C, 4, 6))
    done, life = np.array([0, 2, 5, 9]), np.array([5, 10, 10, 40])
    value, slope = LearnedDrift(net, flat)(log_ratio, advantage, done, life)
    logs, a = torch.tensor(log_ratio, requires_grad=True), torch.tensor(advantage)
    rho = logs.exp()
    four = torch.stack([logs, logs**2, 1 - rho, (1 - rho) ** 2], -1)
    x = torch.cat([four, four * a[..., None]], -1)
    w = {k: torch.tensor(v, dtype=torch.double) for k, v in net.layout.split(flat).items()}
    inner = torch.einsum("ctbi,cih->ctbh", x, w["plain"])
    if "late" in w:
        f = torch.tensor(done / life)[None, :, None, None]
        inner = inner + torch.einsum("ctbi,cih->ctbh", f * x, w["late"])
    if "long" in w:
        f = torch.tensor(np.log(life))[None, :, None, None]
        inner = inner + torch.einsum("ctbi,cih->ctbh", f * x, w["long"])
    out = torch.einsum("ctbh,ch->ctb", inner.tanh(), w["out"])
    if start == "ppo":
        out = out + torch.relu((rho - rho.clamp(0.8, 1.2)) * a)
    expected = torch.relu(out - 1e-4)
    expected.sum().backward()
    assert logs.grad is not None
    assert value == pytest.approx(expected.detach().numpy(), abs=1e-4)
    assert slope == pytest.approx(logs.grad.numpy(), abs=1e-4)
    assert (value > 0).mean() > 0.1


@given(reals, reals)
def test_ppo_is_a_drift(log_ratio: float, advantage: float) -> None:
    when = np.array([0]), np.array([1])
    value, _ = ClipDrift(0.2)(np.array([[[log_ratio]]]), np.array([[[advantage]]]), *when)
    rho = math.exp(log_ratio)
    surrogate = min(rho * advantage, min(max(rho, 0.8), 1.2) * advantage)
    assert rho * advantage - value.item() == pytest.approx(surrogate, abs=1e-9)


def test_clip_widths_are_those_of_ppo_and_shrink_with_an_annealed_one() -> None:
    assert clip_width(ClipDrift(0.4), 0, 10) == pytest.approx((0.4, 0.4), abs=2e-3)
    assert clip_width(ClipDrift(0.4, anneal=True), 5, 10) == pytest.approx((0.2, 0.2), abs=2e-3)
    free = LearnedDrift(DriftNet(start_at="zero"), np.zeros(DriftNet().layout.dim))
    assert clip_width(free, 0, 10) == pytest.approx((3.0, 0.999))
    started = LearnedDrift(DriftNet(), np.zeros(DriftNet().layout.dim))
    assert clip_width(started, 0, 10) == pytest.approx((0.2, 0.2), abs=2e-3)


def test_opposite_weights_are_the_same_drift() -> None:
    """Why a search must never start at 0: both of every antithetic pair would be equal."""
    net = DriftNet(clock="relative")
    flat = LearnedDrift.start(net, np.random.default_rng(0))
    rng = np.random.default_rng(1)
    samples = rng.normal(0, 0.5, (2, 1, 3, 8))
    when = np.array([0, 1, 2]), np.array([3, 3, 3])
    value, slope = LearnedDrift(net, flat)(*samples, *when)
    other, other_slope = LearnedDrift(net, -flat)(*samples, *when)
    assert np.array_equal(value, other)
    assert np.array_equal(slope, other_slope)
    assert value.max() > 0


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: LPGNet(gru=0), "at least one unit"),
        (lambda: LPGNet(lifetime="raw"), "'none' or 'ta'"),  # type: ignore[arg-type]
        (lambda: DriftNet(hidden=0), "at least one hidden"),
        (lambda: DriftNet(clock="raw"), "no clock"),  # type: ignore[arg-type]
        (lambda: ClipDrift(0.0), "above 0"),
        (lambda: LearnedPolicyGradient(LPGNet(), np.zeros(3)), "weights, not 3"),
    ],
)
def test_mistakes_are_sentences(make: object, says: str) -> None:
    with pytest.raises(InputError, match=says):
        make()  # type: ignore[operator]
