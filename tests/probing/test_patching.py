"""Patching against plain hooks, on every family."""

import pytest
import torch
from tests.probing import plain_hooks as plain
from tests.probing.tiny_families import NAMES, tiny, tokens

from scrubjay.probing import Anatomy, ProbeError, interchange, patch, record, steer

CLOSE = {"atol": 1e-5, "rtol": 1e-5}
A, B = tokens(2, 8, 1), tokens(2, 8, 2)


def patched(model, patches, ids=A, **options):
    with torch.no_grad(), patch(model, patches, **options):
        return model(ids).logits


def recorded(model, ids, *sites, **options):
    with torch.no_grad(), record(model, *sites, **options) as seen:
        model(ids)
    return seen


@pytest.mark.parametrize("name", NAMES)
def test_a_patched_component_equals_a_plain_hook(name):
    model = tiny(name)
    size, block = plain.head_size(model), plain.blocks_of(model)[1]
    seen = recorded(model, B, "L1.H2.z@5", "L1.resid_post@5", "L1.H1.k@3", "L1.H1.v@3", "L1.H3.q@7")
    z = plain.grab(model, plain.out_of(block), B, inputs=True)[:, 5, 2 * size : 3 * size]
    post = plain.grab(model, block, B)[:, 5]
    torch.testing.assert_close(seen["L1.H2.z@5"], z, **CLOSE)
    with torch.no_grad():
        with plain.set_head(model, 1, 2, 5, z):
            expected = model(A).logits
        torch.testing.assert_close(
            patched(model, {"L1.H2.z@5": seen["L1.H2.z@5"]}), expected, **CLOSE
        )
        with plain.set_output(block, 5, post):
            expected = model(A).logits
        torch.testing.assert_close(
            patched(model, {"L1.resid_post@5": seen["L1.resid_post@5"]}), expected, **CLOSE
        )
        for kind, head, position in (("k", 1, 3), ("v", 1, 3), ("q", 3, 7)):
            module, columns = plain.projection(model, 1, kind, head)
            value = plain.grab(model, module, B)[:, position, columns]
            with plain.set_projection(model, 1, kind, head, position, value):
                expected = model(A).logits
            site = f"L1.H{head}.{kind}@{position}"
            torch.testing.assert_close(patched(model, {site: seen[site]}), expected, **CLOSE)


@pytest.mark.parametrize("name", NAMES)
def test_patching_everything_between_layers_gives_the_other_run(name):
    model = tiny(name)
    with torch.no_grad():
        other = model(B).logits
    for site in ("L0.resid_pre", "L2.resid_post", *(["L1.resid_mid"] * (name != "gpt_neox"))):
        torch.testing.assert_close(patched(model, recorded(model, B, site)), other, **CLOSE)
    own = recorded(model, A, "L1.attn", "L0.neurons" if name == "llama" else "L0.v", "L2.mlp_out")
    with torch.no_grad():
        torch.testing.assert_close(patched(model, own), model(A).logits, **CLOSE)


@pytest.mark.parametrize("name", ["llama", "gemma2", "gpt2", "gpt_neox", "qwen3"])
def test_patched_attention_weights_are_the_ones_used(name):
    model = tiny(name)
    anatomy = Anatomy.of(model)
    row = torch.zeros(8)
    row[2] = 1.0  # head 3 at position 6 reads position 2 and nothing else
    with (
        torch.no_grad(),
        patch(model, {"L1.H3.attn@6": row}),
        record(model, "L1.v", "L1.H3.z@6") as seen,
    ):
        model(A)
    torch.testing.assert_close(seen["L1.H3.z@6"], seen["L1.v"][:, 2, anatomy.kv_head(3)], **CLOSE)


def test_each_row_may_carry_its_own_patch():
    model = tiny("llama")
    seen = recorded(model, B, "L0.H1.z@4", "L2.resid_pre@7", "L1.H0.k", "L1.H2.attn@6")
    one = [{site: seen[site][0]} for site in seen]
    rows = patched(model, one, A[:1].expand(4, -1))
    for row, single in enumerate(one):
        torch.testing.assert_close(rows[row], patched(model, single, A[:1])[0], **CLOSE)
    with pytest.raises(ProbeError, match="patches for 4 rows, the batch has 2"):
        patched(model, one)


def test_interchange_at_other_positions_of_a_longer_prompt():
    model, longer = tiny("gpt2"), tokens(2, 11, 3)
    at, there = torch.tensor([2, 7]), torch.tensor([9, 4])
    logits = interchange(model, A, longer, ["L1.resid_pre"], positions=at, source_positions=there)
    value = recorded(model, longer, "L1.resid_pre", positions=there)["L1.resid_pre"]
    expected = patched(model, {"L1.resid_pre": value}, positions=at)[:, -1]
    torch.testing.assert_close(logits, expected)
    with torch.no_grad():
        assert (logits - model(A).logits[:, -1]).abs().max() > 1e-3
    with pytest.raises(ProbeError, match="8 and 11 tokens and can't be aligned"):
        interchange(model, A, longer, ["L1.resid_pre"])


