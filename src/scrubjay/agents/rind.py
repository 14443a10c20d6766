"""RIND: where a text is doubtful, from the entropy and the attention with which it was written.

DRAGIN (Su et al. 2024, arXiv 2403.10081, section 3.1), for the tokens t_1 … t_n of a draft:

    S_i = H_i · max_{j>i} A[j, i] · s_i          look something up at the first i with S_i > θ

    H_i        entropy, in nats, of the distribution that emitted t_i
    A[j, i]    attention that t_j pays to t_i: last layer, mean over heads, from the generation
               itself with its whole context, row j being t_j's own position (``models.inside``)
    s_i        1 if t_i is part of a content word (``models.words``), else 0

The last token has no later one: its S is 0. θ belongs to a normalisation and to a prompt: shares of
attention over a whole prompt are small. ``normalise="released"`` scores *words* as the authors'
program does: the column maximum includes the diagonal and is taken head by head, then averaged; a
word has the sum of its tokens' attention and the mean of their entropy; within a sentence of m
words, S = m · H · attention / Σ attention, so that θ = 1 is one nat at average influence.
Departures there: the program runs a second pass over the draft alone, we take the draft's own
columns of the generation's attention; punctuation belongs to no word; stop words are dropped before
the threshold and not after it, as the paper's equations say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import ClassVar, Literal

import numpy as np

from scrubjay.agents.draft import Draft
from scrubjay.agents.triggers import Flag, Lookahead, first_above, largest, seen
from scrubjay.models.types import Want
from scrubjay.models.words import Word

Normalise = Literal["paper", "released"]


def rind(
    entropies: Sequence[float] | np.ndarray,
    attention: np.ndarray,
    words: Sequence[Word],
    content: Sequence[bool],
) -> np.ndarray:
    """S_i of each token, as in the paper (see the top of this file).

    Args:
        entropies: (n,) nats.
        attention: (n, m) with m ≥ n; the last n columns stand for the n tokens themselves.
        words: the tokens' words; ``content`` says which of them carry meaning.

    Raises:
        ValueError: the shapes disagree.
    """
    h = np.asarray(entropies, dtype=np.float64)
    n = len(h)
    a = np.asarray(attention, dtype=np.float64)
    if a.ndim != 2 or a.shape[0] != n or a.shape[1] < n:
        raise ValueError(f"{n} entropies need attention of shape ({n}, ≥ {n}), not {a.shape}")
    if not n:
        return h
    influence = np.tril(a[:, a.shape[1] - n :], -1).max(axis=0)
    scores: np.ndarray = h * influence * content_mask(words, content, n)
    return scores


def rind_released(
    entropies: Sequence[float] | np.ndarray,
    heads: np.ndarray,
    words: Sequence[Word],
    content: Sequence[bool],
    sentences: Sequence[tuple[int, int]],
) -> np.ndarray:
    """Scores of the words, as the authors' program normalises them (see the top of this file).

    Args:
        heads: (heads, n, n) attention among the n tokens; or (n, n), one head.
        sentences: spans of characters; a word belongs to the one it begins in.
    """
    h, a = np.asarray(entropies, dtype=np.float64), np.asarray(heads, dtype=np.float64)
    column = (a[None] if a.ndim == 2 else a).max(axis=1).mean(axis=0) if len(h) else h
    weight = np.array([column[w.first : w.last].sum() for w in words])
    doubt = np.array([h[w.first : w.last].mean() for w in words])
    found = np.zeros(len(words))
    for start, end in sentences:
        inside = [i for i, w in enumerate(words) if start <= w.start < end]
        total = weight[inside].sum() if inside else 0.0
        if total > 0:
            found[inside] = len(inside) * doubt[inside] * weight[inside] / total
    return found * np.array(content, dtype=np.float64)


def content_mask(words: Sequence[Word], content: Sequence[bool], n: int) -> np.ndarray:
    """s_i: 1 for the tokens of content words."""
    s = np.zeros(n)
    for word, counts in zip(words, content):
        if counts:
            s[word.first : word.last] = 1
    return s


@dataclass(frozen=True, slots=True)
class RIND:
    """Real-time information needs detection.

    In 'paper' mode the flagged word is that of the first token above θ; in 'released' mode all
    words above θ in the first such sentence are.
    """

    theta: float = 0.3
    """In 'paper' mode 0.3 is about the median, over drafts of SmolLM2-135M on questions of the
    atlas, of the largest score: half of the drafts are flagged."""
    normalise: Normalise = "paper"
    drafts: ClassVar[bool] = True
    lookahead: ClassVar[Lookahead] = "draft"

    @property
    def want(self) -> frozenset[Want]:
        return frozenset({"entropy", "attention" if self.normalise == "paper" else "heads"})

    def find(self, draft: Draft, random: Random) -> Flag | None:
        if self.normalise == "released":
            return first_above(draft, self.scores(draft), self.theta)
        s = self.token_scores(draft)
        above = np.flatnonzero(s > self.theta)
        if not above.size:
            return None
        token = int(above[0])
        index = next(i for i, w in enumerate(draft.words) if w.first <= token < w.last)
        return Flag(draft.sentence_of(draft.words[index]), (index,), token)

    def token_scores(self, draft: Draft) -> np.ndarray:
        """S_i of each token ('paper').

        Raises:
            ScrubjayError: the model shows no attention.
        """
        return rind(draft.entropies, seen(draft.attention), draft.words, draft.content)

    def scores(self, draft: Draft) -> list[float]:
        if self.normalise == "paper":
            return largest(draft, self.token_scores(draft))
        heads = seen(draft.heads)
        found = rind_released(draft.entropies, heads, draft.words, draft.content, draft.sentences)
        return [float(x) for x in found]


@dataclass(frozen=True, slots=True)
class EntropyOnly:
    """Control: H_i · s_i, without influence."""

    theta: float = 2.0
    want: ClassVar[frozenset[Want]] = frozenset({"entropy"})
    drafts: ClassVar[bool] = True
    lookahead: ClassVar[Lookahead] = "draft"

    def find(self, draft: Draft, random: Random) -> Flag | None:
        return first_above(draft, self.scores(draft), self.theta)

    def scores(self, draft: Draft) -> list[float]:
        n = len(draft.pieces)
        return largest(
            draft, np.array(draft.entropies) * content_mask(draft.words, draft.content, n)
        )
