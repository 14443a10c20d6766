"""Measuring one seed of study 42: importance, relations and concepts of three models."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from scrubjay.core.randomness import stream
from scrubjay.probing.anatomy import Anatomy
from scrubjay.probing.attribution import grad_x_input, importance, instruction_score, span_tokens
from scrubjay.probing.continuing import continued
from scrubjay.probing.open import OpenModel
from scrubjay.probing.words import (
    WordTable,
    ffn_concepts,
    head_word_pairs,
    label,
    plausible,
    ppmi,
)
from scrubjay.studies.behaviour_shift_stage import (
    FUNCTION,
    Size,
    models,
    ordinary,
    prompts,
    words,
)
from scrubjay.worlds.instructions import ITEMS, OTHERS, VERBS

TOKENS = 3
"""Of every response: the length of a list, so that densities can be compared."""
CATEGORIES = {"taught verbs": tuple(VERBS), "other verbs": OTHERS, "items": tuple(ITEMS), "function words": FUNCTION}  # fmt: skip  # noqa: E501


def measure_seed(size: Size, seed: int) -> dict[str, Any]:
    """Scores of every prompt in every model; relations of every verb; labels of every layer."""
    made = models(size, seed)
    scores = {name: _scores(m, size, seed) for name, m in made.items()}
    relations = {name: _relations(m) for name, m in made.items()}
    return {
        "scores": scores,
        "verbs": {name: r["verbs"] for name, r in relations.items()},
        "relations": {name: r["kinds"] for name, r in relations.items()},
        "concepts": {name: _concepts(m) for name, m in made.items()},
    }


def _scores(model: OpenModel, size: Size, seed: int) -> list[dict[str, Any]]:
    rows = []
    for i, one in enumerate(prompts(size, seed)):
        ids, span = span_tokens(model.tokenizer, one.text, one.span)
        (own,) = continued(model, [ids], TOKENS)
        reply = model.tokenizer(one.reply, add_special_tokens=False)["input_ids"]
        common = importance(model.model, ids, span, reply[:TOKENS], i)
        whole = len(own) == TOKENS
        mine = importance(model.model, ids, span, own, i) if whole else None
        norms = np.abs(grad_x_input(model.model, ids, reply[:TOKENS], target="logprob")).sum(1)
        norms[0] = 0
        rows.append(
            {
                "verb": one.verb,
                "followed": own == reply,
                "own": mine.score if mine else None,
                "own beside": mine.beside if mine else None,
                "own raw": mine.raw if mine else None,
                "common": common.score,
                "common beside": common.beside,
                "common raw": common.raw,
                "common logprob": instruction_score(norms / max(norms.max(), 1e-12), span),
                "first": common.first,
            }
        )
    return rows


def _relations(model: OpenModel) -> dict[str, Any]:
    """How often each verb stands in relations, by layer; and kinds of query words."""
    anatomy = Anatomy.of(model.model)
    table = WordTable.of(anatomy, model.tokenizer, words())
    texts = [ordinary(stream(0, "co-occurrence", i)).split() for i in range(1000)]
    together = plausible(ppmi(texts, table.words), strict=0.0)
    kind = {w: name for name, members in CATEGORIES.items() for w in members}
    verbs = {v: [0] * anatomy.n_layers for v in (*VERBS, *OTHERS)}
    kinds: Counter[str] = Counter()
    for layer in range(anatomy.n_layers):
        for head in range(anatomy.n_heads):
            for pair in head_word_pairs(anatomy, layer, head, table, together, top=12):
                kinds[kind[pair[0]]] += 1
                for word in pair:
                    if word in verbs:
                        verbs[word][layer] += 1
    return {"verbs": verbs, "kinds": dict(kinds)}


def _concepts(model: OpenModel) -> Mapping[str, int]:
    anatomy = Anatomy.of(model.model)
    table = WordTable.of(anatomy, model.tokenizer, words())
    told: Counter[str] = Counter()
    for layer in range(anatomy.n_layers):
        told.update(label(c.words, CATEGORIES) for c in ffn_concepts(anatomy, layer, table, k=6))
    return dict(told)
