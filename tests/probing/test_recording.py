"""What is recorded is what the model computes, at the asked place, within the budget."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tests.probing.tiny_families import NAMES, fingerprint, tiny, tokens

from scrubjay.core.errors import InputError, RunMismatch
from scrubjay.probing import Anatomy, OverBudget, ProbeError, padded, patch, record
from scrubjay.probing.errors import byte_count

CLOSE = {"atol": 1e-5, "rtol": 1e-5}


def run(model, ids, *sites, **options):
    with torch.no_grad(), record(model, *sites, **options) as seen:
        out = model(ids) if torch.is_tensor(ids) else model(**ids)
    return seen, out


def eager_attention(model, inputs):
    usual = model.config._attn_implementation
    model.set_attn_implementation("eager")
    try:
        with torch.no_grad():
            return model(**inputs, output_attentions=True).attentions
    finally:
        model.set_attn_implementation(usual)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("side", ["left", "right"])
def test_attention_rows_equal_eager_attention_with_padding(name, side):
    model = tiny(name)
    inputs = padded([t[: 9 - 3 * i].tolist() for i, t in enumerate(tokens(3, 9))], side=side)
    seen, _ = run(model, inputs, "L0.attn", "L1.attn", "L2.H3.attn@-2")
    expected = eager_attention(model, inputs)
    real = inputs["attention_mask"].bool()  # what a padded query sees is nobody's business
    for layer in range(2):
        rows = seen[f"L{layer}.attn"]
        assert rows.shape == (3, 9, 4, 9)
        torch.testing.assert_close(rows[real], expected[layer].transpose(1, 2)[real], **CLOSE)
    at = real[:, -2]
    torch.testing.assert_close(seen["L2.H3.attn@-2"][at], expected[2][:, 3, -2][at], **CLOSE)


@pytest.mark.parametrize("name", ["llama", "mistral", "gemma2", "gpt2", "gpt_neox"])
def test_attention_rows_of_a_model_that_runs_eagerly(name):
    model = tiny(name)
    usual = model.config._attn_implementation
    expected = eager_attention(model, {"input_ids": tokens(2, 8)})
    model.set_attn_implementation("eager")
    seen, _ = run(model, tokens(2, 8), "L1.attn")
    model.set_attn_implementation(usual)
    torch.testing.assert_close(seen["L1.attn"].transpose(1, 2), expected[1], **CLOSE)


def test_padding_changes_nothing_for_the_prompts_themselves():
    model, prompts = tiny("llama"), [tokens(1, n, n)[0].tolist() for n in (3, 7, 5)]
    seen, out = run(model, padded(prompts), "L2.resid_post@-1")
    for row, prompt in enumerate(prompts):
        alone, single = run(model, torch.tensor([prompt]), "L2.resid_post@-1")
        torch.testing.assert_close(seen["L2.resid_post@-1"][row], alone["L2.resid_post@-1"][0])
        torch.testing.assert_close(out.logits[row, -1], single.logits[0, -1], **CLOSE)


@pytest.mark.parametrize("name", ["llama", "gemma2", "gpt2"])
def test_positions_and_heads_are_cut_out(name):
    model, ids = tiny(name), tokens(3, 7)
    whole, out = run(model, ids, "L1.z", "L1.attn", "L1.k", "logits")
    some, _ = run(model, ids, "L1.H2.z@-1", "L1.H1.attn", "L1.z", "logits@3", positions=[0, -2])
    assert torch.equal(some["L1.H2.z@-1"], whole["L1.z"][:, -1, 2])
    assert torch.equal(some["L1.z"], whole["L1.z"][:, [0, 5]])
    torch.testing.assert_close(some["L1.H1.attn"], whole["L1.attn"][:, [0, 5], 1])
    assert torch.equal(some["logits@3"], out.logits[:, 3])
    assert torch.equal(whole["logits"], out.logits)
    own = torch.tensor([0, 4, -1])
    each, _ = run(model, ids, "L1.k", positions=own)
    assert torch.equal(each["L1.k"], whole["L1.k"][[0, 1, 2], own])
    two, _ = run(model, ids, "L1.k", positions=torch.tensor([[0, 1], [2, 3], [4, 5]]))
    assert torch.equal(two["L1.k"][1], whole["L1.k"][1, 2:4])


def test_batches_are_joined_and_ragged_ones_kept_apart():
    model = tiny("llama")
    with torch.no_grad(), record(model, "L0.attn_out", "L1.attn_out@-1") as seen:
        for length in (4, 6):
            model(tokens(2, length))
    assert seen.done == 2
    assert seen["L1.attn_out@-1"].shape == (4, 32)
    assert [x.shape[1] for x in seen.batches("L0.attn_out")] == [4, 6]
    with pytest.raises(ProbeError, match="different lengths"):
        seen["L0.attn_out"]
    with pytest.raises(ProbeError, match="wasn't recorded"):
        seen["L0.mlp_out"]


def test_every_step_of_generation_is_a_batch_and_equals_one_pass_over_the_result():
    model = tiny("llama")
    with record(model, "L1.H2.z@-1", "L1.H2.attn@-1") as seen:
        text = model.generate(tokens(2, 5), max_new_tokens=4, do_sample=False, pad_token_id=0)
    assert seen.done == text.shape[1] - 5
    whole, _ = run(model, text, "L1.H2.z", "L1.H2.attn")
    for step, (z, row) in enumerate(
        zip(seen.batches("L1.H2.z@-1"), seen.batches("L1.H2.attn@-1"), strict=True)
    ):
        torch.testing.assert_close(z, whole["L1.H2.z"][:, 4 + step], **CLOSE)
        expected = whole["L1.H2.attn"][:, 4 + step, : 5 + step]
        torch.testing.assert_close(row, expected, **CLOSE)


def test_a_pass_that_breaks_off_is_not_recorded():
    model = tiny("llama")
    handle = model.model.layers[2].register_forward_pre_hook(lambda *_: 1 / 0)
    with record(model, "L1.z@-1", "L2.z@-1") as seen, torch.no_grad():
        with pytest.raises(ZeroDivisionError):
            model(tokens(1, 4))
        handle.remove()
        out = model(tokens(2, 6))
    assert seen.done == 1
    assert seen["L1.z@-1"].shape == (2, 4, 8)
    torch.testing.assert_close(out.logits, model(tokens(2, 6)).logits)


def test_the_budget_is_kept_to_the_byte():
    model, ids = tiny("llama"), tokens(2, 8)
    need = 3 * 2 * 8 * 32 * 4
    stream = Anatomy.of(model).sites("resid_post")
    run(model, ids, *stream, budget=need)
    with pytest.raises(OverBudget, match=r"budget of 6,143 bytes"):
        run(model, ids, *stream, budget=need - 1)
    half, _ = run(model, ids, *stream, budget=need // 2, dtype=torch.bfloat16)
    assert half["L0.resid_post"].dtype == torch.bfloat16
    with pytest.raises(OverBudget):
        run(model, ids, "L0.attn", budget=2 * 8 * 4 * 8 * 4 - 1)
    assert byte_count("1.5 kB") == 1500
    for wrong in ("much", 0, "-3MB", "1XB"):
        with pytest.raises(ProbeError, match="number of bytes"):
            byte_count(wrong)


def test_what_is_recorded_is_a_copy():
    model, ids = tiny("olmo"), tokens(1, 6)  # OLMo clamps its projections in place
    seen, _ = run(model, ids, "L0.q", "L0.resid_mid", "L1.resid_pre")
    before = {site: seen[site].clone() for site in seen}
    with torch.no_grad():
        model(tokens(1, 6, 5))
    assert all(torch.equal(seen[site], before[site]) for site in seen)
    assert seen["L0.q"].abs().max() > 1


def test_gradients_flow_through_recorded_and_patched_tensors():
    model, ids = tiny("llama"), tokens(1, 5)
    with record(model, "L1.z", grad=True) as seen:
        model(ids).logits[0, -1, 3].backward()
    with record(model, "L1.z", grad=True) as seen:
        loss = model(ids).logits[0, -1, 3]
    assert seen["L1.z"].requires_grad
    start = run(model, ids, "L1.z")[0]["L1.z"]
    value = start.clone().requires_grad_()
    with patch(model, {"L1.z": value}):
        loss = model(ids).logits[0, -1, 3]
    loss.backward()
    bump = torch.zeros_like(start)
    bump[0, 2, 1, 3] = 0.01
    with torch.no_grad():
        results = []
        for sign in (1, -1):
            with patch(model, {"L1.z": start + sign * bump}):
                results.append(float(model(ids).logits[0, -1, 3]))
    slope = (results[0] - results[1]) / 0.02
    assert float(value.grad[0, 2, 1, 3]) == pytest.approx(slope, rel=0.02, abs=1e-3)
    model.zero_grad()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_folder_holds_the_same_numbers(tmp_path, dtype):
    model = tiny("llama")
    sites = ("L1.resid_post", "L0.H1.attn@-1")
    with torch.no_grad(), record(model, *sites, to=tmp_path, dtype=dtype) as seen:
        for seed in range(3):
            model(tokens(2, 5, seed))
    kept, _ = run(model, tokens(2, 5, 1), *sites, dtype=dtype)
    assert seen["L1.resid_post"].dtype == dtype
    assert torch.equal(seen["L1.resid_post"][2:4], kept["L1.resid_post"])
    assert torch.equal(seen.batches("L0.H1.attn@-1")[1], kept["L0.H1.attn@-1"])
    seen["L1.resid_post"][:] = 0  # stays in memory
    with record(model, *sites, to=tmp_path, dtype=dtype) as again:
        assert again.done == 3
    assert torch.equal(again["L1.resid_post"][2:4], kept["L1.resid_post"])


KILLED = """
import os, signal, sys, torch
sys.path.insert(0, os.getcwd())
from scrubjay.probing import record
from tests.probing.tiny_families import tiny, tokens
model = tiny("llama")
with torch.no_grad(), record(model, "L0.z", "L2.z", to=sys.argv[1]) as seen:
    for seed in range(seen.done, 4):
        if seed == 2 and sys.argv[2] == "kill":
            model.model.layers[1].register_forward_pre_hook(
                lambda *_: os.kill(os.getpid(), signal.SIGKILL))
        model(tokens(2, 5, seed))
