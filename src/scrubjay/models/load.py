"""From a name on the command line to a language model.

    smollm2-135m                             the embedded model
    org/name                                 a Hugging Face id
    ./folder                                 a local model
    endpoint:http://127.0.0.1:8080/v1#name   anything served with an OpenAI-compatible API
    emulate:LARGE|TUNED|BASE                 LARGE with what tuned BASE into TUNED (see combined)

Another package adds names through the entry-point group ``scrubjay.models``: each is a function
``f(*, dtype: str) -> LanguageModel``.
"""

from __future__ import annotations

import os
from pathlib import Path

from scrubjay.core.errors import MissingExtra, ModelError, UnknownName
from scrubjay.core.registry import Registry
from scrubjay.models.types import LanguageModel

MODELS = Registry("model", smollm2_135m="scrubjay.models.load:load_smollm2")
"""Models with a name of their own."""

ENDPOINT = "endpoint:"
EMULATE = "emulate:"
LOCAL_PACKAGES = ("gguf", "safetensors", "tokenizers", "torch", "transformers")


def load_model(
    spec: str, *, dtype: str = "auto", cache: bool = True, concurrency: int = 8
) -> LanguageModel:
    """The model that ``spec`` names, ready to be asked.

    Args:
        spec: see the top of this file.
        dtype: number format of a local model: auto, float32, bfloat16.
        cache: endpoints: keep responses on disk.
        concurrency: endpoints: most requests under way at once.

    Raises:
        UnknownName: nothing is called ``spec``.
        ModelError: the model can't be loaded, or the address is not one.
        MissingExtra: a local model needs a package that isn't installed.
    """
    if spec.startswith(ENDPOINT):
        return load_endpoint(spec, cache=cache, concurrency=concurrency)
    if spec.startswith(EMULATE):
        return _load_emulated(spec.removeprefix(EMULATE), dtype)
    if spec in MODELS:
        model: LanguageModel = MODELS.get(spec)(dtype=dtype)
        return model
    if spec and os.path.exists(os.path.expanduser(spec)):
        return _load_local(spec, dtype)
    if spec.startswith((".", "~", os.sep)) or Path(spec).suffix == ".gguf":
        raise ModelError(f"there is no model at {spec}: no such file or folder")
    if spec.count("/") == 1 and all(spec.split("/")):
        return _load_local(spec, dtype)
    forms = ("a folder", "a Hugging Face id (org/name)", f"{ENDPOINT}URL#name", f"{EMULATE}A|B|C")
    raise UnknownName("model", spec, [*MODELS, *forms])


def load_endpoint(spec: str, *, cache: bool = True, concurrency: int = 8) -> LanguageModel:
    """The model of ``endpoint:URL#name``; doesn't connect (``EndpointModel.check`` does).

    Raises:
        ModelError: URL or name is missing or malformed.
    """
    from scrubjay.models.endpoint import EndpointModel

    url, _, name = spec.removeprefix(ENDPOINT).partition("#")
    if not url or not name:
        raise ModelError(
            f"'{spec}' needs an address and a model name, as in "
            "endpoint:http://127.0.0.1:8080/v1#smollm2"
        )
    return EndpointModel(url, name, cache=cache, concurrency=concurrency)


def load_smollm2(*, dtype: str = "auto") -> LanguageModel:
    """SmolLM2-135M-Instruct, fetched and converted on first use."""
    return _load_local("smollm2-135m", dtype)


def _load_emulated(names: str, dtype: str) -> LanguageModel:
    """The three models of ``LARGE|TUNED|BASE``, or four parts with a weight (beta) at the end."""
    parts = [p.strip() for p in names.split("|")]
    if len(parts) not in (3, 4) or not all(parts):
        raise ModelError(
            f"'{EMULATE}{names}' needs a base, a tuned model and what that was before, as in "
            f"{EMULATE}org/large|org/small-chat|org/small"
        )
    try:
        beta = float(parts[3]) if len(parts) == 4 else 1.0
    except ValueError as error:
        raise ModelError(f"the weight '{parts[3]}' of an emulated tuning is no number") from error
    from scrubjay.models.weights import load_weights

    try:
        from scrubjay.models.combined import EmulatedFineTuning

        loaded = {name: load_weights(name, dtype=dtype) for name in dict.fromkeys(parts[:3])}
        base, tuned, reference = (loaded[name] for name in parts[:3])
        model: LanguageModel = EmulatedFineTuning(base, tuned, reference, beta=beta)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] not in LOCAL_PACKAGES:
            raise
        raise MissingExtra(error.name, "local") from error
    return model


def _load_local(spec: str, dtype: str) -> LanguageModel:
    try:
        from scrubjay.models.local import LocalModel

        model: LanguageModel = LocalModel.load(spec, dtype=dtype)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] not in LOCAL_PACKAGES:
            raise
        raise MissingExtra(error.name, "local") from error
    return model
