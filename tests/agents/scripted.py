"""A model that says its lines, and a shelf of given passages: for tests of agents."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass, field

from scrubjay.agents.session import as_text
from scrubjay.core import Hit, Passage
from scrubjay.models.types import Choice, Completion, Prompt, Scored, Want


@dataclass
class Scripted:
    """Says its lines in order (the last again and again), cut at stops as a model's text is."""

    lines: list[str]
    picks: list[int] = field(default_factory=list)
    """What it chooses, in order; then the first option."""
    asked: list[str] = field(default_factory=list)
    chosen: list[tuple[str, ...]] = field(default_factory=list)
    finish: str = "stop"
    name: str = "scripted"

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
        line = self.lines[min(len(self.asked), len(self.lines) - 1)]
        self.asked.append(as_text(prompt))
        cuts = [i for s in stop if (i := line.find(s)) >= 0]
        text = line[: min(cuts)] if cuts else line
        return Completion(text, logprobs=(-1.0, -3.0), tokens_in=7, tokens_out=2)

    async def score(self, prompt: Prompt, continuations: Sequence[str]) -> list[Scored]:
        return [Scored(c, (-float(len(c)),)) for c in continuations]

    async def choose(self, prompt: Prompt, options: Sequence[str]) -> Choice:
        self.chosen.append(tuple(options))
        pick = self.picks[len(self.chosen) - 1] if len(self.chosen) <= len(self.picks) else 0
        shares = tuple(float(i == pick) for i in range(len(options)))
        return Choice(pick, options[pick], shares, tokens_in=3)

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    async def check(self) -> None: ...

    def settle(self) -> None: ...

    async def close(self) -> None: ...


@dataclass
class Shelf:
    """Gives its passages to every query, in order."""

    passages: list[Passage]
    asked: list[str] = field(default_factory=list)

    async def search(self, query: str, k: int = 5, where: str | None = None) -> list[Hit]:
        self.asked.append(query)
        return [Hit(p, 1.0 / (i + 1), i) for i, p in enumerate(self.passages[:k])]
