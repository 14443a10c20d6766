"""The Session: everything an agent may do, recorded and counted as it does it.

An agent writes straight-line code against a session; no agent writes log code and none can spend
without being counted:

    hits = await session.search(question.text, k=5)
    reply = await session.generate(prompt, max_tokens=24, reading=[h.passage for h in hits])
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Literal

from scrubjay.core.errors import BudgetExceeded, ScrubjayError
from scrubjay.core.nouns import Hit, Passage
from scrubjay.core.trace import (
    Chose,
    Cost,
    Generated,
    Moved,
    Noted,
    Read,
    Scored,
    Searched,
    Step,
    Trace,
)
from scrubjay.models.types import Choice, Completion, LanguageModel, Prompt, Want
from scrubjay.models.types import Scored as ScoredText
from scrubjay.retrieval.types import Retriever
from scrubjay.worlds.hitting import PageGraph
from scrubjay.worlds.navigation import NavEnv, Observation


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits for one question; ``None`` is no limit."""

    tokens: int | None = None
    calls: int | None = None
    searches: int | None = None
    moves: int | None = None
    seconds: float | None = None


@dataclass(slots=True)
class Meter:
    """What was spent so far: one for all sessions that share a budget."""

    spent: Cost = field(default_factory=Cost)


@dataclass(slots=True)
class Session:
    """One question's access to a model, a retriever and pages, with a budget and a trace."""

    model: LanguageModel | None = None
    retriever: Retriever | None = None
    pages: Mapping[str, Passage] = field(default_factory=dict)
    """Documents by id: what can be opened."""
    graph: PageGraph | None = None
    """The links between them: what can be navigated."""
    budget: Budget = Budget()
    seed: int = 0
    trace: Trace = field(default_factory=Trace)
    passages: dict[str, Passage] = field(default_factory=dict)
    """Every passage that was found or opened, by id, in order of first appearance."""
    _meter: Meter = field(default_factory=Meter)

    def with_model(self, model: LanguageModel | None) -> Session:
        """This session, asking another model: steps go to the same trace, costs to the same budget.

        ``None`` keeps the model. For agents whose parts are played by different models.
        """
        return self if model is None else replace(self, model=model)

    async def generate(
        self,
        prompt: Prompt,
        *,
        max_tokens: int,
        temperature: float = 0.0,
        stop: Sequence[str] = (),
        want: Set[Want] = frozenset(),
        reading: Sequence[Passage] = (),
    ) -> Completion:
        """Ask the model to write. ``reading``: the passages that stand in the prompt.

        Raises:
            BudgetExceeded: before the call, when tokens, calls or seconds are used up.
        """
        model = self._model()
        self._check("tokens", "calls", "seconds")
        began = time.perf_counter()
        done = await model.generate(
            prompt,
            max_tokens=max_tokens,
            temperature=temperature,
            stop=stop,
            seed=self.seed,
            want=want,
        )
        mean = sum(done.logprobs) / len(done.logprobs) if done.logprobs else None
        self._add(
            Generated(
                as_text(prompt),
                done.text,
                tuple(p.id for p in reading),
                mean,
                cost=Cost(
                    done.tokens_in, done.tokens_out, calls=1, seconds=time.perf_counter() - began
                ),
            )
        )
        return done

    async def choose(
        self, prompt: Prompt, options: Sequence[str], *, reading: Sequence[Passage] = ()
    ) -> Choice:
        """Let the model weigh options.

        Raises:
            BudgetExceeded: before the call, when tokens, calls or seconds are used up.
        """
        model = self._model()
        self._check("tokens", "calls", "seconds")
        began = time.perf_counter()
        choice = await model.choose(prompt, options)
        self._add(
            Chose(
                as_text(prompt),
                tuple(options),
                choice.index,
                choice.probabilities,
                tuple(p.id for p in reading),
                choice.parsed,
                cost=Cost(
                    choice.tokens_in,
                    choice.tokens_out,
                    calls=1,
                    seconds=time.perf_counter() - began,
                ),
            )
        )
        return choice

    async def score(
        self, prompt: Prompt, continuations: Sequence[str], *, reading: Sequence[Passage] = ()
    ) -> list[ScoredText]:
        """Log-probabilities of given continuations.

        Raises:
            BudgetExceeded: before the call, when tokens, calls or seconds are used up.
        """
        model = self._model()
        self._check("tokens", "calls", "seconds")
        began = time.perf_counter()
        scored = await model.score(prompt, continuations)
        text = as_text(prompt)
        spent = model.count_tokens(text) + sum(len(s.logprobs) for s in scored)
        self._add(
            Scored(
                text,
                tuple(continuations),
                tuple(s.total for s in scored),
                tuple(p.id for p in reading),
                cost=Cost(tokens_in=spent, calls=1, seconds=time.perf_counter() - began),
            )
        )
        return scored

    async def search(self, query: str, k: int = 5, where: str | None = None) -> list[Hit]:
        """Look the query up.

        Raises:
            BudgetExceeded: before the search, when searches or seconds are used up.
            ScrubjayError: the session has no retriever.
        """
        if self.retriever is None:
            raise ScrubjayError("this agent searches, but the session has no index to search")
        self._check("searches", "seconds")
        began = time.perf_counter()
        hits = await self.retriever.search(query, k, where)
        self._saw(hit.passage for hit in hits)
        self._add(
            Searched(
                query,
                tuple(h.passage.id for h in hits),
                tuple(h.passage.title for h in hits),
                tuple(h.score for h in hits),
                tuple(h.passage.document for h in hits),
                cost=Cost(searches=1, seconds=time.perf_counter() - began),
            )
        )
        return hits

    def read(self, ids: Sequence[str]) -> list[Passage]:
        """Open documents by id (those that don't exist are left out)."""
        found = [self.pages[i] for i in ids if i in self.pages]
        self._saw(found)
        self._add(Read(tuple(p.id for p in found), tuple(p.title for p in found)))
        return found

    def walk(self, start: str, goal: str) -> NavEnv:
        """A walk over the pages; make its steps with ``click`` and ``back`` of this session.

        Raises:
            ScrubjayError: the session has no pages to walk, or lacks the two that are named.
        """
        if self.graph is None:
            raise ScrubjayError("this agent walks from page to page, but the session has no pages")
        return NavEnv(self.graph, start, goal)

    def click(self, walk: NavEnv, link: int) -> Observation:
        """Follow a link of the page, by its position.

        Raises:
            BudgetExceeded: before the step, when moves or seconds are used up.
        """
        self._check("moves", "seconds")
        origin = walk.path[-1]
        seen = walk.click(link)
        self._add(Moved("click", origin, seen.page, not seen.error, cost=Cost(moves=1)))
        return seen

    def back(self, walk: NavEnv) -> Observation:
        """Return to the page before.

        Raises:
            BudgetExceeded: before the step, when moves or seconds are used up.
        """
        self._check("moves", "seconds")
        origin = walk.path[-1]
        seen = walk.back()
        self._add(Moved("back", origin, seen.page, not seen.error, cost=Cost(moves=1)))
        return seen

    def move(self, action: Literal["click", "back"], origin: str, target: str) -> None:
        """Record a step between nodes (ids) of a graph that the agent walks by itself.

        Raises:
            BudgetExceeded: when moves or seconds are used up.
        """
        self._check("moves", "seconds")
        self._add(Moved(action, origin, target, cost=Cost(moves=1)))

    def note(self, text: str) -> None:
        """Leave a remark in the trace."""
        self._add(Noted(text))

    @property
    def spent(self) -> Cost:
        return self._meter.spent

    def _model(self) -> LanguageModel:
        if self.model is None:
            raise ScrubjayError("this agent asks a language model, but the session has none")
        return self.model

    def _saw(self, passages: Iterable[Passage]) -> None:
        for passage in passages:
            self.passages.setdefault(passage.id, passage)

    def _add(self, step: Step) -> None:
        self.trace.add(step)
        self._meter.spent += step.cost

    def _check(self, *limits: str) -> None:
        for name in limits:
            limit, used = getattr(self.budget, name), getattr(self._meter.spent, name)
            if limit is not None and used >= limit:
                raise BudgetExceeded(f"the budget of {limit} {name} is used up")


def as_text(prompt: Prompt) -> str:
    """A prompt as one readable text, for the trace."""
    if isinstance(prompt, str):
        return prompt
    return "\n".join(f"[{m.role}] {m.content}" for m in prompt)
