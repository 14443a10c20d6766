"""Questions per second: Scrubjay's engine, ``transformers.generate`` and llama.cpp's server.

The same 96 greedy questions for everybody: about 400 tokens of instructions in common, about 110 of
their own (a passage and a question), at most 24 new tokens. The peers are taken at their best:
``transformers.generate`` in the same type with left padding and the fastest of several static batch
sizes; llama.cpp's server on the same GGUF with 8 slots, continuous batching and its prompt cache.
Rounds are interleaved (ours, peer, ours, peer, …) because machines drift.
"""

from __future__ import annotations

import asyncio
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from scrubjay.core.randomness import stream

QUESTIONS = 96
NEW = 24
ROUNDS = 5
THREADS = 2
BATCHES = (1, 4, 8, 16, 32, 96)

_PLACES = "harbour village island valley market bridge mountain library garden castle mill quarry"
_NAMES = "Aldren Bessim Corva Dunmere Elsworth Farrow Gildan Harrowby Iskel Jorvan Kestrel Lunden"
_GOODS = "copper wool timber barley glass salt honey pottery linen amber slate cider"


def prompts(n: int = QUESTIONS, seed: int = 0) -> list[str]:
    """``n`` prompts in SmolLM2's chat format, from a fixed generator of sentences."""
    rules = [
        f"Rule {i}: when the passage speaks of a {place} that trades in {goods}, read the whole "
        f"sentence before you answer, and give the name exactly as it is written there."
        for i, (place, goods) in enumerate(zip(_PLACES.split(), _GOODS.split()), 1)
    ]
    head = (
        "<|im_start|>system\nYou answer questions about a passage in a few words.\n"
        + "\n".join(rules[:11])
        + "<|im_end|>\n<|im_start|>user\n"
    )
    return [head + _question(seed, i) for i in range(n)]


def _question(seed: int, i: int) -> str:
    random = stream(seed, "benchmark", i)
    sentences = []
    for _ in range(random.choice((3, 4, 4, 5))):
        name, place, goods = (random.choice(x.split()) for x in (_NAMES, _PLACES, _GOODS))
        year = random.randrange(1200, 1900)
        sentences.append(
            f"The {place} of {name} was founded in {year} and sold {goods} to its neighbours."
        )
    text = " ".join(sentences)
    return f"{text}\nQuestion: Who sold {goods}?<|im_end|>\n<|im_start|>assistant\n"


def run() -> list[dict[str, Any]]:
    """Both comparisons, one row each."""
    import torch

    from scrubjay.models.local import LocalModel

    torch.set_num_threads(THREADS)
    model = LocalModel.load("smollm2-135m")
    ours = _Ours(model)
    rows = [_compare(ours, _Transformers(model))]
    server = _LlamaServer()
    try:
        rows.append(_compare(ours, server))
    finally:
        server.stop()
    return rows


def _compare(ours: Any, peer: Any) -> dict[str, Any]:
    warm = prompts(8, seed=100)
    ours(warm), peer(warm)
    rates: list[tuple[float, float]] = []
    same = 0
    for seed in range(ROUNDS):  # new questions each round: nobody answers from an old cache
        texts = prompts(seed=seed)
        a, answers = _timed(ours, texts)
        b, theirs = _timed(peer, texts)
        rates.append((a, b))
        same += sum(x.strip() == y.strip() for x, y in zip(answers, theirs))
    ratios = [a / b for a, b in rates]
    return {
        "name": "engine",
        "ours": round(statistics.median(a for a, _ in rates), 2),
        "peer": round(statistics.median(b for _, b in rates), 2),
        "peer_name": peer.name,
        "unit": "questions/s",
        "ratio": round(statistics.median(ratios), 2),
        "low": round(min(ratios), 2),
        "high": round(max(ratios), 2),
        "same_answers": round(same / ROUNDS / QUESTIONS, 2),
        "machine": f"{platform.machine()}, {THREADS} threads, {ours.dtype}",
    }


def _timed(
    ask: Callable[[Sequence[str]], list[str]], texts: Sequence[str]
) -> tuple[float, list[str]]:
    began = time.perf_counter()
    answers = ask(texts)
    return len(texts) / (time.perf_counter() - began), answers


class _Ours:
    def __init__(self, model: Any) -> None:
        self.model, self.dtype = model, str(model.model.dtype).removeprefix("torch.")

    def __call__(self, texts: Sequence[str]) -> list[str]:
        async def ask() -> list[str]:
            self.model.settle()
            done = await asyncio.gather(*(self.model.generate(t, max_tokens=NEW) for t in texts))
            return [d.text for d in done]

        return asyncio.run(ask())


class _Transformers:
    """``generate`` on the same weights, at the batch size that was fastest on a sample."""

    def __init__(self, model: Any) -> None:
        self.model, self.tokenizer = model.model, model.tokenizer
        self.tokenizer.padding_side = "left"
        sample = prompts(32, seed=101)
        speeds = {}
        for self.batch in BATCHES:
            some = sample if self.batch >= 8 else sample[:8]
            speeds[self.batch] = max(_timed(self, some)[0] for _ in range(2))
        self.batch = max(speeds, key=lambda b: speeds[b])
        self.name = f"transformers.generate, static batch {self.batch}"

    def __call__(self, texts: Sequence[str]) -> list[str]:
        import torch

        answers = []
        for first in range(0, len(texts), self.batch):
            inputs = self.tokenizer(
                list(texts[first : first + self.batch]), return_tensors="pt", padding=True
            )
            with torch.inference_mode():
                out = self.model.generate(**inputs, max_new_tokens=NEW, do_sample=False)
            new = out[:, inputs["input_ids"].shape[1] :]
            answers += self.tokenizer.batch_decode(new, skip_special_tokens=True)
        return answers


_SERVE = """
import sys, time, xllamacpp
p = xllamacpp.CommonParams()
p.model.path = sys.argv[1]
p.n_parallel, p.n_ctx, p.cont_batching = 8, 8 * 1024, True
p.cpuparams.n_threads = p.cpuparams_batch.n_threads = int(sys.argv[2])
server = xllamacpp.Server(p)
print(server.listening_address, flush=True)
sys.stdin.read()
"""


class _LlamaServer:
    """llama.cpp's HTTP server (package ``xllamacpp``) in a process of its own."""

    name = "llama.cpp server, 8 slots, prompt cache"

    def __init__(self) -> None:
        import httpx

        from scrubjay.core.assets import SMOLLM2, fetch

        self._process = subprocess.Popen(
            [sys.executable, "-c", _SERVE, str(fetch(SMOLLM2)), str(THREADS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout is not None
        address = ""
        while not address.startswith("http"):
            address = self._process.stdout.readline().strip()
            if self._process.poll() is not None:
                raise RuntimeError("llama.cpp's server did not start")
        self._client = httpx.Client(base_url=address, timeout=600)

    def __call__(self, texts: Sequence[str]) -> list[str]:
        with ThreadPoolExecutor(16) as pool:
            return list(pool.map(self._ask, texts))

    def _ask(self, text: str) -> str:
        body = {"prompt": text, "n_predict": NEW, "temperature": 0, "cache_prompt": True}
        reply = self._client.post("/completion", json=body)
        reply.raise_for_status()
        return str(reply.json()["content"])

    def stop(self) -> None:
        self._client.close()
        self._process.terminate()
        self._process.wait()
