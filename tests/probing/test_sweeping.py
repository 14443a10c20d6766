"""Sweeps and path patching against plain hooks, one site at a time, and on a planted circuit."""

from contextlib import ExitStack

import numpy as np
import pytest
import torch
from tests.probing import plain_hooks as plain
from tests.probing.tiny_families import NAMES, fingerprint, tiny, tokens

from scrubjay.probing import (
    Anatomy,
    OverBudget,
    ProbeError,
    Site,
    log_probability,
    logit_difference,
    padded,
    path_patch,
    sweep,
)
from scrubjay.probing.planted import induction_model
from scrubjay.probing.tail import most_rows

A, B = tokens(2, 8, 1), tokens(2, 8, 2)
RIGHT, WRONG = [3, 4], [5, 6]
METRIC = logit_difference(RIGHT, WRONG)


def difference(logits):
    rows = torch.arange(2)
    return (logits[rows, -1, RIGHT] - logits[rows, -1, WRONG]).numpy()


def one_by_one(model, sites):
    """The sweep as plain hooks do it."""
    found = []
    for site in sites:
        block = plain.blocks_of(model)[site.layer]
        where = slice(None) if site.position is None else site.position
        if site.component == "z":
            size = plain.head_size(model)
            part = slice(site.head * size, (site.head + 1) * size)
            value = plain.grab(model, plain.out_of(block), B, inputs=True)[:, where, part]
            context = plain.set_head(model, site.layer, site.head, where, value)
        elif site.component == "resid_post":
            context = plain.set_output(block, where, plain.grab(model, block, B)[:, where])
        else:
            module, columns = plain.projection(model, site.layer, site.component, site.head)
            value = plain.grab(model, module, B)[:, site.position, columns]
            context = plain.set_projection(
                model, site.layer, site.component, site.head, site.position, value
            )
        with torch.no_grad(), context:
            found.append(difference(model(A).logits))
    return np.array(found)


@pytest.mark.parametrize("name", NAMES)
def test_a_sweep_equals_one_site_at_a_time(name):
    model = tiny(name)
    before = fingerprint(model)
    sites = [Site("z", 0, 1, 0), Site("z", 1, 3, 6), Site("z", 1, 2, 6), Site("z", 2, 0, 7)]
    sites += [Site("z", 2, 1), Site("resid_post", 0, None, 5), Site("resid_post", 1)]
    sites += [Site("k", 1, 1, 2), Site("v", 2, 0, 0), Site("q", 2, 3, 7)]
    swept = sweep(model, A, B, sites, METRIC)
    np.testing.assert_allclose(swept.patched, one_by_one(model, sites), atol=1e-5, rtol=1e-5)
    with torch.no_grad():
        np.testing.assert_allclose(swept.base, difference(model(A).logits), atol=1e-5)
        np.testing.assert_allclose(swept.source, difference(model(B).logits), atol=1e-5)
    assert np.abs(swept.effect).max() > 0.05
    assert fingerprint(model) == before


@pytest.mark.parametrize("name", ["llama", "gemma3", "gpt2", "gpt_neox", "olmo2"])
def test_parts_of_the_sweep_are_the_same_however_it_is_cut(name, monkeypatch):
    model = tiny(name)
    sites = [s.at(p) for s in Anatomy.of(model).sites("z", heads=True) for p in range(8)]
    whole = sweep(model, A, B, sites, METRIC)
    monkeypatch.setattr("scrubjay.probing.sweeping.ROW_TOKENS", 5)
    told = []
    cut = sweep(model, A, B, sites, METRIC, budget=120_000, progress=lambda *x: told.append(x))
    np.testing.assert_allclose(cut.patched, whole.patched, atol=1e-5)
    assert told[-1] == (2 * len(sites), 2 * len(sites))
    grid = whole.grid(whole.share)
    assert grid.shape == (3, 4, 8)
    assert grid[1, 2, 5] == whole.share[sites.index(Site("z", 1, 2, 5))]
    with pytest.raises(OverBudget, match="one example of 8 tokens needs"):
        sweep(model, A, B, sites, METRIC, budget="1kB")


