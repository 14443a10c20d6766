"""Questions per second of whole agents: all at once on our engine, or one by one by ``generate``.

64 multi-hop questions of the atlas, DRAGIN and IRCoT, the same agent code, prompts and index. Ours
answers all 64 concurrently, with 3 GB for keys and values. The peer is what one writes without an
engine: questions one after another, each call a ``transformers.generate`` of batch 1 with its own
KV cache; both in the number format our engine takes on this processor. Entropy comes from the
logits it returns, attention from one more pass with eager attention, since the fast kernels return
none. The peer is slow, so over all rounds it answers each of the 64 once; ours answers all 64 in
every round. So the smallest and largest ratio of a round tell of its questions, too.

In bfloat16 a batch's rounding decides some tokens, and one other token makes another search.
``same_answers`` is the share of the peer's answers that ours equal; ``same_answers_float32`` the
same in float32 over the first few.

``products_only`` is what the ratio would be if ours took no time but for matrix products: every
distinct beginning of a prompt through every layer once, at the best rate this processor reaches
with the model's own weights. Softmax, norms and moving keys would cost nothing. It moves with the
peer's rate and with the luck of the best product.
"""

from __future__ import annotations

import asyncio
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

QUESTIONS = 64
ROUNDS = 4
EACH = QUESTIONS // ROUNDS
"""Questions the peer answers in a round."""
EXACT = 3
"""Questions compared in float32."""
THREADS = 2
MEMORY = 3_000_000_000
"""Bytes for the keys and values of 64 questions."""
AGENTS = ("dragin", "ircot")
DTYPES = ("auto", "float32")


def run() -> list[dict[str, Any]]:
    """One row per agent, named by the number format too: processors with another keep theirs."""
    import torch

    from scrubjay.models.local import LocalModel
    from scrubjay.retrieval import Index, build_index
    from scrubjay.worlds import load_world

    torch.set_num_threads(THREADS)
    world = load_world("atlas")
    questions = world.questions("multihop", QUESTIONS, 5)
    with tempfile.TemporaryDirectory() as folder:
        build_index(world.documents(), Path(folder) / "atlas.index")
        index = Index.open(Path(folder) / "atlas.index")
        usual, full = (LocalModel.load("smollm2-135m", dtype=t, memory=MEMORY) for t in DTYPES)
        return [_compare(name, usual, full, index, questions) for name in AGENTS]


def _compare(
    name: str, usual: Any, full: Any, index: Any, questions: Sequence[Any]
) -> dict[str, Any]:
    ours, theirs = _Together(name, usual, index), _OneByOne(name, OneAtATime(usual), index)
    ours(questions[:4])
    theirs(questions[:1])
    rates, same, calls = [], 0, 0.0
    for i in range(ROUNDS):
        a, answers = _timed(ours, questions)
        part = questions[i * EACH : (i + 1) * EACH]
        b, others = _timed(theirs, part)
        rates.append((a, b))
        same += sum(x.text == y.text for x, y in zip(answers[i * EACH :], others))
        calls = statistics.mean(x.trace.cost.calls for x in answers)
    least = _products(usual, answers) / _rate(usual.model)
    few = questions[:EXACT]
    exact = _Together(name, full, index)(few), _OneByOne(name, OneAtATime(full), index)(few)
    ratios = [a / b for a, b in rates]
    dtype = str(usual.model.dtype).removeprefix("torch.")
    return {
        "name": f"agents-{name}-{dtype}",
        "ours": round(statistics.median(a for a, _ in rates), 3),
        "peer": round(statistics.median(b for _, b in rates), 3),
        "peer_name": "transformers.generate, one question after another",
        "unit": "questions/s",
        "ratio": round(statistics.median(ratios), 2),
        "low": round(min(ratios), 2),
        "high": round(max(ratios), 2),
        "products_only": round(len(questions) / least / statistics.median(b for _, b in rates), 2),
        "same_answers": round(same / len(questions), 2),
        "same_answers_float32": round(statistics.mean(x.text == y.text for x, y in zip(*exact)), 2),
        "calls_per_question": round(calls, 1),
        "machine": f"{platform.machine()}, {THREADS} threads, {dtype}",
    }


