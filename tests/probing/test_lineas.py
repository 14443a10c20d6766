"""LinEAS and its relatives: planted Gaussians, a planted switch, the proximal step, equality."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.probing.tiny_families import tiny

from scrubjay.core.errors import InputError
from scrubjay.models.tiny import TinySpec, build_tiny
from scrubjay.probing.errors import ProbeError
from scrubjay.probing.lineas import LinEAS, distances, fit_lineas, sparse_group_lasso, wasserstein
from scrubjay.probing.open import OpenModel
from scrubjay.probing.pooled import pooled
from scrubjay.probing.sites import Site
from scrubjay.probing.steering_baselines import (
    fit_classifier_shift,
    fit_gaussian,
    fit_linear_act,
    fit_mean_shift,
)
from scrubjay.probing.steering_effect import SteeringEffect
from scrubjay.probing.steering_maps import SteeringMaps
from scrubjay.worlds.behaviours import BEHAVIOURS, Behaviour, blames, guesses

FITS = (fit_mean_shift, fit_gaussian, fit_linear_act, fit_classifier_shift)
HERE = [Site("resid_pre", 0)]


class _Words:
    """A tokenizer of whole words."""

    pad_token_id, eos_token_id = 41, 41

    def __init__(self, words: list[str]) -> None:
        self.words = words

    def __call__(self, text: str, **_: object) -> dict[str, list[int]]:
        return {"input_ids": [self.words.index(w) for w in text.split()]}

    def batch_decode(self, ids: list[list[int]], **_: object) -> list[str]:
        return [" ".join(self.words[i] for i in row) for row in ids]


def gaussians(n: int = 40):
    """A model whose tokens 2 to n+1 are draws of N(1, 2²), the next n of N(-3, 0.5²)."""
    model = build_tiny(TinySpec(2 + 2 * n, 8, 2, heads=2, feedforward=16))
    random = torch.Generator().manual_seed(0)
    table = model.get_input_embeddings().weight.data
    table[2 : n + 2] = 1 + 2 * torch.randn(n, 8, generator=random)
    table[n + 2 :] = -3 + 0.5 * torch.randn(n, 8, generator=random)
    model.requires_grad_(False)
    return model, [[1, 2 + i] for i in range(n)], [[1, 2 + n + i] for i in range(n)]


def switch():
    """A model that passes its embedding on; coordinate 3 alone says token 0 or token 1."""
    model = build_tiny(TinySpec(42, 16, 1, heads=2, feedforward=16))
    random = torch.Generator().manual_seed(1)
    for block in model.model.layers:
        block.self_attn.o_proj.weight.data.zero_()
        block.mlp.down_proj.weight.data.zero_()
    model.lm_head.weight = torch.nn.Parameter(torch.zeros(42, 16))
    model.lm_head.weight.data[0, 3], model.lm_head.weight.data[1, 3] = 5.0, -5.0
    rows = 0.3 * torch.randn(20, 16, generator=random)
    table = model.get_input_embeddings().weight.data
    table[2:22], table[22:] = rows, rows  # the two sides differ in nothing else
    table[2:22, 3], table[22:, 3] = -1 + 0.1 * rows[:, 3], 1 + 0.1 * rows[:, 3]
    model.requires_grad_(False)
    return model, [[2, 2 + i] for i in range(20)], [[2, 22 + i] for i in range(20)]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(-5, 5), min_size=1, max_size=4), st.lists(st.floats(-5, 5), min_size=1, max_size=4))  # fmt: skip  # noqa: E501
def test_distance_is_the_cheapest_assignment(a: list[float], b: list[float]) -> None:
    """Both sides blown up to as many equal grains, by trying all assignments of one side's."""
    grains = int(np.lcm(len(a), len(b)))
    if grains > 6:
        return
    left, right = np.repeat(a, grains // len(a)), np.repeat(b, grains // len(b))
    cheapest = min(float(np.mean((left - np.array(p)) ** 2)) for p in permutations(right))
    found = wasserstein(*(torch.tensor(x, dtype=torch.float64)[:, None] for x in (a, b)))
    assert float(found) == pytest.approx(cheapest, abs=1e-9)


def test_distance_of_rows_in_another_order_and_of_a_shift() -> None:
    u = torch.randn(9, 5, generator=torch.Generator().manual_seed(0))
    assert float(wasserstein(u, u[torch.randperm(9)])) == 0
    assert float(wasserstein(u, u + 2)) == pytest.approx(4 * 5, rel=1e-5)
    v = u[:6].clone().requires_grad_(True)
    wasserstein(u, v).backward()
    assert v.grad is not None
    assert v.grad.isfinite().all()
    with pytest.raises(ProbeError, match="one width"):
        wasserstein(u, torch.zeros(0, 5))


def test_proximal_step() -> None:
    ones = torch.ones(4)
    assert torch.equal(sparse_group_lasso(ones, 1.0, 0.1, 1, 1), ones)
    near = ones + torch.tensor([0.05, 0.0, 0.0, 0.15])
    assert torch.equal(sparse_group_lasso(near, 1.0, 0.1, 1, 1), ones)  # the group is too weak
    far = sparse_group_lasso(torch.tensor([3.0, 0.05]), 0.0, 0.1, 1.0, 0.5)
    by_hand = 2.9 * (1 - 0.1 * 0.5 * 2**0.5 / 2.9)
    assert far.tolist() == pytest.approx([by_hand, 0.0])


@pytest.mark.parametrize("scaled", [True, False])
def test_gaussians_in_closed_form(scaled: bool) -> None:
    model, source, target = gaussians()
    x, y = (pooled(model, t, HERE)[HERE[0]] for t in (source, target))
    omega = y.std(0, correction=0) / x.std(0, correction=0)
    how = LinEAS(250, 0.2 if scaled else 0.06, scaled=scaled)
    learned = fit_lineas(model, source, target, HERE, how).maps[HERE[0]]
    for scale, shift in (learned, fit_linear_act(model, source, target, HERE).maps[HERE[0]]):
        assert scale.numpy() == pytest.approx(omega.numpy(), abs=0.05)
        assert shift.numpy() == pytest.approx((y.mean(0) - omega * x.mean(0)).numpy(), abs=0.12)
    gauss = fit_gaussian(model, source, target, HERE).maps[HERE[0]]
    assert gauss[0].numpy() == pytest.approx(omega.numpy(), rel=1e-4)
    mean = fit_mean_shift(model, source, target, HERE).maps[HERE[0]]
    assert mean[1].numpy() == pytest.approx((y.mean(0) - x.mean(0)).numpy(), rel=1e-4)


def test_sparse_maps_find_the_switch_and_turn_it() -> None:
    model, source, target = switch()
    maps = fit_lineas(model, source, target, HERE, LinEAS(100, 0.2, sparsity=0.05))
    assert maps.support()[HERE[0]].tolist() == [3]
    assert maps.share == 1 / 16
    ids = torch.tensor(source)
    said = model.generate(ids, max_new_tokens=1, do_sample=False, pad_token_id=0)[:, -1]
    assert (said == 1).all()
    with maps.applied(model):
        said = model.generate(ids, max_new_tokens=1, do_sample=False, pad_token_id=0)[:, -1]
    assert (said == 0).all()
    swapped = fit_lineas(model, target, source, HERE, LinEAS(100, 0.2, sparsity=0.05))
    with swapped.applied(model):  # the other way round there is nothing to turn
        said = model.generate(ids, max_new_tokens=1, do_sample=False, pad_token_id=0)[:, -1]
    assert (said == 1).all()


def test_end_to_end_beats_layer_by_layer_on_its_own_loss() -> None:
    model = build_tiny(TinySpec(60, 16, 3, heads=2, feedforward=32, seed=4)).requires_grad_(False)
    random = np.random.default_rng(0)
    source = [[1, *random.integers(4, 30, 6).tolist()] for _ in range(24)]
    target = [[1, *random.integers(30, 60, 6).tolist()] for _ in range(24)]
    learned = fit_lineas(model, source, target, None, LinEAS(300, 0.1))
    sites = list(learned.maps)
    plain = sum(distances(model, source, target, sites).values())
    ours = sum(distances(model, source, target, sites, learned).values())
    act = sum(distances(model, source, target, sites, fit_linear_act(model, source, target)).values())  # fmt: skip  # noqa: E501
    assert ours < act < plain


@pytest.mark.parametrize("component", ["resid_pre", "resid_mid", "resid_post", "neurons"])
def test_every_component_can_be_learned_at(component: str) -> None:
    model, source, target = gaussians(10)
    sites = [Site(component, n) for n in range(2)]
    maps = fit_lineas(model, source, target, sites, LinEAS(30, 0.02))
    assert sum(distances(model, source, target, sites, maps).values()) < sum(
        distances(model, source, target, sites).values()
    )


def test_clipping_helps_where_early_sites_are_steep() -> None:
    """The first layers of an untrained OLMo 2 are 10,000 times as steep as its last ones."""
    model = tiny("olmo2")
    source = [[1, 3 + i, 4 + i, 5] for i in range(6)]
    target = [[1, 20 - i, 19 - i, 6] for i in range(6)]
    left = {}
    for clip in (None, 1.0):
        maps = fit_lineas(model, source, target, None, LinEAS(25, clip=clip))
        left[clip] = sum(distances(model, source, target, list(maps.maps), maps).values())
    assert left[1.0] < 0.6 * left[None]
    with pytest.raises(ProbeError, match="positive length"):
        LinEAS(clip=0)


def test_strength_zero_and_the_way_back(tmp_path: Path) -> None:
    model, source, target = gaussians(10)
    ids = torch.tensor(source)
    before = model(ids).logits
    for fit in FITS:
        maps = fit(model, source, target)
        with maps.applied(model, 0.0):
            assert torch.equal(model(ids).logits, before)
    (site,) = HERE
    some = fit_gaussian(model, source, target, HERE)
    with some.applied(model), some.inverse().applied(model, within=True):
        assert model(ids).logits.numpy() == pytest.approx(before.numpy(), abs=1e-4)
    some.save(tmp_path / "maps.safetensors")
    again = SteeringMaps.load(tmp_path / "maps.safetensors")
    assert again.method == "gaussian"
    assert torch.equal(again.maps[site][0], some.maps[site][0])
    assert torch.equal(model(ids).logits, before)


def test_bad_input_is_one_sentence(tmp_path: Path) -> None:
    model, source, target = gaussians(4)
    with pytest.raises(ProbeError, match="at least 2 tokens"):
        fit_lineas(model, [], target)
    with pytest.raises(ProbeError, match="at least 2 tokens"):
        fit_mean_shift(model, source, [[3]])
    with pytest.raises(ProbeError, match="whole components"):
        fit_lineas(model, source, target, ["L0.H1.z"])
    wild = fit_lineas(model, source, target, None, LinEAS(40, 1e4))  # far too fast: steps back
    sites = list(wild.maps)
    before, after = (sum(distances(model, source, target, sites, m).values()) for m in (None, wild))
    assert after < before
    with pytest.raises(ProbeError, match="at least one step"):
        LinEAS(0)
    maps = fit_mean_shift(model, source, target)
    with maps.applied(model), pytest.raises(ProbeError, match="within=True"):  # noqa: SIM117
        with maps.applied(model):
            pass
    flat = SteeringMaps({HERE[0]: (torch.tensor([1.0, 0.0]), torch.zeros(2))})
    with pytest.raises(ProbeError, match="coordinate 1 is 0"):
        flat.inverse()
    with pytest.raises(ProbeError, match="8 wide"), flat.applied(model):
        pass
    (tmp_path / "x").write_text("nonsense")
    with pytest.raises(InputError, match="no steering maps"):
        SteeringMaps.load(tmp_path / "x")
    with pytest.raises(InputError, match="no steering maps"):
        SteeringMaps.load(tmp_path / "missing")


def test_instrument_on_a_planted_switch() -> None:
    """Every method but the shuffled one turns the output of the model that has one switch."""
    model, _, _ = switch()
    names = ["no", "yes", *(f"a{i}" for i in range(20)), *(f"b{i}" for i in range(20))]
    tokenizer = _Words(names)
    told = Behaviour(
        "switch",
        tuple(f"a0 a{i}" for i in range(10)),
        tuple(f"a0 b{i}" for i in range(10)),
        tuple(f"a0 a{i}" for i in range(10, 20)),
        tuple(f"a0 a{i}" for i in range(5)),
        lambda text: text.split()[0] == "yes",
    )
    how = SteeringEffect(tokens=2, steps=60, sparsity=(), strengths=(1.0,), sites=("L0.resid_pre",))
    found = how.measure(OpenModel(model, tokenizer), told)
    rate = {r["method"]: r["rate"] for r in found.tables["Methods"]}
    assert rate["none"] == 1
    assert max(rate[m] for m in ("lineas", "linear act", "mean shift")) == 0
    assert rate["lineas, shuffled"] > 0.5
    assert not found.notes
    idle = replace(how, steps=1, rate=1e-9, baselines=False, strengths=(1e-9,))
    (note,) = idle.measure(OpenModel(model, tokenizer), told).notes
    assert "with every method, and with none, 100% of the prompts" in note
    with pytest.raises(ProbeError, match="no behaviour 'x'"):
        SteeringEffect("x").measure(OpenModel(model, tokenizer))


def test_behaviours_know_themselves() -> None:
    for name, make in BEHAVIOURS.items():
        told = make(12, 12, 3)
        assert told == make(12, 12, 3)
        assert not set(told.prompts) & {*told.source, *told.target}
        if name == "tone":
            assert all(blames(t) for t in told.source)
            assert not any(blames(t) for t in told.target)
        else:
            assert all(guesses(t.partition("Answer:")[2]) for t in told.source)
            assert not any(guesses(t.partition("Answer:")[2]) for t in told.target)
