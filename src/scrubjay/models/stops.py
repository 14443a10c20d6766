"""Strings that end a text, found across the boundaries of tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence


class Stops:
    """Looks for stop strings in tokens as they come; ``cut`` takes them off a finished text.

    A stop of n bytes spans at most n tokens (a token is at least a byte), so only the tail is
    decoded at each step.
    """

    def __init__(self, stops: Sequence[str], decode: Callable[[Sequence[int]], str]) -> None:
        self.stops = tuple(s for s in stops if s)
        self._decode = decode
        self._span = max((len(s.encode()) for s in self.stops), default=0) + 4

    def __call__(self, tokens: list[int]) -> bool:
        """Whether a stop string has appeared."""
        tail = self._decode(tokens[-self._span :])
        return any(s in tail for s in self.stops)

    def cut(self, text: str) -> str:
        """The text before the first stop string."""
        return text[: min((at for s in self.stops if (at := text.find(s)) >= 0), default=None)]
