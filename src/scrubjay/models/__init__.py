"""Models: language models that run here or behind an endpoint, and how they are prompted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scrubjay.core.lazy import lazy

if TYPE_CHECKING:
    from scrubjay.models.cache import ResponseCache
    from scrubjay.models.endpoint import EndpointModel
    from scrubjay.models.load import MODELS, load_model
    from scrubjay.models.local import LocalModel
    from scrubjay.models.prompting.prompts import list_prompts, render_prompt
    from scrubjay.models.retry import Patience
    from scrubjay.models.types import (
        Choice,
        Completion,
        LanguageModel,
        Message,
        Prompt,
        Scored,
        Want,
    )
    from scrubjay.models.wire import Wire

_WHERE = {
    "cache": ["ResponseCache"],
    "endpoint": ["EndpointModel"],
    "load": ["MODELS", "load_model"],
    "local": ["LocalModel"],
    "prompting.prompts": ["list_prompts", "render_prompt"],
    "retry": ["Patience"],
    "types": ["Choice", "Completion", "LanguageModel", "Message", "Prompt", "Scored", "Want"],
    "wire": ["Wire"],
}
_MODULES = {name: module for module, names in _WHERE.items() for name in names}

__all__ = [
    "MODELS",
    "Choice",
    "Completion",
    "EndpointModel",
    "LanguageModel",
    "LocalModel",
    "Message",
    "Patience",
    "Prompt",
    "ResponseCache",
    "Scored",
    "Want",
    "Wire",
    "list_prompts",
    "load_model",
    "render_prompt",
]

__getattr__ = lazy(__name__, _MODULES)
