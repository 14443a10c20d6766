"""Cross-model activation patching: where in a tuned model is what it does better?

    both models read the same prompts; at a group's place the outputs of its heads in ``target`` are
    those of ``source``

If that lifts the target to the source's accuracy, the improvement is in that group (paper 63,
section 3.5 of our sheet). Departure: outputs of heads only, not their queries, keys or values.
"""

from __future__ import annotations

from typing import Any

import torch

from scrubjay.probing.anatomy import Anatomy
from scrubjay.probing.box_prompts import BoxPrompts, chunks
from scrubjay.probing.circuits import Circuit
from scrubjay.probing.errors import ProbeError
from scrubjay.probing.patching import patch
from scrubjay.probing.recording import record
from scrubjay.probing.sites import Site


def same_shape(a: Anatomy, b: Anatomy) -> None:
    """Raises:
    ProbeError: the models differ in layers, heads, widths or vocabulary.
    """
    for what, x, y in (
        ("layers", a.n_layers, b.n_layers),
        ("heads", a.n_heads, b.n_heads),
        ("numbers a head", a.d_head, b.d_head),
        ("numbers a state", a.d_model, b.d_model),
        ("tokens in the vocabulary", a.w_e.shape[0], b.w_e.shape[0]),
    ):
        if x != y:
            raise ProbeError(f"one model has {x} {what}, the other {y}: they can't be crossed")


def cross_model_patch(target: Any, source: Any, prompts: BoxPrompts, circuit: Circuit) -> float:
    """Accuracy of ``target`` with the heads of the circuit taken from ``source``.

    Raises:
        ProbeError: the models have different shapes, or a head doesn't exist.
    """
    into, out = Anatomy.of(target), Anatomy.of(source)
    same_shape(into, out)
    right = 0
    for part in chunks(torch.arange(len(prompts))):
        some = prompts.rows(part)
        with torch.no_grad():
            values = {}
            for place in sorted({circuit.places[name] for name, _ in circuit.spots}):
                heads = {h for name, h in circuit.spots if circuit.places[name] == place}
                sites = [Site("z", *head) for head in sorted(heads)]
                with record(out, *sites, positions=some.at[place]) as seen:
                    out.body(input_ids=some.ids, use_cache=False)
                values[place] = dict(seen)
            logits = _patched(into, some, values)
        right += int((logits.argmax(-1) == some.answers).sum())
    return right / len(prompts)


def _patched(into: Anatomy, some: BoxPrompts, values: dict[str, Any]) -> torch.Tensor:
    """Last logits with every place's values put in, one context inside the other."""
    if not values:
        logits: torch.Tensor = into.model(input_ids=some.ids, use_cache=False).logits[:, -1]
        return logits
    place, *rest = values
    with patch(into, values[place], positions=some.at[place]):
        return _patched(into, some, {name: values[name] for name in rest})