def test_earlier_reading_and_positions_of_each_example():
    model = tiny("llama")
    sites = [Site("z", 1, 2), Site("mlp_out", 0)]
    at, read = torch.tensor([1, 4]), torch.tensor([3, 6])
    swept = sweep(model, A, B, sites, METRIC, positions=at, read=read)
    for row in range(2):
        metric = logit_difference(RIGHT[row : row + 1], WRONG[row : row + 1])
        alone = sweep(
            model,
            A[row : row + 1, : int(read[row]) + 1],
            B[row : row + 1, : int(read[row]) + 1],
            [site.at(int(at[row])) for site in sites],
            metric,
        )
        np.testing.assert_allclose(swept.patched[:, row], alone.patched[:, 0], atol=1e-5)
    behind = sweep(model, A, B, [Site("z", 0, 0, 7)], METRIC, read=3)
    np.testing.assert_allclose(behind.patched[0], behind.base, atol=1e-5)


def test_a_sweep_over_padded_prompts_is_each_prompts_own():
    model = tiny("llama")
    a, b = ([t[i:].tolist() for i, t in enumerate(x)] for x in (A, B))
    sites = [Site("z", 1, h, -2) for h in range(4)]
    swept = sweep(model, padded(a), padded(b), sites, METRIC)
    for row in range(2):
        metric = logit_difference(RIGHT[row : row + 1], WRONG[row : row + 1])
        alone = sweep(model, [a[row]], [b[row]], sites, metric)
        np.testing.assert_allclose(swept.patched[:, row], alone.patched[:, 0], atol=1e-5)


def path_by_hand(model, sender, receivers, position):
    """Paper 63, section 3.2, with plain hooks on whole runs."""
    layers, size = len(plain.blocks_of(model)), plain.head_size(model)
    kept = [plain.grab(model, plain.out_of(b), A, inputs=True) for b in plain.blocks_of(model)]
    layer, head = sender
    part = slice(head * size, (head + 1) * size)
    other = plain.grab(model, plain.out_of(plain.blocks_of(model)[layer]), B, inputs=True)
    kept[layer] = kept[layer].clone()
    kept[layer][:, position, part] = other[:, position, part]
    noted = {}
    with torch.no_grad(), ExitStack() as stack:
        for n in range(layers):

            def freeze(_, args, n=n):
                x = args[0].clone()
                x[:, position:] = kept[n][:, position:]
                return (x, *args[1:])

            out = plain.out_of(plain.blocks_of(model)[n])
            stack.enter_context(plain.hooked(out.register_forward_pre_hook(freeze)))
        for n, kind, h in receivers:
            module, columns = plain.projection(model, n, kind, h)

            def note(_, __, output, key=(n, kind, h), columns=columns):
                noted[key] = output[:, position, columns].clone()

            stack.enter_context(plain.hooked(module.register_forward_hook(note)))
        direct = model(A).logits
    if not receivers:
        return difference(direct)
    with torch.no_grad(), ExitStack() as stack:
        for (n, kind, h), value in noted.items():
            stack.enter_context(plain.set_projection(model, n, kind, h, position, value))
        return difference(model(A).logits)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["q", "v", "logits"])
def test_path_patching_equals_the_recipe_with_plain_hooks(name, kind):
    model = tiny(name)
    senders = [(0, 1), (0, 3), (1, 0), (2, 2)]
    position = 4 if kind == "v" else 7
    pairs = [] if kind == "logits" else [(1, kind, 1), (2, kind, 0)]
    receivers = [f"L{n}.H{h}.{k}" for n, k, h in pairs] or "logits"
    found = path_patch(model, A, B, senders, receivers, METRIC, position=position)
    expected = [path_by_hand(model, sender, pairs, position) for sender in senders]
    np.testing.assert_allclose(found.patched, expected, atol=1e-5, rtol=1e-5)
    assert np.abs(found.effect).max() > 1e-3
    if receivers != "logits":
        assert np.allclose(found.patched[3], found.base)  # a head above its receivers


@pytest.mark.parametrize("seed", range(4))
def test_the_planted_circuit_is_found_and_nothing_else(seed):
    planted = induction_model(seed=seed)
    a, answers = planted.prompts(16, 12, seed)
    b, others = planted.prompts(16, 12, seed + 50)
    differ = answers != others
    a, b, answers, others = a[differ], b[differ], answers[differ], others[differ]
    with torch.no_grad():
        assert (planted.model(a).logits[:, -1].argmax(-1) == answers).all()
    anatomy = Anatomy.of(planted.model)
    heads = anatomy.sites("z", heads=True)
    metric = logit_difference(others, answers)
    swept = sweep(planted.model, a, b, [head.at(-1) for head in heads], metric)
    assert heads[int(swept.share.argmax())] == Site("z", *planted.induction)
    assert swept.share.max() > 0.95
    assert np.sort(np.abs(swept.share))[-2] < 0.05
    after = torch.tensor([(row[:-1] == row[-1]).nonzero()[0, 0] + 1 for row in a])
    layer, head = planted.induction
    path = path_patch(planted.model, a, b, heads, [f"L{layer}.H{head}.k"], metric, position=after)
    assert heads[int(path.effect.argmax())] == Site("z", *planted.previous)
    assert np.sort(np.abs(path.effect))[-2] < 0.05 * path.effect.max()
    by_value = path_patch(
        planted.model, a, b, heads, [f"L{layer}.H{head}.v"], metric, position=after
    )
    assert np.abs(by_value.effect).max() < 0.05 * path.effect.max()


