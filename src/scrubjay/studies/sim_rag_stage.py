"""What study 72 measures: practice in some worlds, and walks through others.

    practise in three random universes and the atlas                      -> rows to learn from
    walk to the last round in two other universes and a twin of the atlas -> rows to be judged by
    ask the model itself about every judged answer; run the loop with and without feedback

A walk goes on to the last round whatever any rule would say, so all rules and thresholds are judged
on the same answers. The loop itself is run too, because showing refused answers changes what comes
next, which no walk can tell.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from scrubjay.agents.critics import SelfCritic
from scrubjay.agents.encoder_critic import EncoderCritic
from scrubjay.agents.evidence import sentences, shared_words
from scrubjay.agents.reasoner import Attempt, PromptedReasoner, Reasoner
from scrubjay.agents.search_state import SearchState
from scrubjay.agents.session import Session
from scrubjay.agents.sim_rag import MultiRoundRAG, StopRule
from scrubjay.core.nouns import Question
from scrubjay.core.progress import Progress
from scrubjay.models.types import LanguageModel
from scrubjay.retrieval import Index
from scrubjay.studies.study import Scale
from scrubjay.training.practice import Practice, PracticeRow, is_right
from scrubjay.training.practice_ground import mixed_questions, practice_worlds, practise_worlds
from scrubjay.worlds.world import World, load_world


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything."""

    practice: int
    """Questions per practice world."""
    test: int
    """Questions per unseen world."""
    rounds: int
    """Searches to the end of a judged walk."""
    draws: int
    """Critics per number of practice questions in the learning curve."""


SIZES: dict[Scale, Size] = {
    "smoke": Size(24, 16, 2, 1),
    "laptop": Size(80, 60, 4, 8),
    "full": Size(1000, 500, 4, 8),
}
PRACTICE_ROUNDS = 3


def worlds(scale: Scale, seed: int) -> tuple[dict[str, World], dict[str, World]]:
    """Worlds to practise in, and unseen ones."""
    if scale == "smoke":
        return practice_worlds(["random:120"] * 2, seed), {
            "unseen": load_world("random:120", seed=seed + 1000)
        }
    unseen = {
        "random:300": load_world("random:300", seed=seed + 1000),
        "random:600": load_world("random:600", seed=seed + 1001),
        "atlas twin": load_world("atlas").twin(seed + 7),
    }
    return practice_worlds([*["random:300"] * 3, "atlas"], seed), unseen


@dataclass(frozen=True, slots=True)
class Stage:
    """Worlds, model and folder of one run."""

    size: Size
    practice: Mapping[str, World]
    unseen: Mapping[str, World]
    model: LanguageModel | None
    folder: Path
    seed: int
    progress: Progress

    @property
    def reasoner(self) -> Reasoner:
        return PromptedReasoner() if self.model else QuotingReasoner()

    async def rows(self, unseen: bool) -> list[PracticeRow]:
        """Practice rows, or those of the walks."""
        size = self.size
        return await practise_worlds(
            self.unseen if unseen else self.practice,
            self.model,
            size.test if unseen else size.practice,
            self.folder / ("unseen" if unseen else "practice"),
            reasoner=self.reasoner,
            practice=Practice(size.rounds if unseen else PRACTICE_ROUNDS, seed=self.seed),
            seed=self.seed,
            progress=self.progress,
        )

    async def own_verdicts(self, rows: Sequence[PracticeRow]) -> list[float]:
        """The model's own probability of accepting each answer; 0 for an empty one."""
        model = self.model
        if model is None:
            return []
        critic = SelfCritic()

        async def one(row: PracticeRow) -> float:
            if not row.attempt.answer:
                return 0.0
            return await critic.score(row.state, row.attempt, Session(model))

        return list(await asyncio.gather(*map(one, rows)))

    async def loops(self, critic: EncoderCritic) -> dict[str, list[list[float]]]:
        """[right, searches] of every unseen question, by what is done with refused answers."""
        plain = self.reasoner
        told = replace(plain, tell=True) if isinstance(plain, PromptedReasoner) else plain
        ways = {"nothing": (plain, False), "barred": (plain, True), "told": (told, True)}
        out: dict[str, list[list[float]]] = {way: [] for way in ways}
        for world in self.unseen.values():
            folder = self.folder / "unseen" / "index" / world.hash[:16]
            index = Index.open(folder, mode="text")
            asked = [q for q in mixed_questions(world, self.size.test, self.seed) if q.answers]
            rule = StopRule(critic, max_rounds=self.size.rounds)
            for way, rows in out.items():
                reasoner, feedback = ways[way]
                agent = MultiRoundRAG(reasoner, rule, feedback=feedback)
                runs = [self._loop(agent, question, index) for question in asked]
                rows += await asyncio.gather(*runs)
        return out

    async def _loop(self, agent: MultiRoundRAG, question: Question, index: Index) -> list[float]:
        answer = await agent.answer(question, Session(self.model, index))
        return [float(is_right(answer.text, question)), float(answer.trace.cost.searches)]


@dataclass(frozen=True, slots=True)
class QuotingReasoner:
    """No model: the last name in the sentence that is most like the question; surer when it is."""

    async def answer(
        self, state: SearchState, session: Session, rejected: Sequence[str] = ()
    ) -> Attempt:
        asked = state.question.text
        lines = sorted(sentences(state), key=lambda s: -shared_words(asked, s))
        for line in lines:
            for name in reversed(re.findall(r"(?:[A-Z]\w+ ?)+", line)):
                if name.strip() not in asked and name.strip() not in rejected:
                    return Attempt(name.strip(), "", shared_words(asked, line) - 1, 1)
        return Attempt("")

    async def query(self, state: SearchState, session: Session) -> str:
        said = (await self.answer(state, session)).answer
        return f"{state.question.text} {said}" if state.rounds else state.question.text