def _products(local: Any, answers: Sequence[Any]) -> float:
    """Multiplications and additions of these answers if nothing is computed twice: each distinct
    beginning of a prompt and what was written after it, but for the last token, passes the layers
    once and attends to what is before it; every written token is chosen among the vocabulary."""
    from scrubjay.core.trace import Generated

    layers, (words, width) = local.model.model, local.model.lm_head.weight.shape
    weights = sum(m.weight.numel() for m in _linear(layers))
    config = layers.config
    attended = config.num_hidden_layers * config.num_attention_heads * config.head_dim
    known: dict[int, Any] = {}
    total = 0.0
    for step in (s for a in answers for s in a.trace if isinstance(s, Generated)):
        node = known
        for before, token in enumerate(local.codec.prompt(step.prompt + step.text)[:-1]):
            if token not in node:
                node[token] = {}
                total += 2 * weights + 4 * attended * (before + 1)
            node = node[token]
        total += 2 * words * width * step.cost.tokens_out
    return total


def _rate(model: Any) -> float:
    """Multiplications and additions a second in the products of one layer, as fast as they get."""
    import torch

    layer = list(_linear(model.model.layers[0]))
    best = 0.0
    for many in (128, 256, 512, 1024):
        lines = [torch.randn(many, m.in_features, dtype=model.dtype) for m in layer]
        products = 2 * many * sum(m.weight.numel() for m in layer)
        for _ in range(50):
            began = time.perf_counter()
            with torch.inference_mode():
                for m, x in zip(layer, lines):
                    m(x)
            best = max(best, products / (time.perf_counter() - began))
    return best


def _linear(module: Any) -> Iterator[Any]:
    from torch.nn import Linear

    return (m for m in module.modules() if isinstance(m, Linear))


def _timed(ask: Callable[[Sequence[Any]], list[Any]], questions: Sequence[Any]) -> Any:
    began = time.perf_counter()
    answers = ask(questions)
    return len(questions) / (time.perf_counter() - began), answers


class _Together:
    def __init__(self, name: str, model: Any, index: Any) -> None:
        from scrubjay.agents import make_agent

        self.agent, self.model, self.index = make_agent(name, None), model, index

    def __call__(self, questions: Sequence[Any]) -> list[Any]:
        async def everything() -> list[Any]:
            return await asyncio.gather(*(self.one(q) for q in questions))

        self.model.settle()
        return asyncio.run(everything())

    async def one(self, question: Any) -> Any:
        from scrubjay.agents import Session

        return await self.agent.answer(question, Session(self.model, self.index))


class _OneByOne(_Together):
    def __call__(self, questions: Sequence[Any]) -> list[Any]:
        async def everything() -> list[Any]:
            return [await self.one(q) for q in questions]

        return asyncio.run(everything())


class OneAtATime:
    """A ``LanguageModel`` as a plain user writes it: ``transformers.generate``, batches of one."""

    name = "one at a time"

    def __init__(self, local: Any) -> None:
        self.model, self.tokenizer, self.codec = local.model, local.tokenizer, local.codec

    async def generate(
        self,
        prompt: Any,
        *,
        max_tokens: int,
        stop: Sequence[str] = (),
        want: frozenset[str] = frozenset(),
        **_: Any,
    ) -> Any:
        import torch

        from scrubjay.models.inside import look_inside
        from scrubjay.models.stops import Stops
        from scrubjay.models.types import Completion

        ids = self.codec.prompt(prompt)
        x = torch.tensor([ids])
        stops = Stops(stop, self.codec.text)

        def ended(found: Any, scores: Any, **_: Any) -> Any:
            return torch.tensor([stops(found[0, len(ids) :].tolist())])

        with torch.inference_mode():
            out = self.model.generate(
                x,
                attention_mask=torch.ones_like(x),
                max_new_tokens=max_tokens,
                do_sample=False,
                pad_token_id=0,
                stopping_criteria=[ended],
                return_dict_in_generate=True,
                output_logits=True,
            )
        new = out.sequences[0, len(ids) :].tolist()
        finish = "length" if len(new) == max_tokens else "stop"
        if new and new[-1] == self.model.generation_config.eos_token_id:
            new, finish = new[:-1], "stop"
        if new and stops(new):
            finish = "stop"
        logits = torch.cat(out.logits)[: len(new)].float().log_softmax(-1)
        entropies = (-(logits.exp() * logits).sum(-1)).tolist() if "entropy" in want else []
        extra: dict[str, Any] = {"pieces": self.codec.pieces(new)}
        inside = want - {"entropy"}
        if inside:
            extra["prompt_pieces"] = self.codec.pieces(ids)
            extra |= look_inside(self.model, ids, new, inside)
        return Completion(
            stops.cut(self.codec.written(ids, new)),
            tuple(new),
            tuple(float(logits[i, t]) for i, t in enumerate(new)),
            tuple(entropies),
            finish,
            len(ids),
            len(new),
            extra,
        )

    def settle(self) -> None: ...