def test_the_control_has_the_attention_and_not_the_answer():
    planted = induction_model(seed=1, working=False)
    a, answers = planted.prompts(16, 12, 0)
    b, others = planted.prompts(16, 12, 50)
    with torch.no_grad():
        assert (planted.model(a).logits[:, -1].argmax(-1) == answers).float().mean() < 0.3
    sites = [s.at(-1) for s in Anatomy.of(planted.model).sites("z", heads=True)]
    swept = sweep(planted.model, a, b, sites, logit_difference(others, answers))
    assert np.abs(swept.effect).max() < 0.5  # the working one moves the logits by 20
    with pytest.raises(ProbeError, match="prompts have 4 to 20 tokens"):
        planted.prompts(1, 30)
    with pytest.raises(ProbeError, match="at least"):
        induction_model(vocabulary=2)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda m: sweep(m, A, tokens(2, 9), ["L0.z"], METRIC), "can't be aligned"),
        (lambda m: sweep(m, [[1, 2], [3]], B, ["L0.z"], METRIC), "can't be aligned"),
        (lambda m: sweep(m, A, B, ["L0.attn"], METRIC), "can't be swept"),
        (lambda m: sweep(m, A, B, ["L0.z@8"], METRIC), "have no position 8"),
        (lambda m: sweep(m, A, B, ["L0.z"], METRIC, read=-9), "have no position -9"),
        (lambda m: sweep(m, A, B, [], METRIC), "no sites"),
        (lambda m: sweep(m, A + 60, B, ["L0.z"], METRIC), "vocabulary of 61"),
        (lambda m: sweep(m, tokens(1, 49), B, ["L0.z"], METRIC), "context 48"),
        (lambda m: sweep(m, A, B, ["L0.z"], lambda x, n: x), "one finite number"),
        (lambda m: sweep(m, A, B, ["L0.z"], lambda x, n: x[:, 0] / 0), "finite number"),
        (lambda m: sweep(m, [], B, ["L0.z"], METRIC), "at least one token"),
        (lambda m: sweep(m, "text", B, ["L0.z"], METRIC), "token numbers"),
        (lambda m: path_patch(m, A, B, ["L0.v"], "logits", METRIC), "is no sender"),
        (lambda m: path_patch(m, A, B, [(0, 1)], ["L1.z"], METRIC), "is no receiver"),
        (lambda m: path_patch(m, A, B, [(0, 9)], "logits", METRIC), "has 4 heads"),
        (lambda m: path_patch(m, A, B, [(0, 1)], "heads", METRIC), "'logits' or a list"),
        (
            lambda m: path_patch(m, A, B, [(0, 1)], "logits", METRIC, position=3),
            "their own position",
        ),
    ],
)
def test_what_cant_be_swept_is_refused(call, says):
    with pytest.raises(ProbeError, match=says):
        call(tiny("llama"))


def test_the_log_probability_is_that_of_the_token():
    model = tiny("gemma2")
    swept = sweep(model, A, B, ["L1.z"], log_probability([7, 8]))
    with torch.no_grad():
        expected = model(A).logits[:, -1].log_softmax(-1)[[0, 1], [7, 8]]
    np.testing.assert_allclose(swept.base, expected, atol=1e-5)
    with pytest.raises(ProbeError, match="the same in both runs"):
        _ = sweep(model, A, A, ["L1.z"], METRIC).share


def test_a_model_in_training_is_refused_and_left_in_training():
    model = tiny("gpt2").train()
    try:
        with pytest.raises(ProbeError, match="training mode"):
            sweep(model, A, B, ["L1.z"], METRIC)
        assert model.training
    finally:
        model.eval()


def test_rows_of_logits_stay_within_the_budget():
    anatomy = Anatomy.of(tiny("llama"))
    assert most_rows(anatomy, 10**6) == 10**6 // 4 // (3 * 4 * 61)
    assert most_rows(anatomy, 1) == 1
