"""What to look up while writing: query formers turn a flagged draft into the text to search with.

QFS (DRAGIN, Su et al. 2024, arXiv 2403.10081, section 3.2): when token t_i raised the flag, its row
of attention says which earlier words it rests on.

    row   = A[i, 1 … i−1]                     last layer, mean over heads, t_i's own position
    query = words of the n columns with most attention, in the order of the text, blanks between

Columns run over the prompt from the question on, and the draft before t_i; instructions, worked
examples and passages are not searched for (so in the authors' program), and the label between
question and answer makes no word. A word is in the query once
per place in the text if any of its tokens is among the n; signs that belong to no word make none.

``normalise="released"`` follows the program: for each flagged word the rows of the places *before*
its tokens, which emitted them (the first token of a draft has only its own), cut before the word
and normalised to 1, averaged over its tokens and over the flagged words; columns are summed into
words; candidates are content words before the last flagged word that are not flagged themselves.

The others are the paper's baselines. Every query is cut to its last 64 words.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np

from scrubjay.agents.draft import Draft, cut
from scrubjay.agents.rind import Normalise
from scrubjay.agents.triggers import Flag, probabilities, seen
from scrubjay.models.types import Want
from scrubjay.models.words import Word, content_words, merge_subwords, sentence_spans

LONGEST = 64


class QueryFormer(Protocol):
    """Forms what is searched for."""

    @property
    def want(self) -> frozenset[Want]:
        """What the draft must show."""
        ...

    def form(self, draft: Draft, flag: Flag) -> str:
        """The query for a flagged draft; for a trigger without draft, from the text so far."""
        ...


def qfs(row: Sequence[float] | np.ndarray, words: Sequence[Word], top_n: int) -> list[Word]:
    """The words that hold the ``top_n`` columns of ``row`` with most attention, in text order.

    Args:
        row: attention of the flagged token over the tokens before it.
        words: words of the text; those that end behind the row's last column are passed over.

    Of equal columns the earlier is taken.
    """
    weights = np.asarray(row, dtype=np.float64)
    best = set(np.argsort(-weights, kind="stable")[:top_n].tolist())
    known = [w for w in words if w.last <= len(weights)]
    return [w for w in known if best.intersection(range(w.first, w.last))]


def qfs_released(
    attention: np.ndarray,
    first: int,
    words: Sequence[Word],
    content: Sequence[bool],
    flagged: Sequence[int],
    top_n: int,
) -> list[Word]:
    """The ``top_n`` candidate words, as the authors' program weighs them (see the top).

    Args:
        attention: (new tokens, all tokens); row r stands for token ``first + r``.
        words: of all tokens; ``flagged`` are indices into it.
    """
    weights = np.zeros(len(words))
    for index in flagged:
        word = words[index]
        for token in range(word.first, word.last):
            row = attention[max(token - first - 1, 0), : word.first].astype(np.float64)
            if row.sum() > 0:
                row = row / row.sum() / (word.last - word.first) / len(flagged)
                sums = [row[w.first : w.last].sum() if w.last <= len(row) else 0.0 for w in words]
                weights += np.array(sums)
    end = max(flagged)
    allowed = [i for i in range(end) if content[i] and i not in set(flagged)]
    best = sorted(sorted(allowed, key=lambda i: (-weights[i], i))[:top_n])
    return [words[i] for i in best]


@dataclass(frozen=True, slots=True)
class QFS:
    """Query formulation by self-attention."""

    top_n: int = 25
    normalise: Normalise = "paper"
    want: ClassVar[frozenset[Want]] = frozenset({"attention"})

    def form(self, draft: Draft, flag: Flag) -> str:
        attention = seen(draft.attention)
        if flag.token is None or not flag.words:
            return FullContext().form(draft, flag)
        pieces = [*draft.context, *draft.pieces]
        words, first = merge_subwords(pieces), len(draft.context)
        if self.normalise == "paper":
            column = first + flag.token
            found = qfs(attention[flag.token, :column], words, self.top_n)
        else:
            content, _ = content_words("".join(pieces), words)
            tokens = [draft.words[i].first + first for i in flag.words]
            flagged = [i for i, w in enumerate(words) if any(w.first <= t < w.last for t in tokens)]
            found = qfs_released(attention, first, words, content, flagged, self.top_n)
        return _joined(w.text for w in found)


@dataclass(frozen=True, slots=True)
class LastSentence:
    """The last whole sentence before the flag; the question, where there is none."""

    want: ClassVar[frozenset[Want]] = frozenset()

    def form(self, draft: Draft, flag: Flag) -> str:
        text = "".join(_kept(draft, flag)).strip()
        spans = sentence_spans(text)
        return _joined(text[slice(*spans[-1])].split()) if spans else draft.question


@dataclass(frozen=True, slots=True)
class LastTokens:
    """The last ``n`` tokens before the flag; the question, where there are none."""

    n: int = 16
    want: ClassVar[frozenset[Want]] = frozenset()

    def form(self, draft: Draft, flag: Flag) -> str:
        text = "".join(_kept(draft, flag)[-self.n :])
        return _joined(text.split()) if text.strip() else draft.question


@dataclass(frozen=True, slots=True)
class FullContext:
    """Question and answer so far."""

    want: ClassVar[frozenset[Want]] = frozenset()

    def form(self, draft: Draft, flag: Flag) -> str:
        return _joined(f"{draft.question} {''.join(_kept(draft, flag))}".split())


@dataclass(frozen=True, slots=True)
class MaskedSentence:
    """FLARE: the doubtful sentence without the words that hold a token of p < ``beta``; the
    question, where nothing is left."""

    beta: float = 0.4
    want: ClassVar[frozenset[Want]] = frozenset({"entropy"})

    def form(self, draft: Draft, flag: Flag) -> str:
        p = probabilities(draft)
        kept = [
            w.text
            for w in draft.words
            if flag.sentence[0] <= w.start < flag.sentence[1]
            and (p[w.first : w.last] >= self.beta).all()
        ]
        return _joined(kept) or draft.question


def _kept(draft: Draft, flag: Flag) -> list[str]:
    """Pieces of the answer before the flagged sentence."""
    return [*draft.so_far, *cut(draft.pieces, flag.sentence[0])]


def _joined(words: Iterable[str]) -> str:
    return " ".join(list(words)[-LONGEST:])
