"""TransformerLens, an implementation that shares nothing with ours, sees and does the same.

Runs where it is installed (the extra ``bench``); models are tiny and local.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tests.probing.tiny_families import VOCABULARY, tiny, tokens

from scrubjay.probing import Anatomy, Site, logit_difference, record, sweep
from scrubjay.probing.planting import word_tokenizer

pytest.importorskip("transformer_lens")

BASE, SOURCE = tokens(1, 7, 1), tokens(1, 7, 2)
RIGHT, WRONG = 3, 5
FAMILIES = ("llama", "qwen3", "gemma2", "gpt2", "gpt_neox")


@pytest.fixture(scope="module", params=FAMILIES)
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The model, and a copy in TransformerLens, which changes what it is given."""
    from transformer_lens.model_bridge import TransformerBridge
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model, folder = tiny(request.param), tmp_path_factory.mktemp(request.param)
    made = word_tokenizer(tuple(f"w{i}" for i in range(VOCABULARY - 1)))
    made.bos_token = made.eos_token = made.pad_token = "w0"
    made.save_pretrained(folder)
    model.save_pretrained(folder)
    copy = AutoModelForCausalLM.from_pretrained(folder).eval()
    lens = TransformerBridge.boot_transformers(
        str(folder), hf_model=copy, tokenizer=AutoTokenizer.from_pretrained(folder), device="cpu"
    )
    return model, lens


def test_all_residual_streams_are_recorded_alike(both: Any) -> None:
    model, lens = both
    ids = torch.cat([BASE, SOURCE])
    sites = [s for kind in ("resid_pre", "resid_post") for s in Anatomy.of(model).sites(kind)]
    with torch.no_grad(), record(model, *sites) as seen:
        logits = model(ids).logits
        theirs, cache = lens.run_with_cache(ids)
    assert torch.allclose(logits, theirs, atol=1e-5)
    for site in sites:
        name = f"blocks.{site.layer}.hook_{site.component}"
        assert torch.allclose(seen[site], cache[name], atol=1e-5), name


def test_a_sweep_over_heads_and_positions_patches_alike(both: Any) -> None:
    from transformer_lens.patching import get_act_patch_attn_head_out_by_pos

    model, lens = both
    layers, heads, length = 3, 4, BASE.shape[1]
    sites = [
        Site("z", layer, head=head, position=position)
        for layer in range(layers)
        for position in range(length)
        for head in range(heads)
    ]
    swept = sweep(model, BASE, SOURCE, sites, logit_difference([RIGHT], [WRONG]))
    with torch.no_grad():
        _, cache = lens.run_with_cache(SOURCE)
        theirs = get_act_patch_attn_head_out_by_pos(
            lens, BASE, cache, lambda logits: logits[0, -1, RIGHT] - logits[0, -1, WRONG]
        )
    ours = torch.as_tensor(swept.patched).view(layers, length, heads).float()
    assert torch.allclose(ours, theirs, atol=1e-5)
    assert ours.std() > 1e-3  # patching does something at all
