"""Weights: converted once, mended when damaged, and one sentence when they can't be had."""

from __future__ import annotations

import json

import pytest

torch = pytest.importorskip("torch")

from scrubjay.core.errors import ModelError  # noqa: E402
from scrubjay.models import weights  # noqa: E402

TYPES = ("auto", "float32", "bfloat16")


def save(folder, config, *, tokenizer: bool = True) -> None:
    """A random model of this configuration, with a two-word tokenizer."""
    import transformers as t
    from tokenizers import Tokenizer, models

    t.AutoModel.from_config(config).save_pretrained(folder) if config.model_type == "bert" else (
        t.AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    )
    if tokenizer:
        words = Tokenizer(models.WordLevel({"a": 0, "b": 1}, unk_token="a"))
        t.PreTrainedTokenizerFast(tokenizer_object=words).save_pretrained(folder)


def llama():
    import transformers as t

    return t.LlamaConfig(
        vocab_size=8,
        hidden_size=8,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
    )


def test_a_local_folder_loads_in_the_type_asked_for(tmp_path):
    save(tmp_path, llama())
    loaded = weights.load_weights(str(tmp_path), dtype="bfloat16")
    assert loaded.model.dtype == torch.bfloat16
    assert len(loaded.tokenizer) == 2
    assert not any(p.requires_grad for p in loaded.model.parameters())


@pytest.mark.parametrize("prefers", [True, False])
def test_auto_is_the_type_the_processor_prefers(tmp_path, monkeypatch, prefers):
    save(tmp_path, llama())
    monkeypatch.setattr(weights, "prefers_bfloat16", lambda: prefers)
    types = {d: weights.load_weights(str(tmp_path), dtype=d).model.dtype for d in TYPES}
    auto = torch.bfloat16 if prefers else torch.float32
    assert types == {"auto": auto, "float32": torch.float32, "bfloat16": torch.bfloat16}


def test_an_encoder_is_refused(tmp_path):
    import transformers as t

    config = t.BertConfig(
        vocab_size=8,
        hidden_size=8,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
    )
    save(tmp_path, config)
    with pytest.raises(ModelError, match="bert model, which can't continue text"):
        weights.load_weights(str(tmp_path))


def test_pickles_are_never_loaded(tmp_path):
    save(tmp_path, llama())
    (tmp_path / "model.safetensors").unlink()
    torch.save({}, tmp_path / "pytorch_model.bin")
    with pytest.raises(ModelError, match="safetensors"):
        weights.load_weights(str(tmp_path))


def test_a_missing_tokenizer_is_named(tmp_path):
    save(tmp_path, llama(), tokenizer=False)
    with pytest.raises(ModelError, match="tokenizer"):
        weights.load_weights(str(tmp_path))


def test_a_missing_folder_and_an_unknown_type(tmp_path):
    with pytest.raises(ModelError, match="no folder"):
        weights.load_weights(str(tmp_path / "nothing"))
    with pytest.raises(ModelError, match="float16"):
        weights.load_weights(str(tmp_path), dtype="float16")


def test_a_damaged_conversion_is_made_again(tmp_path, monkeypatch):
    made = []

    def convert(gguf, folder):
        made.append(gguf)
        (folder / "model.safetensors").write_bytes(b"x" * 100)
        (folder / "config.json").write_text("{}")

    monkeypatch.setenv("SCRUBJAY_CACHE", str(tmp_path))
    monkeypatch.setattr(weights, "fetch", lambda asset: tmp_path / asset.name)
    monkeypatch.setattr(weights, "_convert", convert)
    asset = weights.EMBEDDED["smollm2-135m"]
    folder = weights.converted("smollm2-135m", asset)
    assert weights.converted("smollm2-135m", asset) == folder
    assert len(made) == 1  # once
    (folder / "model.safetensors").write_bytes(b"x" * 50)
    weights.converted("smollm2-135m", asset)
    assert len(made) == 2
    assert (folder / "model.safetensors").stat().st_size == 100
    (folder / "config.json").unlink()
    weights.converted("smollm2-135m", asset)
    assert len(made) == 3
    assert json.loads((folder / "scrubjay.json").read_text())["config.json"] == 2
    assert [p.name for p in folder.parent.iterdir()] == [folder.name]  # nothing half-made