@pytest.mark.parametrize("name", ["llama", "gemma2", "olmo2", "gpt_neox"])
def test_steering_by_hand(name):
    model, anatomy = tiny(name), Anatomy.of(tiny(name))
    random = torch.Generator().manual_seed(0)
    v = torch.randn(32, generator=random)
    u = torch.linalg.qr(torch.randn(32, 2, generator=random))[0]
    w, b = torch.randn(32, 32, generator=random) / 5, torch.randn(32, generator=random)
    x = recorded(model, A, "L1.resid_post")["L1.resid_post"]
    for how, given, expected in (
        ("add", v, x + 2 * v),
        ("project_out", (torch.randn(2, 2, generator=random) @ u.T), x - x @ u @ u.T),
        ("affine", (w, b), x @ w.T + b),
        ("affine", (v, b), x * v + b),
    ):
        scale = 2.0 if how == "add" else 1.0
        with (
            torch.no_grad(),
            steer(model, {1: given}, how=how, scale=scale),
            record(model, "L1.resid_post", "L2.resid_pre") as seen,
        ):
            model(A)
        torch.testing.assert_close(seen["L1.resid_post"], expected, atol=1e-4, rtol=1e-4)
        assert torch.equal(seen["L1.resid_post"], seen["L2.resid_pre"])
    with (
        torch.no_grad(),
        steer(anatomy, {"L1.H2.z": torch.ones(anatomy.d_head)}, positions=[3]),
        record(model, "L1.z") as seen,
    ):
        model(A)
    z = recorded(model, A, "L1.z")["L1.z"]
    z[:, 3, 2] += 1
    torch.testing.assert_close(seen["L1.z"], z)


def test_steering_a_neuron_and_while_generating():
    model = tiny("llama")
    with (
        torch.no_grad(),
        steer(model, {"L1.N5.neurons": [2.0]}),
        record(model, "L1.neurons") as seen,
    ):
        model(A)
    plain_ = recorded(model, A, "L1.neurons")["L1.neurons"]
    plain_[:, :, 5] += 2
    torch.testing.assert_close(seen["L1.neurons"], plain_)
    with steer(model, {2: 100 * model.lm_head.weight[17]}):
        text = model.generate(A, max_new_tokens=3, do_sample=False, pad_token_id=0)
    assert (text[:, 8:] == 17).all()
    with steer(model, {2: 100 * model.lm_head.weight[17]}, positions=[7]):
        text = model.generate(A, max_new_tokens=3, do_sample=False, pad_token_id=0)
    assert (text[:, 8] == 17).all()
    assert not (text[:, 9:] == 17).all()


@pytest.mark.parametrize(
    ("patches", "says"),
    [
        ({}, "no patches"),
        ({"L1.z": torch.zeros(3)}, "doesn't fit"),
        ({"L1.resid_post": torch.zeros(2, 9, 32)}, "same number of tokens"),
        ({"L1.H2.z@3": torch.tensor([float("nan")] * 8)}, "value for L1.H2.z@3 is nan"),
        ({"L1.H2.z@30": torch.zeros(8)}, "position 30 was never reached"),
        ({"L7.z": torch.zeros(8)}, "has 3 layers"),
        ({"nowhere": torch.zeros(8)}, "no component 'nowhere'"),
    ],
)
def test_patches_that_cant_be_are_refused(patches, says):
    with pytest.raises(ProbeError, match=says):
        patched(tiny("llama"), patches)


@pytest.mark.parametrize(
    ("directions", "how", "says"),
    [
        ({}, "add", "no directions"),
        ({1: torch.zeros(31)}, "add", "32 wide"),
        ({1: torch.zeros(32)}, "project_out", "span only 0"),
        ({1: torch.ones(2, 32)}, "project_out", "span only 1"),
        ({1: torch.ones(32)}, "affine", "is a pair"),
        ({1: (torch.ones(3, 32), torch.ones(32))}, "affine", "32 × 32"),
        ({1: torch.ones(32)}, "push", "can't steer by 'push'"),
        ({9: torch.ones(32)}, "add", "has 3 layers"),
        ({1: torch.full((32,), float("inf"))}, "add", "is inf"),
    ],
)
def test_directions_that_cant_be_are_refused(directions, how, says):
    with pytest.raises(ProbeError, match=says), steer(tiny("llama"), directions, how=how):
        pass
