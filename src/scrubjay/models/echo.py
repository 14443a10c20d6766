"""Guesses of how a text goes on: as it did the last time it said the same two tokens.

    "… founded by Mira Holt in 1907 … Who founded it? Mira"  →  "Holt in 1907 …"

An answer that is read from a passage repeats much of it. The engine computes a guess together with
the token before it, in the same pass, and keeps as much of it as the model says by itself: what is
generated stays the same, in fewer passes (LLMA, Yang et al. 2023, arXiv:2304.04487; known as prompt
lookup).
"""

from __future__ import annotations

from collections.abc import Iterable

LONGEST = 4
"""Tokens guessed at a time: each is computed, right or not."""


class Echo:
    """The text so far, and where each pair of tokens in it was last followed by another."""

    def __init__(self, text: Iterable[int] = ()) -> None:
        self._text: list[int] = []
        self._after: dict[tuple[int, int], int] = {}
        self.add(text)

    def add(self, tokens: Iterable[int]) -> None:
        for token in tokens:
            if len(self._text) > 1:
                self._after[self._text[-2], self._text[-1]] = len(self._text)
            self._text.append(token)

    def guess(self, most: int) -> list[int]:
        """At most ``most`` tokens: those after the last time it said its last two; none if new."""
        at = self._after.get((self._text[-2], self._text[-1])) if len(self._text) > 1 else None
        return [] if at is None else self._text[at : at + max(0, min(most, LONGEST))]
