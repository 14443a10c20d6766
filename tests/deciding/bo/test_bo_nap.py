"""The network's mask, order and heads; the environment; saved files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scrubjay.core.errors import InputError
from scrubjay.deciding.bo.bar import BarDistribution
from scrubjay.deciding.bo.env import FLOOR, BOEnv, Online, UnitRange
from scrubjay.deciding.bo.nap import (
    Block,
    Inputs,
    NAPSpec,
    NeuralAcquisitionProcess,
    history_inputs,
    load_nap,
)
from scrubjay.deciding.bo.optimisers import NPEI, RandomSearch, best_untried, optimise
from scrubjay.deciding.bo.tasks import OptimiseError, Task

SPEC = NAPSpec((0, 3, 0), width=16, layers=2, heads=2, buckets=10, acquisition=8)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def made(**change: Any) -> NeuralAcquisitionProcess:
    torch.manual_seed(0)
    model = NeuralAcquisitionProcess(replace(SPEC, **change)).double()
    # borders are kept as they are given: bars in double, too
    model.bar = BarDistribution(model.bar.borders.double())
    return model


def random_inputs(seed: int, filled: list[int], t: int = 5, n: int = 7) -> Inputs:
    rng = np.random.default_rng(seed)

    def settings_of(count: int) -> np.ndarray:
        x = rng.random((len(filled), count, 3))
        x[..., 1] = rng.integers(0, 3, x.shape[:2])
        return x

    y = rng.random((len(filled), t))
    found = history_inputs(settings_of(t), y, settings_of(n), t, count=np.array(filled))
    return Inputs(*(p.double() if p.is_floating_point() else p for p in found))


def dense(block: Block, tokens: torch.Tensor, allowed: torch.Tensor) -> torch.Tensor:
    """A transformer layer with an explicit tokens × tokens mask, head by head."""
    w = tokens.shape[-1]
    each = w // block.heads
    q, k, v = block.qkv(block.first(tokens)).split(w, dim=-1)
    heads = []
    for h in range(block.heads):
        part = slice(h * each, (h + 1) * each)
        scores = q[:, part] @ k[:, part].T / each**0.5
        heads.append(scores.masked_fill(~allowed, float("-inf")).softmax(-1) @ v[:, part])
    tokens = tokens + block.out(torch.cat(heads, dim=-1))
    return tokens + block.feed(block.second(tokens))


@pytest.mark.parametrize("filled", [0, 3, 5])
def test_two_streams_are_one_layer_with_a_dense_mask(filled: int) -> None:
    model = made()
    inputs = random_inputs(1, [filled])
    logits, encoded = model.predict(*inputs[:4])
    history = model.encode(inputs.x_hist) + model.enc_y(inputs.y_hist[..., None])
    tokens = torch.cat([history, encoded], dim=1)[0]
    allowed = torch.eye(12, dtype=torch.bool)
    allowed[:, :filled] = True
    for block in model.blocks:
        tokens = dense(block, tokens, allowed)
    told = model.surrogate(model.norm(tokens[5:]))
    assert torch.allclose(logits[0], told, atol=1e-10)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10**6), st.permutations(range(7)), st.permutations(range(4)))
def test_orders_do_not_matter(seed: int, candidates: list[int], history: list[int]) -> None:
    model = made()
    inputs = random_inputs(seed, [4, 4])
    alpha, logits, value = model(*inputs)
    turned = inputs._replace(
        x_hist=inputs.x_hist[:, [*history, 4]],
        y_hist=inputs.y_hist[:, [*history, 4]],
        x_cand=inputs.x_cand[:, candidates],
    )
    again, bars, worth = model(*turned)
    assert torch.allclose(again, alpha[:, candidates], atol=1e-9)
    assert torch.allclose(bars, logits[:, candidates], atol=1e-9)
    assert torch.equal(worth, value)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10**6), st.integers(1, 6), st.integers(0, 5))
def test_what_is_said_of_a_candidate_depends_on_no_other(seed: int, cut: int, filled: int) -> None:
    model = made()
    inputs = random_inputs(seed, [filled, 5])
    alpha, logits, _ = model(*inputs)
    parts = [
        model(*inputs._replace(x_cand=inputs.x_cand[:, part]))
        for part in (slice(0, cut), slice(cut, 7))
    ]
    assert torch.allclose(torch.cat([p[0] for p in parts], dim=1), alpha, atol=1e-9)
    assert torch.allclose(torch.cat([p[1] for p in parts], dim=1), logits, atol=1e-9)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10**6), st.integers(0, 4))
def test_padding_is_not_seen_and_rows_do_not_mix(seed: int, filled: int) -> None:
    model = made()
    inputs = random_inputs(seed, [filled, 5])
    alpha, logits, _ = model(*inputs)
    x, y = inputs.x_hist.clone(), inputs.y_hist.clone()
    x[0, filled:] = torch.tensor([0.9, 2.0, 0.1], dtype=torch.double)
    y[0, filled:] = 0.7
    again, bars, _ = model(*inputs._replace(x_hist=x, y_hist=y))
    assert torch.allclose(again, alpha, atol=1e-9)
    short = inputs.rows(torch.tensor([0]))
    short = short._replace(x_hist=short.x_hist[:, :filled], y_hist=short.y_hist[:, :filled])
    assert torch.allclose(model(*short)[1][0], logits[0], atol=1e-9)
    assert torch.allclose(bars, logits, atol=1e-9)


def test_the_history_and_the_level_are_seen() -> None:
    model = made()
    inputs = random_inputs(3, [4])
    _, logits, _ = model(*inputs)
    y = inputs.y_hist.clone()
    y[0, 2] += 0.3
    assert (model(*inputs._replace(y_hist=y))[1] - logits).abs().max() > 1e-4
    x = inputs.x_cand.clone()
    x[0, 0, 1] = (x[0, 0, 1] + 1) % 3
    moved = (model(*inputs._replace(x_cand=x))[1] - logits).abs().amax(-1)[0]
    assert moved[0] > 1e-4
    assert moved[1:].max() < 1e-12


@pytest.mark.parametrize("head", ["mlp", "ei", "ucb"])
@pytest.mark.parametrize("joint", [True, False])
def test_heads_and_where_their_gradient_stops(head: str, joint: bool) -> None:
    model = made(head=head, joint=joint)
    inputs = random_inputs(4, [3, 5])
    alpha, logits, _ = model(*inputs)
    if head == "ei":
        assert torch.allclose(alpha, model.bar.ei(logits, inputs.feats[:, None, 0]))
    if head == "ucb":
        assert torch.allclose(alpha, model.bar.mean(logits) + 2 * model.bar.variance(logits) ** 0.5)
    touched = False
    if alpha.requires_grad:
        inside = list(model.blocks.parameters())
        slopes = torch.autograd.grad(alpha.sum(), inside, allow_unused=True)
        touched = any(g is not None and bool(g.abs().max() > 0) for g in slopes)
    assert touched == joint


def test_incumbent_and_time_are_the_features() -> None:
    inputs = random_inputs(5, [0, 2])
    assert inputs.feats[0].tolist() == [0.0, 0.0]
    assert inputs.feats[1].tolist() == pytest.approx([inputs.y_hist[1, :2].max().item(), 2 / 5])


def test_saved_models_are_the_same_and_other_files_are_refused(tmp_path: Path) -> None:
    torch.manual_seed(1)
    model = NeuralAcquisitionProcess(SPEC)
    model.save(tmp_path / "a.nap")
    again = load_nap(tmp_path / "a.nap")
    assert again.spec == model.spec
    inputs = Inputs(*(p.float() if p.is_floating_point() else p for p in random_inputs(6, [2])))
    assert torch.equal(model(*inputs)[0], again(*inputs)[0])
    (tmp_path / "b").write_text(json.dumps({"kinds": [0]}))
    for name, says in (("b", "is not a saved"), ("c", "can't be read")):
        with pytest.raises(InputError, match=says):
            load_nap(tmp_path / name)
    cut = (tmp_path / "a.nap").read_bytes()[:-10]
    (tmp_path / "d").write_bytes(cut)
    with pytest.raises(InputError, match="is not a saved"):
        load_nap(tmp_path / "d")


# --- the environment -----------------------------------------------------------------------------


def task(values: list[float]) -> Task:
    n = len(values)
    return Task(np.linspace(0, 1, n)[:, None], np.array(values, dtype=float), (0,))


def test_rewards_and_regret_by_hand() -> None:
    env = BOEnv([task([0, 5, 10, 10]), task([1, 2, 3, 5])], trials=3)
    assert env.step(np.array([0, 3])).tolist() == pytest.approx([0.0, 1 / 3])
    rewards = env.step(np.array([1, 0]))
    assert rewards.tolist() == pytest.approx([np.log(0.5) / np.log(FLOOR) / 3, 1 / 3])
    assert env.regret.tolist() == [[1.0, 0.5], [0.0, 0.0]]
    assert env.state.seen.tolist() == [[0.0, 0.5], [1.0, 0.0]]
    assert env.state.free.tolist() == [[False, False, True, True], [False, True, True, False]]
    with pytest.raises(OptimiseError, match="only once"):
        env.step(np.array([1, 1]))
    env.step(np.array([2, 1]))
    assert env.done
    with pytest.raises(OptimiseError, match="are spent"):
        env.step(np.array([3, 2]))


def test_candidates_are_masked_by_index_not_by_place() -> None:
    """Two candidates with the same settings are two candidates."""
    twins = Task(np.array([[0.5], [0.5], [0.2]]), np.array([1.0, 2.0, 0.0]), (0,))
    env = BOEnv([twins], trials=2)
    env.step(np.array([0]))
    assert env.state.free.tolist() == [[False, True, True]]


def test_online_scaling_leaks_no_range() -> None:
    tame, wild = task([1, 2, 3, 4]), task([1, 2, 3, 4000])
    envs = [BOEnv([t], 3, Online(0.5, 0.2)) for t in (tame, wild)]
    for env in envs:
        assert env.state.seen.shape == (1, 0)
        env.step(np.array([0]))
        assert env.state.seen.tolist() == [[0.5]]
        env.step(np.array([2]))
        assert env.state.seen[0].tolist() == pytest.approx([0.3, 0.7])
    known = [BOEnv([t], 3, UnitRange()) for t in (tame, wild)]
    for env in known:
        env.step(np.array([2]))
    assert known[0].state.seen[0, 0] != known[1].state.seen[0, 0]


def test_contexts_are_random_trials_on_their_own_scale() -> None:
    env = BOEnv([task([0, 5, 10, 10]), task([1, 2, 3, 5])], 4, Online(0.5, 0.25))
    count = np.array([2, 3])
    chosen, seen, targets = env.context(count, np.random.default_rng(0))
    for i in range(2):
        real = env.values[i, chosen[i, : count[i]]]
        assert len(set(chosen[i, : count[i]])) == count[i]
        if real.std() > 0:
            z = np.clip(0.5 + 0.25 * (real - real.mean()) / real.std(), 0, 1)
            assert seen[i, : count[i]] == pytest.approx(z)
        assert seen[i, : count[i]] == pytest.approx(targets[i, chosen[i, : count[i]]])


def test_bad_games_are_refused() -> None:
    with pytest.raises(OptimiseError, match="3 trials can't be made with 2"):
        BOEnv([task([0, 1])], 3)
    with pytest.raises(OptimiseError, match="no task"):
        BOEnv([], 1)
    with pytest.raises(OptimiseError, match="must have the same"):
        BOEnv([task([0, 1]), task([0, 1, 2])], 1)
    with pytest.raises(OptimiseError, match="kinds"):
        NeuralAcquisitionProcess(SPEC).inputs(BOEnv([task([0, 1])], 1).state)


def test_constant_values_give_a_warning_and_a_random_order() -> None:
    tasks = [task([2, 2, 2, 2, 2])] * 60
    torch.manual_seed(0)
    model = NeuralAcquisitionProcess(NAPSpec((0,), width=8, layers=1, heads=1, buckets=4))
    with pytest.warns(UserWarning, match="one value only"):
        played = optimise(model, tasks, 3)
    assert (played.regret == 0).all()
    assert len({tuple(row) for row in played.tried}) > 25  # of 60 orders of three


def test_ties_are_broken_by_chance_and_only_among_the_free() -> None:
    scores = np.tile([1.0, 3.0, 3.0, 3.0], (300, 1))
    free = np.tile([True, False, True, True], (300, 1))
    found = best_untried(scores, free, np.random.default_rng(0))
    assert set(found) == {2, 3}
    assert 100 < (found == 2).sum() < 200


def test_the_first_trials_are_the_same_for_all() -> None:
    tasks = [task(list(range(9)))] * 4
    torch.manual_seed(0)
    model = NeuralAcquisitionProcess(NAPSpec((0,), width=8, layers=1, heads=1, buckets=4))
    a, b = (optimise(o, tasks, 5, initial=2, seed=3) for o in (RandomSearch(), NPEI(model)))
    assert (a.tried[:, :2] == b.tried[:, :2]).all()
    for row in b.tried:
        assert len(set(row)) == 5
