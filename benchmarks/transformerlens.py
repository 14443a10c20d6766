"""Recording and sweeping beside TransformerLens, on a second copy of SmolLM2 and offline.

probing-record-transformerlens   seconds of a pass that records all residual streams
probing-sweep-transformerlens    patched runs a second: ours of the full sweep over heads and
                                 positions, the peer's of ``SITES`` of them, drawn anew each round,
                                 by its own ``generic_activation_patch``. ``difference`` is the
                                 largest one between the metrics of the two, in float32.

TransformerLens is in the extra ``bench``, which ``make bench`` installs, and not in ``dev``: it
brings some thirty packages with it. Where it is missing no row is written and the last ones stay.
Rounds and sizes are those of ``probing``. That both see and do the same is a test,
``tests/probing/test_transformerlens.py``.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import time
from typing import Any

from probing import BATCH, ROUNDS, TOKENS, chosen_sites, random_ids
from rounds import THREADS, rounds, row

PEER = "TransformerLens"


def run() -> list[dict[str, Any]]:
    """One row per comparison."""
    if importlib.util.find_spec("transformer_lens") is None:
        print("TransformerLens is not installed; pip install 'scrubjay[bench]'", file=sys.stderr)
        return []
    import torch

    from scrubjay.probing import load_open

    torch.set_num_threads(THREADS)
    model, lens = load_open("smollm2-135m").model, _lens()
    return [_record(model, lens), _sweep(model, lens)]


def _lens() -> Any:
    """A second copy, for TransformerLens changes the model that it is given."""
    from transformer_lens.model_bridge import TransformerBridge

    from scrubjay.models.weights import EMBEDDED, converted
    from scrubjay.probing import load_open

    name = "smollm2-135m"
    opened = load_open(name)
    return TransformerBridge.boot_transformers(
        str(converted(name, EMBEDDED[name])),
        hf_model=opened.model,
        tokenizer=opened.tokenizer,
        device="cpu",
    )


def _record(model: Any, lens: Any) -> dict[str, Any]:
    from scrubjay.probing import Anatomy, record

    ids, stream = random_ids(*BATCH, 0), Anatomy.of(model).sites("resid_post")

    def ours() -> None:
        with record(model, *stream):
            model(ids, use_cache=False)

    def theirs() -> None:
        lens.run_with_cache(ids, names_filter=lambda name: name.endswith("hook_resid_post"))

    pairs = rounds(ours, theirs, 2 * ROUNDS)
    return row("probing-record-transformerlens", pairs, PEER, "s", seconds=True)


def _sweep(model: Any, lens: Any) -> dict[str, Any]:
    import torch

    from scrubjay.probing import Anatomy, logit_difference, sweep

    base, source = random_ids(1, TOKENS, 1), random_ids(1, TOKENS, 2)
    heads = Anatomy.of(model).sites("z", heads=True)
    sites = [head.at(position) for head in heads for position in range(TOKENS)]
    with torch.no_grad():
        _, cache = lens.run_with_cache(source, names_filter=lambda name: name.endswith("hook_z"))
    pairs, worst = [], 0.0
    for number in range(ROUNDS):
        chosen = chosen_sites(len(sites), number)
        began = time.perf_counter()
        swept = sweep(model, base, source, sites, logit_difference([300], [500]))
        mine = len(sites) / (time.perf_counter() - began)
        began = time.perf_counter()
        theirs = _patched(lens, base, cache, [sites[i] for i in chosen])
        pairs.append((mine, len(chosen) / (time.perf_counter() - began)))
        worst = max(worst, *(abs(swept.patched[i, 0] - x) for i, x in zip(chosen, theirs)))
    made = row("probing-sweep-transformerlens", pairs, f"{PEER}, one site at a time", "runs/s")
    return made | {"sites": len(sites), "difference": float(f"{worst:.1e}")}


def _patched(lens: Any, base: Any, cache: Any, sites: list[Any]) -> list[float]:
    import pandas as pd
    import torch
    from transformer_lens.patching import (
        generic_activation_patch,
        layer_pos_head_vector_patch_setter,
    )

    with torch.no_grad():
        patched = generic_activation_patch(
            lens,
            base,
            cache,
            lambda logits: logits[0, -1, 300] - logits[0, -1, 500],
            layer_pos_head_vector_patch_setter,
            "z",
            index_df=pd.DataFrame([(s.layer, s.position, s.head) for s in sites]),
        )
    return [float(x) for x in patched]


if __name__ == "__main__":
    print(json.dumps(run(), indent=1))
