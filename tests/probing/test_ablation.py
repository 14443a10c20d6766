"""Ablation by hand, in one pass and while generating; and every tool leaves the model as it was."""

import pytest
import torch
from tests.probing import plain_hooks as plain
from tests.probing.tiny_families import NAMES, fingerprint, tiny, tokens

from scrubjay.probing import Anatomy, ProbeError, ablate, patch, path_patch, record, steer, sweep

CLOSE = {"atol": 1e-5, "rtol": 1e-5}
A = tokens(3, 8, 1)


def logits(model, *targets, ids=A, **options):
    with torch.no_grad(), ablate(model, *targets, **options):
        return model(ids).logits


def seen_in(model, targets, *sites, ids=A, **options):
    with torch.no_grad(), ablate(model, *targets, **options), record(model, *sites) as seen:
        model(ids)
    return seen


@pytest.mark.parametrize("name", NAMES)
def test_zeroed_heads_and_blocks_equal_plain_hooks(name):
    model = tiny(name)
    with torch.no_grad(), plain.set_head(model, 1, 2, slice(None), torch.zeros(())):
        expected = model(A).logits
    torch.testing.assert_close(logits(model, (1, 2)), expected, **CLOSE)
    torch.testing.assert_close(logits(model, "L1.H2"), expected, **CLOSE)
    seen = seen_in(model, ["L1"], "L1.resid_pre", "L1.resid_post")
    torch.testing.assert_close(seen["L1.resid_post"], seen["L1.resid_pre"])


@pytest.mark.parametrize("name", NAMES)
def test_a_uniform_head_attends_alike_to_everything_it_may_see(name):
    model = tiny(name)
    anatomy = Anatomy.of(model)
    usual = seen_in(model, [(0, 0)], "L1.attn")["L1.attn"]
    seen = seen_in(model, [(1, 2)], "L1.attn", "L1.v", "L1.z", mode="uniform")
    row = seen["L1.attn"][:, 7, 2]
    visible = (usual[:, 7, 2] > 0).float()
    assert visible.sum(1).min() >= 4
    torch.testing.assert_close(row, visible / visible.sum(1, keepdim=True), **CLOSE)
    value = seen["L1.v"].clamp(-1, 1) if name == "olmo" else seen["L1.v"]
    mean = torch.einsum("bk,bkd->bd", row, value[:, :, anatomy.kv_head(2)])
    torch.testing.assert_close(seen["L1.z"][:, 7, 2], mean, **CLOSE)


def test_means_and_samples_by_hand():
    model = tiny("llama")
    with torch.no_grad(), record(model, "L1.H2.z", "L0.mlp_out@-1") as pool:
        model(tokens(5, 8, 9))
    z = pool["L1.H2.z"]
    by_batch = seen_in(model, [(1, 2)], "L1.H2.z", mode="mean")["L1.H2.z"]
    usual = seen_in(model, [(0, 0)], "L1.H2.z", mode="mean", scope=99)["L1.H2.z"]
    torch.testing.assert_close(by_batch, usual.mean(0, keepdim=True).expand(3, -1, -1))
    meant = seen_in(model, [(1, 2)], "L1.H2.z", mode="mean", reference=pool)["L1.H2.z"]
    torch.testing.assert_close(meant[1], z.mean(0))
    one = {"L1.H2.z": z[:, 4]}
    meant = seen_in(model, [(1, 2)], "L1.H2.z", mode="mean", reference=one)["L1.H2.z"]
    torch.testing.assert_close(meant[2, 6], z[:, 4].mean(0))
    drawn = seen_in(model, [(1, 2)], "L1.H2.z", mode="resample", reference=pool)["L1.H2.z"]
    assert all(any(torch.equal(row, sample) for sample in z) for row in drawn)
    again = seen_in(model, [(1, 2)], "L1.H2.z", mode="resample", reference=pool)["L1.H2.z"]
    assert torch.equal(drawn, again)
    shuffled = seen_in(model, [(1, 2)], "L1.H2.z", mode="resample")["L1.H2.z"]
    own = [[torch.equal(row, other) for other in usual] for row in shuffled]
    assert all(sum(found) == 1 for found in own)
    assert not any(own[i][i] for i in range(3))


def test_neurons_positions_and_scopes():
    model = tiny("gpt2")
    usual = seen_in(model, [(0, 0)], "L1.neurons", "L1.z", scope=99)
    seen = seen_in(model, ["L1.N3"], "L1.neurons")["L1.neurons"]
    assert (seen[:, :, 3] == 0).all()
    assert torch.equal(seen[:, :, 4], usual["L1.neurons"][:, :, 4])
    for options, columns in (
        ({"scope": 5}, [5, 6, 7]),
        ({"scope": "decode"}, [7]),
        ({"scope": "all"}, list(range(8))),
    ):
        z = seen_in(model, [(1, 1)], "L1.z", **options)["L1.z"][:, :, 1]
        assert (z.abs().sum((0, 2)) == 0).nonzero()[:, 0].tolist() == columns
    z = seen_in(model, ["L1.H1.z@-3"], "L1.z")["L1.z"][:, :, 1]
    assert (z.abs().sum((0, 2)) == 0).nonzero()[:, 0].tolist() == [5]


