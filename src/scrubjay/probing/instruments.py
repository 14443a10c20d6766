"""The instruments by name: what ``scrubjay probe NAME`` can point at a model.

    instrument = get_instrument("concept-depth")           # a factory: settings are its arguments
    finding = instrument().measure(load_open("smollm2-135m"))

An instrument is a class whose arguments are its settings, all with defaults. ``measure`` takes an
open model (see ``load_open``) and data of its own kind, ``None`` for the data it makes itself, and
returns a ``Finding`` with numbers, intervals, tables, a figure (Vega-Lite) and all settings.

Another package adds one with an entry point in the group ``scrubjay.instruments``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Protocol

from scrubjay.core.finding import Finding
from scrubjay.core.progress import Progress, silent
from scrubjay.core.registry import Registry
from scrubjay.probing.open import OpenModel


class Instrument(Protocol):
    """What can be pointed at an open model."""

    about: ClassVar[str]
    """One line: what it measures."""

    def measure(
        self, model: OpenModel, data: Any = None, *, progress: Progress = silent
    ) -> Finding:
        """Measure the model; ``progress`` is called with (what, done, total).

        Raises:
            ProbeError: the model or the data can't be measured.
        """
        ...


INSTRUMENTS = Registry(
    "instrument",
    concept_depth="scrubjay.probing.concept_depth:ConceptDepth",
    concept_vectors="scrubjay.probing.word_instruments:ConceptVectors",
    entropy_neurons="scrubjay.probing.entropy_neurons:EntropyNeurons",
    fact_tracing="scrubjay.probing.tracing:FactTracing",
    lineas="scrubjay.probing.steering_effect:SteeringEffect",
    prompt_importance="scrubjay.probing.attribution:PromptImportance",
    refusal_direction="scrubjay.probing.refusal:RefusalDirection",
    entity_tracking="scrubjay.probing.entity_tracking:EntityTracking",
    mixing_mechanisms="scrubjay.probing.mixing:MixingMechanisms",
    retrieval_heads="scrubjay.probing.retrieval_heads:RetrievalHeads",
    talking_heads="scrubjay.probing.talking_heads:TalkingHeads",
    truth_direction="scrubjay.probing.truth:TruthDirection",
    verbatim_memory="scrubjay.probing.verbatim:VerbatimMemory",
    word_relations="scrubjay.probing.word_instruments:WordRelations",
)
"""Name → class."""


def get_instrument(name: str) -> Callable[..., Instrument]:
    """The class of the instrument called ``name``.

    Raises:
        UnknownName: nothing has that name.
    """
    found: Callable[..., Instrument] = INSTRUMENTS.get(name)
    return found


def list_instruments() -> list[dict[str, str]]:
    """One row per instrument: ``name, about``."""
    return [{"name": name, "about": INSTRUMENTS.get(name).about} for name in INSTRUMENTS]
