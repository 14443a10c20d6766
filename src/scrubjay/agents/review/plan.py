"""A plan says how many sentences to write and which papers each one cites.

    4 sentences, cite [1] [2] in line 1, cite [3] in line 2, cite [4] in line 4

Source: LitLLMs (arXiv 2412.15249), plan-based generation. The paper's plans are taken from the gold
text, which gives away length and order; ours come from the user or from ``SentencePlan.even``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

from scrubjay.core.errors import InputError

MOST = 100
_COUNT = re.compile(r"(\d{1,6})\s+(?:sentences?|lines?)\b", re.IGNORECASE)
_CITE = re.compile(
    r"cite\s+((?:\[?\d{1,6}\]?(?:\s*,\s*|\s+and\s+|\s*)?)+?)\s*(?:in|on)\s+(?:line|sentence)\s+(\d{1,6})",
    re.IGNORECASE,
)
_LEFT = re.compile(r"[\w\[\]]+")


@dataclass(frozen=True, slots=True)
class SentencePlan:
    """The papers that each sentence cites, by number from 1."""

    lines: tuple[tuple[int, ...], ...]

    @classmethod
    def even(cls, papers: int, sentences: int | None = None) -> SentencePlan:
        """Every paper once, in order, over ``sentences`` lines (one a paper by default).

        >>> SentencePlan.even(5, 2).lines
        ((1, 2, 3), (4, 5))
        """
        n = min(sentences or papers, papers)
        cuts = [-(-i * papers // n) for i in range(n + 1)] if n else [0]
        return cls(tuple(tuple(range(a + 1, b + 1)) for a, b in pairwise(cuts)))

    @classmethod
    def parse(cls, text: str, papers: int) -> SentencePlan:
        """The plan that a user wrote, for ``papers`` papers.

        Raises:
            InputError: no number of sentences, a line or paper that doesn't exist, or words that
                are no part of a plan.
        """
        count = _COUNT.search(text)
        if count is None or not 1 <= int(count[1]) <= MOST:
            raise InputError(
                f"the plan needs a number of sentences from 1 to {MOST}, as in "
                "'3 sentences, cite [1] [2] in line 1, cite [3] in line 3'"
            )
        lines: list[list[int]] = [[] for _ in range(int(count[1]))]
        for cited, line in _CITE.findall(text):
            numbers = [int(x) for x in re.findall(r"\d+", cited)]
            if not 1 <= int(line) <= len(lines):
                raise InputError(f"the plan has {len(lines)} sentences, but cites in line {line}")
            for n in numbers:
                if not 1 <= n <= papers:
                    raise InputError(f"the plan cites [{n}], but there are {papers} papers")
            lines[int(line) - 1] += [n for n in numbers if n not in lines[int(line) - 1]]
        rest = _LEFT.findall(re.sub(r"\band\b|\bin\b", "", _CITE.sub("", _COUNT.sub("", text, 1))))
        if rest:
            raise InputError(f"the plan can't be understood at '{rest[0][:40]}'")
        if not any(lines):
            raise InputError("the plan cites nothing; add 'cite [1] in line 1'")
        return cls(tuple(map(tuple, lines)))

    def __str__(self) -> str:
        """In the form that ``parse`` reads."""
        parts = [
            f"cite {' '.join(f'[{n}]' for n in cited)} in line {i}"
            for i, cited in enumerate(self.lines, 1)
            if cited
        ]
        return ", ".join([f"{len(self.lines)} sentences", *parts])

    @property
    def cited(self) -> tuple[int, ...]:
        """All papers it cites, each once, in order of first use."""
        return tuple(dict.fromkeys(n for line in self.lines for n in line))
