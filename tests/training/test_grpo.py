"""GRPO against closed forms, a bandit it must solve, and an agent whose words it must not learn."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scrubjay.models.tiny import TinySpec, build_tiny
from scrubjay.training.grpo import (
    GRPO,
    Task,
    group_advantages,
    kl_k3,
    train_grpo,
    written_logprobs,
)
from scrubjay.training.rollouts import Rollout, sample_rollouts

SPEC = TinySpec(vocabulary=12, width=16, layers=2, heads=2, feedforward=32)
END = 1


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def bandit() -> Task[int]:
    """Questions 4 and 5; the right first word is 8 or 9."""

    def rollout(model, questions, seed):  # type: ignore[no-untyped-def]
        return sample_rollouts(model, [[2, q] for q in questions], most=2, end=END, seed=seed)

    return Task(lambda update: [4, 5] * 4, rollout, lambda q, r: float(r.written[0] == q + 4))


def test_advantages_by_hand() -> None:
    found = group_advantages([1.0, 1.0, 0.0, 0.0])
    assert found == pytest.approx([0.5 / 0.5001] * 2 + [-0.5 / 0.5001] * 2)
    assert group_advantages([0.3] * 8) is None


@given(st.lists(st.sampled_from([-0.1, 0.0, 0.4, 1.0]), min_size=2, max_size=8))
def test_advantages_sum_to_nothing_and_keep_the_order(rewards: list[float]) -> None:
    found = group_advantages(rewards)
    if found is not None:
        assert sum(found) == pytest.approx(0, abs=1e-6)
        assert found.index(max(found)) == rewards.index(max(rewards))


def test_k3_is_positive_and_its_mean_is_the_kl() -> None:
    p, q = torch.tensor([0.5, 0.3, 0.2]), torch.tensor([0.2, 0.2, 0.6])
    each = kl_k3(p.log(), q.log())
    assert (each > 0).all()
    assert (p * each).sum() == pytest.approx((p * (p / q).log()).sum().item(), rel=1e-5)
    assert kl_k3(p.log(), p.log()).abs().max() == 0


def test_written_logprobs_are_the_models_own() -> None:
    model = build_tiny(SPEC)
    short, long = (
        Rollout((2, 4, 7, 1), (False, False, True, True)),
        Rollout((2, 5, 9, 6, 6, 8, 1), (False, False, True, False, False, True, True)),
    )
    found, entropies = written_logprobs(model, [short, long])
    expected = []
    for rollout in (short, long):
        logs = model(input_ids=torch.tensor([rollout.ids])).logits[0].log_softmax(-1)
        expected += [logs[i - 1, t] for i, t in enumerate(rollout.ids) if rollout.wrote[i]]
    assert found.tolist() == pytest.approx([e.item() for e in expected], abs=1e-5)
    assert ((entropies > 0) & (entropies <= math.log(12) + 1e-5)).all()


def test_no_gradient_comes_from_what_others_wrote() -> None:
    """Only the loss of the retrieved tokens would reach the row of the output for token 6."""
    model = build_tiny(SPEC)
    head = torch.nn.Linear(16, 12, bias=False)
    head.weight.data = model.lm_head.weight.data.clone()
    model.lm_head = head  # untied, so that an output row is only touched as a target or a rival
    rollout = Rollout((2, 5, 9, 6, 6, 8), (False, False, True, False, False, True))
    states = []
    head.register_forward_pre_hook(lambda module, args: states.append(args[0].shape))
    written_logprobs(model, [rollout])[0].sum().backward()
    assert states == [torch.Size([2, 16])]


def test_it_solves_a_bandit_and_dead_groups_move_nothing() -> None:
    model = build_tiny(SPEC)
    settings = GRPO(updates=45, rate=3e-3, kl=0.0, group=8)
    seen = train_grpo(model, bandit(), settings)
    assert seen[0].reward < 0.3
    assert sum(u.reward for u in seen[-5:]) / 5 > 0.75
    assert seen[-1].entropy < seen[0].entropy
    frozen = copy.deepcopy(model)
    same = Task(bandit().questions, bandit().rollout, lambda q, r: 1.0)
    assert [u.dead for u in train_grpo(model, same, GRPO(updates=2, rate=1.0))] == [1.0, 1.0]
    for before, after in zip(frozen.parameters(), model.parameters()):
        assert torch.equal(before, after)


def test_the_kl_keeps_the_policy_near_its_start() -> None:
    far, near = build_tiny(SPEC), build_tiny(SPEC)
    free = train_grpo(far, bandit(), GRPO(updates=20, rate=3e-3, kl=0.0))
    tied = train_grpo(near, bandit(), GRPO(updates=20, rate=3e-3, kl=5.0))
    assert tied[-1].kl < free[-1].kl / 3
    assert tied[0].kl == pytest.approx(0, abs=1e-6)


def test_a_killed_run_ends_with_the_same_weights(tmp_path: Path) -> None:
    settings = GRPO(updates=6, rate=5e-3, passes=2)
    whole, part = build_tiny(SPEC), build_tiny(SPEC)
    expected = train_grpo(whole, bandit(), settings)
    state = tmp_path / "state"
    train_grpo(part, bandit(), settings, checkpoint=state, every=2, look=lambda n, u: n == 3)
    again = build_tiny(SPEC)
    assert train_grpo(again, bandit(), settings, checkpoint=state, every=2) == expected
    for a, b in zip(whole.parameters(), again.parameters()):
        assert torch.equal(a, b)


def test_sampling_pads_on_the_left_and_stops_at_the_end() -> None:
    model = build_tiny(SPEC)
    prompts = [[2, 4], [2, 4, 7, 8, 9], [3]]
    together = sample_rollouts(model, prompts, most=6, end=END, temperature=0)
    for prompt, rollout in zip(prompts, together):
        (alone,) = sample_rollouts(model, [prompt], most=6, end=END, temperature=0)
        assert rollout == alone
        ids = list(prompt)
        for token in rollout.written:  # greedy, by whole passes without a cache
            assert token == model(input_ids=torch.tensor([ids])).logits[0, -1].argmax().item()
            ids.append(token)
        assert END not in rollout.written[:-1]
    assert sample_rollouts(model, [], most=3, end=END) == []
    with pytest.raises(ValueError, match="at least one token"):
        sample_rollouts(model, [[]], most=3, end=END)


def test_samples_follow_the_models_probabilities() -> None:
    model = build_tiny(SPEC)
    rows = sample_rollouts(model, [[2, 4]] * 4000, most=1, end=END, seed=1)
    counts = torch.bincount(torch.tensor([r.written[0] for r in rows]), minlength=12) / 4000
    truth = model(input_ids=torch.tensor([[2, 4]])).logits[0, -1].softmax(-1)
    assert (counts - truth).abs().max() < 0.03
