"""Words that heads relate, and words that feed-forward layers write: read off the weights.

A head's *relations*. H_q = E (W_Q ∘ g), H_k = E (W_K ∘ g), g the gain of the norm before the
attention. For each coordinate of the head: the words with the largest |H_q| against those with the
largest |H_k|; a pair stays if both have the same sign and the words belong together. What stays in
two coordinates or more is a relation.

A layer's *concepts*. W: rows of the down projection, centred; its first right singular vectors v;
the concept of v are the words with the largest |v · ê|, ê the normalised output embedding.

Which words belong together comes from outside the model: ``plausible`` takes word vectors of any
kind (``ppmi`` makes them from texts) and applies the paper's threshold, mean + 1.96 standard
deviations of *both* words' cosines. Source: paper 42, sections 3.2 and 3.3 of our sheet.
Departures: PPMI in place of GloVe, which is a download; labels by given categories in place of a
language model's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from scrubjay.probing.anatomy import Anatomy
from scrubjay.probing.errors import ProbeError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class WordTable:
    """Words and their mean embeddings in a model (equal where it ties them)."""

    words: tuple[str, ...]
    into: Array
    """(words, width) input embeddings."""
    out: Array
    """(words, width) output embeddings, of length 1."""

    @classmethod
    def of(cls, model: Any, tokenizer: Any, words: Sequence[str]) -> WordTable:
        """Raises:
        ProbeError: there are fewer than two words, one twice, or one without tokens.
        """
        anatomy = Anatomy.of(model)
        if len(words) < 2 or len(set(words)) < len(words):
            raise ProbeError("a table needs two words at least, each of them once")
        into, out = [], []
        table, away = anatomy.w_e.detach().double(), anatomy.w_u.detach().double().T
        for word in words:
            ids = list(tokenizer(f" {word}", add_special_tokens=False)["input_ids"])
            if not ids:
                raise ProbeError(f"the tokenizer makes nothing of '{word}'")
            into.append(table[ids].mean(0).cpu().numpy())
            mean = away[ids].mean(0).cpu().numpy()
            out.append(mean / max(float(np.linalg.norm(mean)), 1e-12))
        return cls(tuple(words), np.stack(into), np.stack(out))


def plausible(vectors: Array, *, strict: float = 1.96) -> NDArray[np.bool_]:
    """(words, words): whose cosine is above both words' mean + ``strict`` standard deviations.

    Raises:
        ProbeError: the vectors aren't a finite matrix.
    """
    x = np.asarray(vectors, dtype=np.float64)
    if x.ndim != 2 or not np.isfinite(x).all():
        raise ProbeError(f"word vectors are a finite matrix (words, width), not {x.shape}")
    x = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
    cosine = x @ x.T
    off = ~np.eye(len(x), dtype=bool)
    rows = cosine[off].reshape(len(x), -1)
    limit = rows.mean(1) + strict * rows.std(1)
    return np.asarray((cosine > np.maximum(limit[:, None], limit[None])) & off)


def ppmi(texts: Sequence[Sequence[str]], words: Sequence[str]) -> Array:
    """(words, words) positive pointwise mutual information of standing in one text.

    Raises:
        ProbeError: there are no texts.
    """
    if not texts:
        raise ProbeError("co-occurrence needs at least one text")
    index = {w: i for i, w in enumerate(words)}
    both = np.zeros((len(words), len(words)))
    for text in texts:
        here = sorted({index[w] for w in text if w in index})
        both[np.ix_(here, here)] += 1
    alone = np.diag(both).copy()
    expected = np.outer(alone, alone) / len(texts)
    ratio = np.divide(both, expected, out=np.ones_like(both), where=(expected > 0) & (both > 0))
    return np.asarray(np.maximum(np.log(ratio), 0))


def head_word_pairs(
    model: Any,
    layer: int,
    head: int,
    table: WordTable,
    together: NDArray[np.bool_],
    *,
    top: int = 100,
    coordinates: int = 2,
) -> set[tuple[str, str]]:
    """The relations (query word, key word) of a head.

    Args:
        together: see ``plausible``.
        top: words of a coordinate.
        coordinates: in how many a pair must be found.

    Raises:
        ProbeError: there is no such head, or ``together`` doesn't fit the table.
    """
    anatomy = Anatomy.of(model)
    anatomy.check((layer, head))
    n = len(table.words)
    if together.shape != (n, n):
        raise ProbeError(f"the table has {n} words, what belongs together {together.shape}")
    gain = anatomy.gain(anatomy.blocks[layer].attention_norm).detach().double().cpu().numpy()
    scaled = table.into * gain
    q = scaled @ anatomy.w_q(layer)[head].detach().double().cpu().numpy()
    k = scaled @ anatomy.w_k(layer)[anatomy.kv_head(head)].detach().double().cpu().numpy()
    count = np.zeros((n, n), dtype=int)
    most = min(top, n)
    for c in range(q.shape[1]):
        a, b = (np.argsort(-np.abs(x[:, c]), kind="stable")[:most] for x in (q, k))
        same = np.outer(q[a, c], k[b, c]) > 0
        count[np.ix_(a, b)] += same & together[np.ix_(a, b)]
    rows = np.argwhere(count >= coordinates)
    return {(table.words[i], table.words[j]) for i, j in rows}


@dataclass(frozen=True, slots=True)
class Concept:
    """A direction that a feed-forward layer writes."""

    words: tuple[str, ...]
    """Those nearest to it, first the nearest."""
    share: float
    """Of the variance of what the neurons write."""
    vector: Array


def ffn_concepts(
    model: Any, layer: int, table: WordTable, *, k: int = 50, r: int = 300
) -> list[Concept]:
    """The concepts of a layer, those with most variance first.

    Raises:
        ProbeError: there is no such layer, it is a mixture of experts, or k or r is below 1.
    """
    anatomy = Anatomy.of(model)
    if k < 1 or r < 1 or not 0 <= layer < anatomy.n_layers:
        raise ProbeError(
            f"the model has {anatomy.n_layers} layers; k and r are at least 1, not {k}, {r}"
        )
    w = anatomy.w_down(layer).detach().double().cpu().numpy()
    _, s, v = np.linalg.svd(w - w.mean(0), full_matrices=False)
    share = s**2 / max(float((s**2).sum()), 1e-300)
    found = []
    for i in range(min(r, len(v))):
        order = np.argsort(-np.abs(table.out @ v[i]), kind="stable")[:k]
        found.append(Concept(tuple(table.words[j] for j in order), float(share[i]), v[i]))
    return found


def label(
    words: Sequence[str], categories: Mapping[str, Sequence[str]], *, sure: float = 0.05
) -> str:
    """The category that is most over-represented among the words, "none" if chance does as well.

    By the hypergeometric tail, whose threshold ``sure`` is divided by the number of categories.

    Raises:
        ProbeError: there are no words or categories, or a word is in none.
    """
    from scipy.stats import hypergeom

    every = {w for c in categories.values() for w in c}
    if not every or not words or not every.issuperset(words):
        raise ProbeError("a label needs words, and categories that hold them")
    tail = {
        name: float(
            hypergeom.sf(sum(w in set(c) for w in words) - 1, len(every), len(set(c)), len(words))
        )
        for name, c in categories.items()
    }
    best = min(tail, key=lambda name: (tail[name], name))
    return best if tail[best] < sure / len(categories) else "none"
