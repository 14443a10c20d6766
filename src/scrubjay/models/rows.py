"""What the engine works on: one row is one sequence to continue or to score."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Set
from dataclasses import dataclass, field
from typing import Literal

from torch import Tensor

from scrubjay.models.echo import Echo
from scrubjay.models.prefix import Node
from scrubjay.models.sampling import Sampler
from scrubjay.models.types import Want


@dataclass(eq=False, slots=True)
class Row:
    """A sequence of token ids, what is wanted of it, and what came out so far."""

    prompt: list[int]
    future: asyncio.Future[Row] | None = None
    most: int = 0
    """New tokens to generate at most; 0 only scores the prompt."""
    scored_from: int | None = None
    """Log-probabilities of ``prompt[scored_from:]`` are wanted."""
    sampler: Sampler | None = None
    """How to pick tokens; ``None`` is greedy."""
    stops: Callable[[list[int]], bool] | None = None
    """Whether the new tokens contain a stop string."""
    want: Set[Want] = frozenset()
    """What else is wanted of each new token."""

    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    entropies: list[float] = field(default_factory=list)
    finish: Literal["stop", "length"] = "length"
    queries: list[Tensor] = field(default_factory=list)
    """Last layer's queries (heads, head size) of the new tokens, if attention is wanted."""
    states: list[Tensor] = field(default_factory=list)
    """Hidden states (size,) that predicted the new tokens, if wanted."""
    heads: Tensor | None = None
    """(heads, new tokens, prompt + new tokens): attention, once the row has left."""

    node: Node | None = None
    """The shared prefix it hangs under."""
    adopted: int = 0
    """Tokens after the shared prefix whose keys and values were there when it came, and were
    copied into its own places, since nobody else needed them."""
    found: list[Tensor] = field(default_factory=list)
    """Their keys and values, until its first pass."""
    blocks: list[int] = field(default_factory=list)
    """Where its own keys and values are, in the pool of rows being generated."""
    stored: int = 0
    """Tokens of its own whose keys and values are stored."""
    pending: int = 0
    """The last token picked, not yet stored."""
    draft: list[int] = field(default_factory=list)
    """A guess of the tokens after it, computed in the same pass."""
    echo: Echo | None = None
    """Where guesses come from, once there is a first token."""
    closing: bool = False
    """All tokens are picked; the last one's pass is made for its attention alone."""

    def take(self, token: int, logprob: float) -> bool:
        """One more token; whether others may follow."""
        self.tokens.append(token)
        self.logprobs.append(logprob)
        if self.stops is not None and self.stops(self.tokens):
            self.finish = "stop"
            return False
        return len(self.tokens) < self.most

    def go_on(self, new: list[int], guessing: bool) -> None:
        """The last of the ``new`` tokens is pending, and what may come after it is guessed.

        A sampled row draws token by token, so nothing is guessed for it.
        """
        self.pending, self.draft = new[-1], []
        if guessing and self.sampler is None:
            if self.echo is None:
                self.echo = Echo(self.prompt)
            self.echo.add(new)
            self.draft = self.echo.guess(self.most - len(self.tokens) - 1)

    @property
    def waited_for(self) -> bool:
        """Whether somebody still wants it."""
        return self.future is not None and not self.future.done()

    def deliver(self) -> None:
        """Hand the finished row to whoever waits."""
        if self.future is not None and not self.future.done():
            self.future.set_result(self)

    def fail(self, error: BaseException) -> None:
        if self.future is not None and not self.future.done():
            self.future.set_exception(error)

    @property
    def start(self) -> int:
        """Where the part of the prompt begins that is still to be computed."""
        return (self.node.end if self.node else 0) + self.adopted

    @property
    def shareable(self) -> int:
        """How many tokens of the prompt may be shared: all that predict nothing this row needs."""
        return (len(self.prompt) if self.scored_from is None else self.scored_from) - 1

    @property
    def watched(self) -> bool:
        """Whether attention is wanted."""
        return bool(self.want & {"attention", "heads"})

    @property
    def grows(self) -> bool:
        """Whether it ever attends to keys and values that it stored in an earlier pass."""
        return self.most > 1 or (self.most > 0 and self.watched)

    @property
    def prompted(self) -> int:
        """Places its prompt needs beside the shared ones."""
        return len(self.prompt) - (self.node.end if self.node else 0)

    @property
    def reach(self) -> int:
        """Places of its own that the next pass writes up to."""
        return self.stored + 1 + len(self.draft) if self.tokens else self.prompted

    @property
    def own(self) -> int:
        """Places for keys and values this row will ever need beside the shared ones."""
        return self.prompted + max(0, self.most - 1) + self.watched
