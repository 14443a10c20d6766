"""Prompting: templates, verbalisers, answer search, calibration, ensembles, prompt files."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scrubjay.models.prompting.answers import (
        NULL_INPUTS,
        Calibration,
        Labelled,
        answer_search,
        contextual_calibration,
        pmi_calibration,
    )
    from scrubjay.models.prompting.demonstrations import Demonstrations
    from scrubjay.models.prompting.ensemble import Ensemble
    from scrubjay.models.prompting.prompts import (
        PromptFile,
        list_prompts,
        load_prompt,
        parse_prompt,
        render_prompt,
    )
    from scrubjay.models.prompting.template import Prompted, Template, Verbaliser
    from scrubjay.models.prompting.traversal import StructuredTraversal
    from scrubjay.models.prompting.untrusted import as_data, harmless, one_line

__all__ = [
    "NULL_INPUTS",
    "Calibration",
    "Demonstrations",
    "Ensemble",
    "Labelled",
    "PromptFile",
    "Prompted",
    "StructuredTraversal",
    "Template",
    "Verbaliser",
    "answer_search",
    "as_data",
    "contextual_calibration",
    "harmless",
    "list_prompts",
    "load_prompt",
    "one_line",
    "parse_prompt",
    "pmi_calibration",
    "render_prompt",
]

_WHERE = {
    "answers": [
        "NULL_INPUTS",
        "Calibration",
        "Labelled",
        "answer_search",
        "contextual_calibration",
        "pmi_calibration",
    ],
    "demonstrations": ["Demonstrations"],
    "ensemble": ["Ensemble"],
    "prompts": ["PromptFile", "list_prompts", "load_prompt", "parse_prompt", "render_prompt"],
    "template": ["Prompted", "Template", "Verbaliser"],
    "traversal": ["StructuredTraversal"],
    "untrusted": ["as_data", "harmless", "one_line"],
}
_MODULES = {name: module for module, names in _WHERE.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