@pytest.mark.parametrize("name", ["llama", "mistral", "gemma2", "gemma3", "gpt2", "gpt_neox"])
@pytest.mark.parametrize("mode", ["zero", "uniform"])
def test_generation_reads_the_prompt_intact_and_decodes_without_the_heads(name, mode):
    """Against a loop over whole passes: prefill intact up to the last prompt token."""
    model, heads = tiny(name), [(1, 0), (1, 3), (2, 1)]
    with ablate(model, *heads, mode=mode, scope="decode"):
        text = model.generate(A, max_new_tokens=4, do_sample=False, pad_token_id=0)
    ids = A
    with torch.no_grad(), ablate(model, *heads, mode=mode, scope=7):
        for _ in range(text.shape[1] - 8):
            ids = torch.cat([ids, model(ids).logits[:, -1].argmax(-1, keepdim=True)], 1)
    ended = (ids[:, 8:] == 1).int().cumsum(1).cumsum(1) > 1
    assert torch.equal(text[:, 8:].masked_fill(ended, 0), ids[:, 8:].masked_fill(ended, 0))


TOOLS = {
    "record": lambda m: record(m, "L1.attn", "L0.resid_mid", "L2.k", "logits"),
    "patch": lambda m: patch(m, {"L1.H1.z@2": torch.zeros(()), "L0.H0.attn@3": torch.ones(8) / 8}),
    "ablate": lambda m: ablate(m, (1, 2), "L2"),
    "uniform": lambda m: ablate(m, (1, 2), mode="uniform", scope="decode"),
    "steer": lambda m: steer(m, {1: torch.ones(32)}, positions=[3]),
}


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("name", ["llama", "gemma2", "gpt2", "olmo2"])
def test_the_model_is_as_before_also_after_an_exception_inside(name, tool):
    model = tiny(name)
    before = fingerprint(model)
    with torch.no_grad():
        usual = model(A).logits
        with TOOLS[tool](model):
            model(A)
        assert fingerprint(model) == before
        with pytest.raises(ZeroDivisionError), TOOLS[tool](model):
            model(A)
            raise ZeroDivisionError
        assert fingerprint(model) == before
        layer = plain.blocks_of(model)[2]
        with plain.hooked(layer.register_forward_pre_hook(lambda *_: 1 / 0)):
            during = fingerprint(model)
            with pytest.raises(ZeroDivisionError), TOOLS[tool](model):
                model(A)
            assert fingerprint(model) == during
        assert torch.equal(model(A).logits, usual)
    assert fingerprint(model) == before


def test_a_sweep_that_breaks_leaves_the_model_as_it_was():
    model = tiny("llama")
    before = fingerprint(model)

    def broken(x, n):
        left[0] -= 1
        return x[:, 0] / (left[0] > 0)

    for run in (
        lambda: sweep(model, A, tokens(3, 8, 2), ["L0.z@3", "L2.z@5"], broken),
        lambda: path_patch(model, A, tokens(3, 8, 2), [(0, 1), (1, 2)], ["L2.H0.q"], broken),
    ):
        for call in (1, 2, 3):
            left = [call]
            with pytest.raises(ProbeError, match="finite"):
                run()
            assert fingerprint(model) == before


def test_tools_compose_and_the_innermost_sees_what_the_others_did():
    model = tiny("llama")
    before = fingerprint(model)
    v = torch.ones(32)
    with (
        torch.no_grad(),
        steer(model, {0: v}),
        patch(model, {"L1.H1.z@2": torch.zeros(8)}),
        ablate(model, (1, 2), mode="uniform"),
        record(model, "L0.resid_post", "L1.z", "L1.attn", "L2.resid_post") as seen,
    ):
        inside = model(A).logits
    with torch.no_grad(), record(model, "L0.resid_post") as usual:
        model(A)
    torch.testing.assert_close(seen["L0.resid_post"], usual["L0.resid_post"] + v)
    assert (seen["L1.z"][:, 2, 1] == 0).all()
    torch.testing.assert_close(seen["L1.attn"][:, 7, 2], torch.full((3, 8), 1 / 8))
    with torch.no_grad(), patch(model, {"L2.resid_post": seen["L2.resid_post"]}):
        torch.testing.assert_close(model(A).logits, inside, **CLOSE)
    assert fingerprint(model) == before


def test_contexts_may_end_in_any_order():
    model = tiny("llama")
    before = fingerprint(model)
    first, second = record(model, "L0.attn"), record(model, "L1.attn")
    first.__enter__()
    seen = second.__enter__()
    first.__exit__(None, None, None)
    with torch.no_grad():
        model(A)
    second.__exit__(None, None, None)
    assert seen.done == 1
    assert fingerprint(model) == before


@pytest.mark.parametrize(
    ("targets", "options", "says"),
    [
        ([(0, 9)], {}, "has 4 heads"),
        ([(5, 0)], {}, "has 3 layers"),
        (["L9"], {}, "has 3 layers"),
        ([], {}, "no sites"),
        ([(0, 1)], {"mode": "soft"}, "no mode 'soft'"),
        ([(0, 1)], {"scope": "later"}, "scope is"),
        ([(0, 1)], {"scope": -1}, "scope is"),
        (["L0"], {"mode": "uniform"}, "is for heads"),
        (["L0.attn"], {}, "can't be ablated"),
        ([(0, 1)], {"mode": "mean", "reference": {(0, 2): torch.zeros(2, 8)}}, "no samples of"),
        ([(0, 1)], {"mode": "mean", "reference": {(0, 1): torch.zeros(2, 9)}}, "shape"),
        ([(0, 1)], {"mode": "mean", "reference": {(0, 1): torch.zeros(2, 5, 8)}}, "5 positions"),
        ([object()], {}, "is no site"),
    ],
)
def test_what_cant_be_ablated_is_refused(targets, options, says):
    with pytest.raises(ProbeError, match=says):
        logits(tiny("llama"), *targets, **options)


def test_one_prompt_has_no_mean():
    with pytest.raises(ProbeError, match="batch of several prompts"):
        logits(tiny("llama"), (0, 1), mode="mean", ids=A[:1])
