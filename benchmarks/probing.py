"""The tools beneath the instruments: what they cost, and how fast a sweep is.

probing-record      seconds of a pass over SmolLM2 that records every block's residual stream,
                    beside the plain pass; the ratio's inverse is the cost (goal: at most 1.2)
probing-sweep       patched runs a second of the full sweep over heads and positions, beside the
                    same sweep one site at a time with plain hooks, as one writes it (goal: at
                    least 5). The peer's rate doesn't depend on how many sites it patches, so each
                    round takes ``SITES`` of them, drawn anew; ``difference`` is the largest one
                    between the metrics of the two, in float32.
probing-memory      most bytes that recording adds to a process, in memory and to a folder, beside
probing-folder      the stated budget (a folder may take many times the budget)

Rounds are interleaved. Ratios of seconds are peer over ours. The same work by TransformerLens is in
``transformerlens``.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from typing import Any

from rounds import THREADS, rounds, row

ROUNDS = 3
TOKENS = 16
SITES = 24
BATCH = (4, 128)
"""Rows and tokens of the recorded pass."""
BUDGET = 100_000_000


def run() -> list[dict[str, Any]]:
    """One row per comparison."""
    import torch

    from scrubjay.probing import load_open

    torch.set_num_threads(THREADS)
    opened = load_open("smollm2-135m")
    return [_record(opened.model), _sweep(opened.model), *_memory()]


def random_ids(rows: int, tokens: int, seed: int) -> Any:
    import torch

    random = torch.Generator().manual_seed(seed)
    return torch.randint(100, 40_000, (rows, tokens), generator=random)


def _record(model: Any) -> dict[str, Any]:
    from scrubjay.probing import Anatomy, record

    ids, sites = random_ids(*BATCH, 0), Anatomy.of(model).sites("resid_post")

    def ours() -> None:
        with record(model, *sites):
            model(ids, use_cache=False)

    pairs = rounds(ours, lambda: model(ids, use_cache=False), 4 * ROUNDS)
    return row("probing-record", pairs, "plain pass, nothing recorded", "s", seconds=True)


def _sweep(model: Any) -> dict[str, Any]:
    from scrubjay.probing import Anatomy, logit_difference, sweep

    base, source = random_ids(1, TOKENS, 1), random_ids(1, TOKENS, 2)
    heads = Anatomy.of(model).sites("z", heads=True)
    sites = [head.at(position) for head in heads for position in range(TOKENS)]
    metric = logit_difference([300], [500])
    sweep(model, base, source, sites[: 9 * TOKENS], metric)
    pairs, worst = [], 0.0
    for number in range(ROUNDS):
        chosen = chosen_sites(len(sites), number)
        began = time.perf_counter()
        swept = sweep(model, base, source, sites, metric)
        ours = len(sites) / (time.perf_counter() - began)
        began = time.perf_counter()
        theirs = [_by_hand(model, base, source, sites[i]) for i in chosen]
        pairs.append((ours, len(chosen) / (time.perf_counter() - began)))
        worst = max(worst, *(abs(swept.patched[i, 0] - x) for i, x in zip(chosen, theirs)))
    made = row("probing-sweep", pairs, "one site at a time with plain hooks", "runs/s")
    return made | {"sites": len(sites), "difference": float(f"{worst:.1e}")}


def chosen_sites(count: int, seed: int) -> list[int]:
    import torch

    random = torch.Generator().manual_seed(seed)
    return torch.randperm(count, generator=random)[:SITES].tolist()


def _by_hand(model: Any, base: Any, source: Any, site: Any) -> float:
    """One patched run. The source's activations are kept from one run over all heads."""
    import torch

    out = model.model.layers[site.layer].self_attn.o_proj
    part = slice(site.head * 64, site.head * 64 + 64)
    value = _source(model, source)[site.layer][:, site.position, part]

    def hook(_: Any, args: Any) -> Any:
        x = args[0].clone()
        x[:, site.position, part] = value
        return (x,)

    handle = out.register_forward_pre_hook(hook)
    with torch.no_grad():
        logits = model(base, use_cache=False).logits[0, -1]
    handle.remove()
    return float(logits[300] - logits[500])


_kept: dict[int, list[Any]] = {}


def _source(model: Any, ids: Any) -> list[Any]:
    import torch

    if id(model) not in _kept:
        found: list[Any] = []
        handles = [
            layer.self_attn.o_proj.register_forward_pre_hook(lambda _, args: found.append(args[0]))
            for layer in model.model.layers
        ]
        with torch.no_grad():
            model(ids, use_cache=False)
        for handle in handles:
            handle.remove()
        _kept[id(model)] = found
    return _kept[id(model)]


MEASURE = """
import json, os, sys, threading, time, torch
from scrubjay.probing import Anatomy, load_open, record

class Peak(threading.Thread):
    # Most resident bytes while it runs; the process's own peak is that of loading the model.
    def __enter__(self):
        self.most, self.going = 0, True
        self.start()
        return self
    def run(self):
        while self.going:
            with open("/proc/self/statm") as file:
                self.most = max(self.most, int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE"))
            time.sleep(0.001)
    def __exit__(self, *_):
        self.going = False
        self.join()

torch.set_num_threads(1)
budget, batches, folder = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3] or None
model = load_open("smollm2-135m").model
sites = Anatomy.of(model).sites("resid_post")
random = torch.Generator().manual_seed(0)
ids = torch.randint(100, 40_000, (4, 64), generator=random)
with torch.no_grad():
    with Peak() as plain:
        for _ in range(3):
            model.model(ids, use_cache=False)
    with Peak() as recorded, record(model, *sites, budget=budget, to=folder) as seen:
        for _ in range(batches):
            model.model(ids, use_cache=False)
print(json.dumps(recorded.most - plain.most))
"""


def _memory() -> list[dict[str, Any]]:
    one = 30 * 4 * 64 * 576 * 4  # bytes of a batch
    rows = []
    for name, batches, folder in (("memory", BUDGET // one, False), ("folder", 20, True)):
        with tempfile.TemporaryDirectory() as place:
            pairs = []
            for number in range(ROUNDS):
                where = f"{place}/{number}" if folder else ""
                command = [sys.executable, "-c", MEASURE, str(BUDGET), str(batches), where]
                out = subprocess.run(command, capture_output=True, check=True, text=True).stdout
                pairs.append((max(int(out), 1) / 1e6, BUDGET / 1e6))
        made = row(f"probing-{name}", pairs, "the stated budget", "MB", seconds=True)
        rows.append(made | {"recorded": round(batches * one / 1e6, 1)})
    return rows


if __name__ == "__main__":
    print(json.dumps(run(), indent=1))
