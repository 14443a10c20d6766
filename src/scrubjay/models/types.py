"""What a language model is to the rest of the house.

Three verbs: ``generate`` text, ``score`` given continuations, ``choose`` among options.
Log-probabilities are natural logarithms, entropies are in nats; both come from the same pass as
the tokens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

Want = Literal["entropy", "attention", "heads", "hidden"]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a chat."""

    role: Literal["system", "user", "assistant"]
    content: str


Prompt = str | Sequence[Message]
"""Text is continued as it stands; messages go through the model's chat template, and the model
answers as the assistant (a last assistant message is continued, not answered)."""


@dataclass(frozen=True, slots=True)
class Completion:
    """What the model wrote. The per-token sequences are aligned with ``tokens``."""

    text: str
    """Without the stop string that ended it."""
    tokens: tuple[int, ...] = ()
    logprobs: tuple[float, ...] = ()
    """Log-probability of each token under the model's own (temperature 1) distribution."""
    entropies: tuple[float, ...] = ()
    """Entropy of the next-token distribution at each token; only if ``want`` has 'entropy'."""
    finish: Literal["stop", "length"] = "stop"
    tokens_in: int = 0
    tokens_out: int = 0
    extra: Mapping[str, Any] = field(default_factory=dict)
    """'attention', 'heads', 'hidden': what else ``want`` asked for (see ``models.inside``), and
    'pieces', 'prompt_pieces': the text of each new token and of each token of the prompt."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A continuation's token log-probabilities given the prompt."""

    text: str
    logprobs: tuple[float, ...]

    @property
    def total(self) -> float:
        return float(sum(self.logprobs))

    @property
    def mean(self) -> float:
        return self.total / max(1, len(self.logprobs))


@dataclass(frozen=True, slots=True)
class Choice:
    """The option taken, and the probabilities of all (normalised over the options)."""

    index: int
    option: str
    probabilities: tuple[float, ...]
    parsed: bool = False
    """Read out of generated text because the model gives no log-probabilities; then the
    probabilities are 1 and 0."""
    tokens_in: int = 0
    tokens_out: int = 0


@runtime_checkable
class LanguageModel(Protocol):
    """Anything that can be asked. All methods may be awaited by thousands of coroutines at once."""

    name: str

    async def generate(
        self,
        prompt: Prompt,
        *,
        max_tokens: int,
        temperature: float = 0.0,
        top_p: float = 1.0,
        stop: Sequence[str] = (),
        seed: int = 0,
        want: Set[Want] = frozenset(),
    ) -> Completion:
        """Continue the prompt. Temperature 0 is greedy; else ``seed`` fixes the sample."""
        ...

    async def score(self, prompt: Prompt, continuations: Sequence[str]) -> list[Scored]:
        """Log-probabilities of each continuation's tokens after the prompt."""
        ...

    async def choose(self, prompt: Prompt, options: Sequence[str]) -> Choice:
        """Weigh the options as continuations of the prompt, by mean token log-probability."""
        ...

    def count_tokens(self, text: str) -> int:
        """Number of tokens of ``text`` for this model (an estimate for endpoints)."""
        ...

    async def check(self) -> None:
        """One cheap call before long work starts.

        Raises:
            ModelError: the model can't be asked.
        """
        ...

    def settle(self) -> None:
        """Forget what earlier calls left behind (prefix caches), so that what comes next gives
        the same numbers as in a fresh process. Runners call it between chunks of work."""
        ...

    async def close(self) -> None:
        """Release connections and workers."""
        ...
