"""Does a quote occur in the text it is said to come from?

    edits(q, t) = min over windows w of t of Levenshtein(q, w);    verified iff edits ≤ max_edits

Sellers' algorithm finds the best window of any length in one pass over the text. Case and blanks
don't count. Source: LitLLMs (arXiv 2412.15249), quote check with five edits; the paper's windows
are as long as the quote, ours may be longer or shorter. Departure: no more than one edit in six
letters, or a quote of five letters would be found everywhere.
"""

from __future__ import annotations

import re

MAX_EDITS = 5
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z0-9“\"(])|\n+")


def verify_quote(quote: str, source: str, max_edits: int = MAX_EDITS) -> bool:
    """Whether ``quote`` stands in ``source``, up to a few typing errors.

    >>> verify_quote("Jays hide acorn", "In autumn, jays  hide acorns."), verify_quote("", "x")
    (True, False)
    """
    q, s = _flat(quote), _flat(source)
    if not q:
        return False
    allowed = min(max_edits, len(q) // 6)
    return q in s or (allowed > 0 and edits(q, s) <= allowed)


def edits(quote: str, source: str) -> int:
    """Fewest insertions, deletions and replacements that turn ``quote`` into a part of ``source``.

    >>> edits("cat", "the cart")
    1
    """
    row = [0] * (len(source) + 1)
    for i, letter in enumerate(quote, 1):
        above, row = row, [i]
        for j, other in enumerate(source, 1):
            row.append(min(above[j] + 1, row[-1] + 1, above[j - 1] + (letter != other)))
    return min(row)


def sentences(text: str) -> list[str]:
    """The sentences of an abstract."""
    return [s.strip() for s in _SENTENCE.split(text) if s.strip()]


def _flat(text: str) -> str:
    return " ".join(text.casefold().split()).strip("\"'“”‘’ .")