"""


def test_a_killed_recording_goes_on_where_it_stopped(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(KILLED)
    command = [sys.executable, str(script), str(tmp_path / "seen")]
    root = Path(__file__).parents[2]
    died = subprocess.run([*command, "kill"], cwd=root, capture_output=True)
    assert died.returncode == -signal.SIGKILL
    one = 2 * 5 * 32 * 4
    assert (tmp_path / "seen" / "0.bin").stat().st_size == 3 * one  # the third batch is torn
    assert subprocess.run([*command, "go"], cwd=root, capture_output=True).returncode == 0
    assert (tmp_path / "seen" / "0.bin").stat().st_size == 4 * one
    model = tiny("llama")
    with record(model, "L0.z", "L2.z", to=tmp_path / "seen") as seen:
        assert seen.done == 4
    for seed in range(4):
        kept, _ = run(model, tokens(2, 5, seed), "L2.z")
        torch.testing.assert_close(seen.batches("L2.z")[seed], kept["L2.z"])


def test_a_folder_of_something_else_is_refused(tmp_path):
    model = tiny("llama")
    run(model, tokens(1, 4), "L0.z", to=tmp_path / "a")
    with pytest.raises(RunMismatch, match="other sites"):
        run(model, tokens(1, 4), "L1.z", to=tmp_path / "a")
    with pytest.raises(RunMismatch):
        run(tiny("gpt2"), tokens(1, 4), "L0.z", to=tmp_path / "a")
    os.truncate(tmp_path / "a" / "0.bin", 3)
    with pytest.raises(InputError, match="shorter than its log"):
        run(model, tokens(1, 4), "L0.z", to=tmp_path / "a")


def test_numbers_that_are_not_finite_are_reported_where_they_begin():
    import copy

    model = copy.deepcopy(tiny("llama"))
    with torch.no_grad():
        model.model.layers[1].mlp.down_proj.weight[0, 0] = float("nan")
    with pytest.raises(ProbeError, match=r"L1\.resid_post is nan at \[0, 0, 0\]"):
        run(model, tokens(2, 5), "L2.z@-1")
    with torch.no_grad():
        model.model.embed_tokens.weight[7, 3] = float("inf")
    with pytest.raises(ProbeError, match=r"is .* at \[1, 2"):
        run(model, torch.tensor([[3, 4, 5], [3, 4, 7]]), "L0.resid_pre")


def test_prompts_beyond_the_context_and_positions_beyond_the_prompt_are_refused():
    model = tiny("llama")
    before = fingerprint(model)
    with pytest.raises(ProbeError, match="49 tokens, the model's context 48"):
        run(model, tokens(1, 49), "L0.z@-1")
    with pytest.raises(ProbeError, match="position 9 was never reached"):
        run(model, tokens(1, 5), "L0.z@9")
    with pytest.raises(ProbeError, match="position -9: the prompt has only 5"):
        run(model, tokens(1, 5), "L0.z@-9")
    with pytest.raises(ProbeError, match="3 rows, the batch has 2"):
        run(model, tokens(2, 5), "L0.z", positions=torch.tensor([0, 1, 2]))
    for wrong in ([], [0.5], torch.tensor([0.5])):
        with pytest.raises(ProbeError, match="whole numbers"):
            run(model, tokens(2, 5), "L0.z", positions=wrong)
    assert fingerprint(model) == before


def test_attention_that_cant_be_seen_is_said():
    import copy

    model = copy.deepcopy(tiny("llama"))
    attention = model.model.layers[1].self_attn
    attention.forward = lambda hidden_states, **_: (hidden_states, None)
    with pytest.raises(ProbeError, match="attention weights aren't available"):
        run(model, tokens(1, 4), "L1.attn")
