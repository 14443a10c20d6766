"""Instruments for open models: what goes on inside them, and the tools beneath."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scrubjay.core.lazy import lazy

if TYPE_CHECKING:
    from scrubjay.probing.ablation import ablate
    from scrubjay.probing.anatomy import Anatomy
    from scrubjay.probing.errors import OverBudget, ProbeError
    from scrubjay.probing.inputs import padded
    from scrubjay.probing.open import OpenModel, load_open
    from scrubjay.probing.patching import interchange, patch
    from scrubjay.probing.paths import path_patch
    from scrubjay.probing.recording import Recording, record
    from scrubjay.probing.similarity import (
        last_states,
        layerwise_cka,
        layerwise_cosine,
        linear_cka,
        query_statement_gap,
    )
    from scrubjay.probing.sites import Site
    from scrubjay.probing.steering import steer
    from scrubjay.probing.sweeping import Swept, log_probability, logit_difference, sweep

_WHERE = {
    "ablation": ["ablate"],
    "anatomy": ["Anatomy"],
    "errors": ["OverBudget", "ProbeError"],
    "inputs": ["padded"],
    "open": ["OpenModel", "load_open"],
    "patching": ["interchange", "patch"],
    "paths": ["path_patch"],
    "recording": ["Recording", "record"],
    "similarity": [
        "last_states",
        "layerwise_cka",
        "layerwise_cosine",
        "linear_cka",
        "query_statement_gap",
    ],
    "sites": ["Site"],
    "steering": ["steer"],
    "sweeping": ["Swept", "log_probability", "logit_difference", "sweep"],
}
_MODULES = {name: module for module, names in _WHERE.items() for name in names}

__all__ = [
    "Anatomy",
    "OpenModel",
    "OverBudget",
    "ProbeError",
    "Recording",
    "Site",
    "Swept",
    "ablate",
    "interchange",
    "last_states",
    "layerwise_cka",
    "layerwise_cosine",
    "linear_cka",
    "load_open",
    "log_probability",
    "logit_difference",
    "padded",
    "patch",
    "path_patch",
    "query_statement_gap",
    "record",
    "steer",
    "sweep",
]

__getattr__ = lazy(__name__, _MODULES)
