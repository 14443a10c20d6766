"""Heads whose last token looks at the answer, and who writes what they ask with.

    mover            a head whose last token attends more to the receiver's name than to the giver's
    writers          of a mover: the components that stand out for its query, by weights alone
    carried(i)       ½ Σ_j |a_j − a'_j|: how much the mover's attention changes when component i of
                     a writer is gone at the last token, mean over prompts

Source: paper 11, sections 3.2 and 3.3 of our sheet. Departure: movers are found by attention on
``worlds.lists.two_names``; no published list of heads is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from scrubjay.core.randomness import stream
from scrubjay.probing.anatomy import Anatomy
from scrubjay.probing.channels import Channel, channel_scores
from scrubjay.probing.composition import components
from scrubjay.probing.errors import ProbeError
from scrubjay.probing.heads import Head
from scrubjay.probing.inputs import as_inputs, padded
from scrubjay.probing.open import OpenModel
from scrubjay.probing.recording import record
from scrubjay.probing.sites import Site
from scrubjay.probing.subspace import component_edit
from scrubjay.probing.surprisal import read_words
from scrubjay.probing.tail import Base
from scrubjay.worlds.lists import Span, TwoNames


@dataclass(frozen=True, slots=True)
class Carried:
    """What one channel and other components of the same writer carry, as mean over prompts."""

    channel: Channel
    top: float
    others: tuple[float, ...]


def last_attention(
    model: OpenModel, texts: Sequence[str], spans: Sequence[Sequence[Span]]
) -> tuple[dict[str, Tensor], Tensor]:
    """Attention of each text's last token to its spans: (texts, layers, heads, spans).

    Also the texts as padded inputs.

    Raises:
        ProbeError: a span holds no token, or the model can't be read.
    """
    anatomy = Anatomy.of(model.model)
    read = []
    for text, places in zip(texts, spans, strict=True):
        ids, words = read_words(model.tokenizer, text, sorted(places))
        order = {place: words[i] for i, place in enumerate(sorted(places))}
        read.append((ids, [order[place] for place in places]))
    inputs = padded([ids for ids, _ in read])
    length = inputs["input_ids"].shape[1]
    sites = anatomy.sites("attn")
    with torch.no_grad(), record(anatomy, *sites, positions=-1, budget="4GB") as seen:
        anatomy.body(**as_inputs(anatomy, inputs), use_cache=False)
    rows = torch.stack([seen[site] for site in sites], 1)
    found = torch.zeros(*rows.shape[:3], len(spans[0]))
    for row, (ids, words) in enumerate(read):
        for i, (start, end) in enumerate(words):
            before = length - len(ids)
            found[row, ..., i] = rows[row, ..., before + start : before + end].sum(-1)
    return inputs, found


def movers(attention: Tensor, count: int) -> list[tuple[Head, float]]:
    """The heads with the greatest mean attention to the first span minus that to the second."""
    extra = (attention[..., 0] - attention[..., 1]).mean(0)
    best = extra.flatten().topk(min(count, extra.numel()))
    width = extra.shape[1]
    pairs = zip(best.indices.tolist(), best.values.tolist(), strict=True)
    return [((i // width, i % width), float(v)) for i, v in pairs]


def query_writers(model: Any, readers: Sequence[Head], count: int) -> dict[Head, list[Channel]]:
    """Of each reader, the clearest component of each of the ``count`` clearest writers."""
    found: dict[Head, list[Channel]] = {}
    for scores in channel_scores(model, "q", only=readers):
        best: dict[Head, Channel] = {}
        for i in scores.z.argsort(descending=True).tolist():
            layer, head, component = scores.writers[i]
            if (layer, head) not in best:
                score, z = float(scores.score[i]), float(scores.z[i])
                best[layer, head] = Channel((layer, head), component, scores.reader, "q", score, z)
            if len(best) == count:
                break
        found[scores.reader] = list(best.values())
    return found


def carried(
    model: OpenModel,
    prompts: Sequence[TwoNames],
    channels: Sequence[Channel],
    *,
    others: int = 4,
    seed: int = 0,
) -> list[Carried]:
    """Take each channel's component out at the last token, and ``others`` of the same writer.

    Raises:
        ProbeError: there are no channels or prompts.
    """
    if not channels or not prompts:
        raise ProbeError("what channels carry is measured on at least one channel and prompt")
    anatomy = Anatomy.of(model.model)
    inputs = padded([model.tokenizer(p.text)["input_ids"] for p in prompts])
    base = Base(anatomy, as_inputs(anatomy, inputs))
    rows, last = torch.arange(len(base)), base.length - 1

    def attended(channel: Channel) -> Tensor:
        layer, head = channel.reader
        site = Site("attn", layer, head, -1)
        with record(anatomy, site) as seen:
            base.rerun(rows, layer=channel.writer[0], start=last, read=torch.full_like(rows, last))
        return seen[site]

    found = []
    for channel in channels:
        parts = components(anatomy, channel.writer)
        before = attended(channel)
        rest = [i for i in range(len(parts.sizes)) if i != channel.component]
        drawn = stream(seed, "components", str(channel)).sample(rest, min(others, len(rest)))
        changes = []
        for i in (channel.component, *drawn):
            with component_edit(anatomy, parts, [i], positions=-1):
                moved = (attended(channel) - before).abs().sum(-1).mean() / 2
            changes.append(float(moved))
        found.append(Carried(channel, changes[0], tuple(changes[1:])))
    return found
