"""The Trace: the single record of what an agent did and what it cost.

Metrics, reports, training and citations all read it; nothing keeps a second account. A step says
which of the three sources it opened: the model's ``memory``, the ``context`` it was given, or the
``world`` it looked things up in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Literal

Opened = Literal["memory", "context", "world", ""]


@dataclass(frozen=True, slots=True)
class Cost:
    """What was spent. Costs add up with ``+``."""

    tokens_in: int = 0
    tokens_out: int = 0
    calls: int = 0
    """Calls of a language model."""
    searches: int = 0
    moves: int = 0
    """Steps from page to page."""
    seconds: float = 0.0
    """Waiting time as the agent saw it; concurrent agents share the machine."""

    def __add__(self, other: Cost) -> Cost:
        return Cost(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(Cost)))

    @property
    def tokens(self) -> int:
        return self.tokens_in + self.tokens_out


@dataclass(frozen=True, slots=True)
class Step:
    """One thing an agent did; the kinds below say what."""

    kind: ClassVar[str] = ""
    cost: Cost = field(default=Cost(), kw_only=True)

    @property
    def opened(self) -> Opened:
        """The source this step drew on."""
        return ""


@dataclass(frozen=True, slots=True)
class Generated(Step):
    """The model wrote ``text``; it had ``passages`` (their ids) in front of it."""

    kind: ClassVar[str] = "generate"
    prompt: str
    text: str
    passages: tuple[str, ...] = ()
    mean_logprob: float | None = None

    @property
    def opened(self) -> Opened:
        return "context" if self.passages else "memory"


@dataclass(frozen=True, slots=True)
class Chose(Step):
    """The model weighed ``options`` and took ``options[chosen]``."""

    kind: ClassVar[str] = "choose"
    prompt: str
    options: tuple[str, ...]
    chosen: int
    probabilities: tuple[float, ...] = ()
    passages: tuple[str, ...] = ()
    parsed: bool = False
    """The choice was read out of generated text, because the model gives no log-probabilities."""

    @property
    def opened(self) -> Opened:
        return "context" if self.passages else "memory"


@dataclass(frozen=True, slots=True)
class Scored(Step):
    """The model gave each of ``continuations`` a total log-probability."""

    kind: ClassVar[str] = "score"
    prompt: str
    continuations: tuple[str, ...]
    logprobs: tuple[float, ...]
    passages: tuple[str, ...] = ()

    @property
    def opened(self) -> Opened:
        return "context" if self.passages else "memory"


@dataclass(frozen=True, slots=True)
class Searched(Step):
    """A search: ``found`` are passage ids, best first, ``titles`` and ``scores`` beside them."""

    kind: ClassVar[str] = "search"
    query: str
    found: tuple[str, ...]
    titles: tuple[str, ...] = ()
    scores: tuple[float, ...] = ()
    documents: tuple[str, ...] = ()

    @property
    def opened(self) -> Opened:
        return "world"


@dataclass(frozen=True, slots=True)
class Read(Step):
    """Passages that were put in front of the model without a search (given or opened)."""

    kind: ClassVar[str] = "read"
    passages: tuple[str, ...]
    titles: tuple[str, ...] = ()

    @property
    def opened(self) -> Opened:
        return "context"


@dataclass(frozen=True, slots=True)
class Moved(Step):
    """A move from page to page (ids); ``ok`` is false when the action was not possible."""

    kind: ClassVar[str] = "move"
    action: Literal["click", "back"]
    origin: str
    target: str
    ok: bool = True

    @property
    def opened(self) -> Opened:
        return "world"


@dataclass(frozen=True, slots=True)
class Noted(Step):
    """A remark: a thought, a draft, why the agent stopped."""

    kind: ClassVar[str] = "note"
    text: str


KINDS: Mapping[str, type[Step]] = {
    k.kind: k for k in (Generated, Chose, Scored, Searched, Read, Moved, Noted)
}


@dataclass(slots=True)
class Trace:
    """The steps of one agent on one question, in order."""

    steps: list[Step] = field(default_factory=list)

    def add(self, step: Step) -> None:
        self.steps.append(step)

    def __iter__(self) -> Iterator[Step]:
        return iter(self.steps)

    def __len__(self) -> int:
        return len(self.steps)

    @property
    def cost(self) -> Cost:
        """Everything that was spent."""
        return sum((s.cost for s in self.steps), Cost())

    @property
    def retrieved(self) -> tuple[str, ...]:
        """Ids of the documents found by searches, in order of first appearance."""
        return tuple(
            dict.fromkeys(d for s in self.steps if isinstance(s, Searched) for d in s.documents)
        )

    def to_list(self) -> list[dict[str, Any]]:
        """Plain values, ready for JSON; ``from_list`` is its inverse."""
        return [{"kind": s.kind, **_plain(s)} for s in self.steps]

    @classmethod
    def from_list(cls, values: list[dict[str, Any]]) -> Trace:
        return cls([_step(v) for v in values])


def _plain(step: Step) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for f in fields(step):
        value = getattr(step, f.name)
        if isinstance(value, Cost):
            value = {g.name: getattr(value, g.name) for g in fields(Cost)}
        elif isinstance(value, tuple):
            value = list(value)
        out[f.name] = value
    return out


def _step(value: dict[str, Any]) -> Step:
    kind = KINDS[value["kind"]]
    given: dict[str, Any] = {
        k: tuple(v) if isinstance(v, list) else v for k, v in value.items() if k != "kind"
    }
    given["cost"] = Cost(**value["cost"])
    return kind(**given)
