"""Instruments for open models: what goes on inside them, and the tools beneath."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scrubjay.core.lazy import lazy

if TYPE_CHECKING:
    from scrubjay.probing.ablation import ablate
    from scrubjay.probing.anatomy import Anatomy
    from scrubjay.probing.concept_depth import ConceptDepth
    from scrubjay.probing.delta import token_shift
    from scrubjay.probing.errors import OverBudget, ProbeError
    from scrubjay.probing.inputs import padded
    from scrubjay.probing.instruments import get_instrument, list_instruments
    from scrubjay.probing.linear import LinearProbe
    from scrubjay.probing.metrics import log_probability, logit_difference
    from scrubjay.probing.open import OpenModel, load_open
    from scrubjay.probing.patching import interchange, patch
    from scrubjay.probing.paths import path_patch
    from scrubjay.probing.recording import Recording, record
    from scrubjay.probing.shuffling import permute_qk
    from scrubjay.probing.similarity import (
        last_states,
        layerwise_cka,
        layerwise_cosine,
        linear_cka,
        query_statement_gap,
    )
    from scrubjay.probing.sites import Site
    from scrubjay.probing.steering import steer
    from scrubjay.probing.surprisal import word_surprisal
    from scrubjay.probing.sweeping import Swept, sweep
    from scrubjay.probing.verbatim import VerbatimMemory

_WHERE = {
    "ablation": ["ablate"],
    "anatomy": ["Anatomy"],
    "concept_depth": ["ConceptDepth"],
    "delta": ["token_shift"],
    "errors": ["OverBudget", "ProbeError"],
    "inputs": ["padded"],
    "instruments": ["get_instrument", "list_instruments"],
    "linear": ["LinearProbe"],
    "metrics": ["log_probability", "logit_difference"],
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
    "shuffling": ["permute_qk"],
    "steering": ["steer"],
    "surprisal": ["word_surprisal"],
    "sweeping": ["Swept", "sweep"],
    "verbatim": ["VerbatimMemory"],
}
_MODULES = {name: module for module, names in _WHERE.items() for name in names}

__all__ = [
    "Anatomy",
    "ConceptDepth",
    "LinearProbe",
    "OpenModel",
    "OverBudget",
    "ProbeError",
    "Recording",
    "Site",
    "Swept",
    "VerbatimMemory",
    "ablate",
    "get_instrument",
    "interchange",
    "last_states",
    "layerwise_cka",
    "layerwise_cosine",
    "linear_cka",
    "list_instruments",
    "load_open",
    "log_probability",
    "logit_difference",
    "padded",
    "patch",
    "path_patch",
    "permute_qk",
    "query_statement_gap",
    "record",
    "steer",
    "sweep",
    "token_shift",
    "word_surprisal",
]

__getattr__ = lazy(__name__, _MODULES)
