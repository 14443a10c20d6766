"""Heads that copy: scores from a model's own answers, and its answers without some heads.

    scores = retrieval_scores(model, samples)                  # (samples, layers, heads)
    recall = needle_recall(model, tests, {"intact": [], "top": scores.top(14)})

The rule is on the first screen of ``retrieval_heads``. Attention rows are taken while the answer is
decoded, one query a step: the full maps are never there. A sample is text (``Needle``, with a
tokenizer) or token numbers (``Copy``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import torch

from scrubjay.core.progress import Count
from scrubjay.core.randomness import numpy_stream
from scrubjay.probing.ablation import Mode, Scope, ablate
from scrubjay.probing.anatomy import Anatomy
from scrubjay.probing.decoding import Prefilled, in_batches
from scrubjay.probing.errors import ProbeError
from scrubjay.probing.heads import Array, Head, HeadScores
from scrubjay.probing.open import OpenModel
from scrubjay.probing.recording import record
from scrubjay.probing.surprisal import read_words
from scrubjay.worlds.needle import Needle

Counting = Literal["set", "step"]
BATCH = 4096
"""Tokens of prompts whose keys and values are in memory at once."""
MOST = 50
"""Tokens of an answer at most; a line break ends it."""


@dataclass(frozen=True, slots=True)
class Copy:
    """A prompt as token numbers, and the tokens [start, end) that it should be continued with."""

    ids: tuple[int, ...]
    start: int
    end: int

    def __post_init__(self) -> None:
        """Raises:
        ProbeError: the needle isn't a part of the prompt.
        """
        if not 0 <= self.start < self.end <= len(self.ids):
            raise ProbeError(
                f"a needle at tokens {self.start} to {self.end} isn't in a prompt of "
                f"{len(self.ids)}"
            )

    @property
    def needle(self) -> tuple[int, ...]:
        return self.ids[self.start : self.end]


def tokenized(model: OpenModel, samples: Sequence[Needle | Copy]) -> list[Copy]:
    """Samples as token numbers; the needle is found by the characters its tokens stand for.

    Raises:
        ProbeError: there are no samples, a needle isn't in its prompt, or the tokenizer has no
            offsets.
    """
    if not samples:
        raise ProbeError("there are no needles to look for")
    found = []
    for sample in samples:
        if isinstance(sample, Needle):
            if not getattr(model.tokenizer, "is_fast", False):
                raise ProbeError("finding needles needs a tokenizer with offsets (a fast one)")
            start, end = sample.span
            if sample.prompt[start:end] != sample.answer:
                raise ProbeError(f"the needle '{sample.answer[:60]}' isn't where its sample says")
            ids, ((first, last),) = read_words(model.tokenizer, sample.prompt, [sample.span])
            sample = Copy(tuple(ids), first, last)
        found.append(sample)
    return found


def rouge1_recall(answer: Sequence[Any], wanted: Sequence[Any]) -> float:
    """Share of ``wanted`` that is in ``answer``, each unit as often as it is there.

    >>> rouge1_recall("a red red fox".split(), "red fox fox".split())
    0.6666666666666666
    """
    both = Counter(answer) & Counter(wanted)
    return both.total() / max(1, len(wanted))


def retrieval_scores(
    model: OpenModel,
    samples: Sequence[Needle | Copy],
    *,
    counting: Counting = "set",
    success: float = 0.5,
    most: int = MOST,
    batch: int = BATCH,
    progress: Count | None = None,
) -> HeadScores:
    """How much of each needle each head copied.

    Args:
        model: the tokenizer may be None where samples are ``Copy``.
        counting: "set", as the paper's formula, or "step", as its released code.
        success: samples with a recall up to this are skipped.
        most: tokens of an answer.
        batch: tokens of prompts read at once.
        progress: called with samples done and samples in all.

    Raises:
        ProbeError: a setting or sample can't be used, or the model answered no sample.
    """
    if counting not in get_args(Counting):
        raise ProbeError(
            f"there is no counting '{counting}'; known: {', '.join(get_args(Counting))}"
        )
    anatomy = Anatomy.of(model.model)
    copies = tokenized(model, samples)
    sites = anatomy.sites("attn")
    shape = (len(copies), anatomy.n_layers, anatomy.n_heads)
    scores, mass = np.zeros(shape), np.zeros(shape)
    recalls, done = np.zeros(len(copies)), 0
    for places in in_batches([len(c.ids) for c in copies], batch):
        part = [copies[i] for i in places]
        read = Prefilled(anatomy, [c.ids for c in part])
        with record(anatomy, *sites, positions=-1, budget="1GB") as seen:
            answers = read.greedy(most, _newline(model.tokenizer))
        for row, (place, copy, answer) in enumerate(zip(places, part, answers)):
            recalls[place] = _recall(model.tokenizer, answer, copy)
            steps = [
                torch.stack([seen.batches(s)[t][row] for s in sites])[..., read.padding[row] :]
                for t in range(len(answer))
            ]
            scores[place], mass[place] = _copied(copy, answer, steps, counting, shape[1:])
        done += len(part)
        if progress is not None:
            progress(done, len(copies))
    used = recalls > success
    if not used.any():
        raise ProbeError(
            f"the model answers none of {len(copies)} samples (recall at most "
            f"{recalls.max():.2f}), so no head can be seen copying; use shorter ones"
        )
    why = tuple(f"sample {i}: recall {recalls[i]:.2f}" for i in np.flatnonzero(~used))
    return HeadScores(scores[used], why, mass[used].mean(0))


def _copied(
    copy: Copy,
    answer: Sequence[int],
    steps: Sequence[torch.Tensor],
    counting: Counting,
    shape: tuple[int, ...],
) -> tuple[Array, Array]:
    """Score and mean attention to the needle, of each head; ``steps``: (layers, heads, keys)."""
    needle = sorted(set(copy.needle))
    held, mass = np.zeros((len(needle), *shape), dtype=bool), np.zeros(shape)
    count = np.zeros(shape)
    for token, rows in zip(answer, steps):
        mass += rows[..., copy.start : copy.end].sum(-1).double().numpy() / len(steps)
        if token not in needle:
            continue
        best = rows.argmax(-1)
        here = torch.tensor(
            [
                start in range(copy.start, copy.end) and i == token
                for start, i in enumerate(copy.ids)
            ]
        )
        inside = best < len(copy.ids)
        hit = (here[best.clamp(max=len(copy.ids) - 1)] & inside).numpy()
        held[needle.index(token)] |= hit
        count += hit
    if counting == "step":
        return count / len(copy.needle), mass
    return held.mean(0), mass


def needle_recall(
    model: OpenModel,
    samples: Sequence[Needle | Copy],
    without: Mapping[str, Sequence[Head]],
    *,
    mode: Mode = "uniform",
    scope: Scope = "decode",
    reference: Mapping[Any, torch.Tensor] | None = None,
    most: int = MOST,
    batch: int = BATCH,
    progress: Count | None = None,
) -> dict[str, Array]:
    """ROUGE-1 recall of each sample's needle, (samples,), under every condition.

    Args:
        without: condition → heads that are taken out; none of them: the intact model.
        mode: see ``ablate``; the paper's is "uniform".
        scope: see ``ablate``; the paper's is "decode". With another one the prompt is read anew
            under every condition.
        reference: see ``ablate``.

    Raises:
        ProbeError: a sample or head can't be used.
    """
    anatomy = Anatomy.of(model.model)
    copies = tokenized(model, samples)
    found = {name: np.zeros(len(copies)) for name in without}
    batches = in_batches([len(c.ids) for c in copies], batch)
    stop, done = _newline(model.tokenizer), 0
    for places in batches:
        part = [copies[i] for i in places]
        prompts = [c.ids for c in part]
        read = Prefilled(anatomy, prompts) if scope == "decode" else None
        for name, heads in without.items():
            if not heads:
                answers = (read or Prefilled(anatomy, prompts)).greedy(most, stop)
            else:
                with ablate(anatomy, *heads, mode=mode, scope=scope, reference=reference):
                    answers = (read or Prefilled(anatomy, prompts)).greedy(most, stop)
            for place, copy, answer in zip(places, part, answers):
                found[name][place] = _recall(model.tokenizer, answer, copy)
            done += 1
            if progress is not None:
                progress(done, len(batches) * len(without))
    return found


def induction_scores(model: OpenModel, *, length: int = 40, count: int = 4, seed: int = 0) -> Array:
    """(layers, heads): mean attention to what followed the last time, on random tokens told twice.

    Raises:
        ProbeError: two times ``length`` is longer than the context.
    """
    anatomy = Anatomy.of(model.model)
    random = numpy_stream(seed, "repeated tokens")
    ids = random.integers(0, anatomy.w_e.shape[0], (count, length))
    sites = anatomy.sites("attn")
    asking = list(range(length, 2 * length - 1))
    twice = torch.tensor(np.concatenate([ids, ids], 1))
    if 2 * length > anatomy.context:
        raise ProbeError(f"{2 * length} tokens are longer than the context of {anatomy.context}")
    with torch.inference_mode(), record(anatomy, *sites, positions=asking) as seen:
        anatomy.model(input_ids=twice, use_cache=False)
    queries = torch.arange(len(asking))
    rows = [seen[s][:, queries, :, queries + 1].mean((0, 1)) for s in sites]
    return torch.stack(rows).double().numpy()


def _recall(tokenizer: Any, answer: Sequence[int], copy: Copy) -> float:
    """Over words where there is a tokenizer, else over tokens."""
    if tokenizer is None:
        return rouge1_recall(answer, copy.needle)
    told, wanted = (tokenizer.decode(list(ids)) for ids in (answer, copy.needle))
    return rouge1_recall(_words(told), _words(wanted))


def _words(text: str) -> list[str]:
    return [w for w in (w.strip(".,;:!?\"'()") for w in text.lower().split()) if w]


def _newline(tokenizer: Any) -> Callable[[int], bool]:
    if tokenizer is None:
        return lambda token: False
    return lambda token: "\n" in tokenizer.decode([token])
