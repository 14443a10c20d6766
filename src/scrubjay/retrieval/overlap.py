"""BM25 over a handful of texts, without an index: for shortlists made on the spot.

score(q, d) = Σ_w idf(w) · tf (k + 1) / (tf + k (1 − b + b |d| / mean |d|))
idf(w)      = ln(1 + (n − n_w + 0.5) / (n_w + 0.5))
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

K, B = 1.5, 0.75


def word_scores(query: str, texts: Sequence[str]) -> list[float]:
    """A score for each text, higher is better; 0 without a word in common."""
    counts = [Counter(_words(text)) for text in texts]
    mean = sum(c.total() for c in counts) / max(1, len(counts)) or 1.0
    holders = Counter(word for c in counts for word in c)
    idf = {
        w: math.log(1 + (len(texts) - holders[w] + 0.5) / (holders[w] + 0.5))
        for w in dict.fromkeys(_words(query))
    }
    return [
        sum(
            weight * c[w] * (K + 1) / (c[w] + K * (1 - B + B * c.total() / mean))
            for w, weight in idf.items()
            if c[w]
        )
        for c in counts
    ]


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())
