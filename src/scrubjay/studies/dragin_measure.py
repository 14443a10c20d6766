"""DRAGIN: every method writes the same biographies; what is right, what was searched for, when.

accuracy   share of a biography's six values that are true
timing     S_RIND, entropy and 1 − p of the word that states a value, in a draft without help
queries    at every flag that RIND raises: does each query find the passage of the fact that the
           flagged sentence is about, among the first three?
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scrubjay.agents.draft import Draft, read_draft
from scrubjay.agents.dynamic_rag import DynamicRAG
from scrubjay.agents.queries import (
    QFS,
    FullContext,
    LastSentence,
    LastTokens,
    MaskedSentence,
    QueryFormer,
)
from scrubjay.agents.rind import RIND, EntropyOnly
from scrubjay.agents.session import Session
from scrubjay.agents.triggers import (
    EveryN,
    EverySentence,
    Flag,
    LowProbability,
    Never,
    OracleTrigger,
    RandomRate,
    Trigger,
    probabilities,
)
from scrubjay.core.nouns import Question
from scrubjay.models.types import Want
from scrubjay.models.words import Word
from scrubjay.retrieval.build import build_index
from scrubjay.retrieval.index import Index
from scrubjay.studies.dragin_stage import Job, K, template, tiny_model
from scrubjay.studies.kept import kept
from scrubjay.studies.parallel import Report
from scrubjay.worlds.biographies import BioWorld

if TYPE_CHECKING:
    from scrubjay.models.local import LocalModel

TOP = 9
"""Words or columns of a QFS query: the paper's 25 are most of a biography here."""
SWEPT = ("dragin", "dragin, released", "entropy only", "flare", "flare, mean", "random")
FIXED = ("never", "fixed-sentence", "fixed-length", "oracle trigger")
FORMERS: dict[str, QueryFormer] = {
    "QFS": QFS(TOP),
    "QFS, released": QFS(TOP, "released"),
    "last sentence": LastSentence(),
    "last 25 tokens": LastTokens(25),
    "full context": FullContext(),
}
EVERYTHING: frozenset[Want] = frozenset({"entropy", "attention", "heads"})


def make(method: str, theta: float, world: BioWorld) -> DynamicRAG:
    """The agent of a method; only trigger, query and what FLARE does otherwise differ."""
    parts: dict[str, tuple[Trigger, QueryFormer]] = {
        "dragin": (RIND(theta), QFS(TOP)),
        "dragin, released": (RIND(theta, "released"), QFS(TOP, "released")),
        "entropy only": (EntropyOnly(theta), QFS(TOP)),
        "flare": (LowProbability(theta), MaskedSentence()),
        "flare, mean": (LowProbability(theta, average=True), MaskedSentence()),
        "random": (RandomRate(theta), QFS(TOP)),
        "never": (Never(), FullContext()),
        "fixed-sentence": (EverySentence(), LastSentence()),
        "fixed-length": (EveryN(8), LastTokens(8)),
        "oracle trigger": (OracleTrigger(_unknown(world)), QFS(TOP)),
    }
    agent = DynamicRAG(*parts[method], method, K, template=template, marker="", rounds=14, most=70)
    return replace(agent, search_first=True, draft_reads=True) if method == "flare" else agent


def _unknown(world: BioWorld) -> Callable[[str, str], bool]:
    """Whether a sentence of a person's biography states a fact that was held out."""

    def unknown(sentence: str, person: str) -> bool:
        stated = world.read(sentence)
        return any(s.held_out for s in world.slots(person) if s.relation in stated)

    return unknown


@dataclass
class Stand:
    """One seed's model, world and index."""

    job: Job
    model: LocalModel
    index: Index
    world: BioWorld

    @property
    def people(self) -> list[str]:
        """The people who choose thresholds, then those who are judged."""
        return self.world.people[: 2 * self.job.size.test]

    def write(self, agent: DynamicRAG, people: Sequence[str]) -> list[tuple[str, Session]]:
        """Everybody's biography, all at the same time."""

        async def one(person: str) -> tuple[str, Session]:
            session = Session(self.model, self.index, seed=self.job.seed)
            answer = await agent.answer(Question(person, person), session)
            return answer.text, session

        async def everybody() -> list[tuple[str, Session]]:
            return await asyncio.gather(*(one(p) for p in people))

        self.model.settle()
        return asyncio.run(everybody())

    def run(self, method: str, theta: float) -> dict[str, Any]:
        """Right values, searches and new tokens of every biography."""
        found = self.write(make(method, theta, self.world), self.people)
        right = []
        for person, (text, _) in zip(self.people, found):
            read = self.world.read(text)
            right.append([read.get(s.relation) == s.value for s in self.world.slots(person)])
        costs = [session.trace.cost for _, session in found]
        return {
            "method": method,
            "theta": theta,
            "right": right,
            "searches": [c.searches for c in costs],
            "tokens": [c.tokens_out for c in costs],
            "read": [c.tokens_in for c in costs],
        }


def measure_seed(work: tuple[Job, Path], report: Report) -> None:
    """Train (or load) one seed's model and keep everything that was measured in its folder."""
    job, out = work
    folder = out / f"seed-{job.seed}"
    model = tiny_model(job, report)
    world = job.world
    if not (folder / "index").exists():
        folder.mkdir(parents=True, exist_ok=True)
        build_index(world.passages, folder / "index")
    stand = Stand(job, model, Index.open(folder / "index"), world)
    drafts = kept(folder / "drafts.json", lambda: _drafts(stand))
    thetas = kept(folder / "thetas.json", lambda: _grids(stand, drafts))
    done = job.size.steps
    for method in (*SWEPT, *FIXED):
        for i, theta in enumerate(thetas.get(method, [0.0])):
            path = folder / f"{method.replace(', ', '-').replace(' ', '-')}-{i}.json"
            kept(path, lambda m=method, t=theta: stand.run(m, t))  # type: ignore[misc]
            done += 20
            report(done)
    kept(folder / "queries.json", lambda: _queries(stand, folder, thetas["dragin"]))


def runs(folder: Path) -> list[dict[str, Any]]:
    """Every method's runs of a seed."""
    apart = ("drafts.json", "thetas.json", "queries.json")
    return [json.loads(p.read_text()) for p in sorted(folder.glob("*.json")) if p.name not in apart]


def nearest(found: Iterable[Mapping[str, Any]], method: str, target: float, dev: int) -> Any:
    """The run of a method whose searches per biography, on the people who choose, are nearest."""
    mine = [r for r in found if r["method"] == method]
    return min(mine, key=lambda r: abs(float(np.mean(r["searches"][:dev])) - target))


# -- timing ------------------------------------------------------------------------------------


def _drafts(stand: Stand) -> list[dict[str, Any]]:
    """Closed-book drafts: of each word that states a value, all scores, and whether the weights
    were told the fact (of the company that the draft names, where it is about one)."""

    async def one(person: str) -> Draft:
        asked = template(person, [], "")
        done = await stand.model.generate(asked, max_tokens=70, want=EVERYTHING)
        return read_draft(done, asked, person)

    async def everybody() -> list[Draft]:
        return await asyncio.gather(*(one(p) for p in stand.people))

    stand.model.settle()
    return [
        {"person": person, "words": _stated(stand.world, person, draft), "all": _every(draft)}
        for person, draft in zip(stand.people, asyncio.run(everybody()))
    ]


def _scores(draft: Draft) -> dict[str, list[float]]:
    return {
        "dragin": RIND().scores(draft),
        "dragin, released": RIND(normalise="released").scores(draft),
        "entropy only": EntropyOnly().scores(draft),
        "flare": LowProbability().scores(draft),
    }


def _every(draft: Draft) -> dict[str, list[float]]:
    """Per sentence: the largest score (for the grids), or the mean of 1 − p."""
    scores, p = _scores(draft), probabilities(draft)
    found = {
        name: [
            max((s for w, s in zip(draft.words, values) if a <= w.start < b), default=0.0)
            for a, b in draft.sentences
        ]
        for name, values in scores.items()
    }
    found["flare"] = [
        float(min((p[t] for t in draft.tokens_within(s)), default=1.0)) for s in draft.sentences
    ]
    found["flare, mean"] = [float(np.mean(1 - p[draft.tokens_within(s)])) for s in draft.sentences]
    return found


def _stated(world: BioWorld, person: str, draft: Draft) -> list[dict[str, Any]]:
    scores, company, found = _scores(draft), "", []
    for start, end in draft.sentences:
        for relation, value in world.read(draft.text[start:end]).items():
            company = value if relation == "employer" else company
            subject = company if relation == "seat" else person
            word = _first_of(draft, value, start, end)
            if word is not None:
                known = (subject, relation) not in world.held
                row = {name: values[word] for name, values in scores.items()}
                found.append({"relation": relation, "unknown": known is False, **row})
    return found


def _first_of(draft: Draft, value: str, start: int, end: int) -> int | None:
    """Index of the word with which the sentence's value begins."""
    names = value.split()
    inside: list[tuple[int, Word]] = [
        (i, w) for i, w in enumerate(draft.words) if start <= w.start < end
    ]
    last = [i for i, w in inside if names and w.text == names[0]]
    return last[-1] if last else None


def _grids(stand: Stand, drafts: Sequence[dict[str, Any]]) -> dict[str, list[float]]:
    """Thresholds to try: quantiles of sentence scores on the people who choose."""
    dev = drafts[: stand.job.size.test]
    at = np.linspace(0.05, 0.95, stand.job.size.grid)
    grids = {"random": [float(x) for x in 1 - at]}
    for method in SWEPT:
        if method != "random":
            values = [s for d in dev for s in d["all"][method]]
            grids[method] = [float(x) for x in np.quantile(values, at)]
    return grids


# -- queries -----------------------------------------------------------------------------------


@dataclass
class _Recording:
    """QFS, and beside it what every former would have asked."""

    want: frozenset[Want] = EVERYTHING
    seen: list[tuple[Draft, Flag, dict[str, str]]] = field(default_factory=list)

    def form(self, draft: Draft, flag: Flag) -> str:
        asked = {name: former.form(draft, flag) for name, former in FORMERS.items()}
        self.seen.append((draft, flag, asked))
        return asked["QFS"]


def _queries(stand: Stand, folder: Path, thetas: Sequence[float]) -> list[dict[str, Any]]:
    """For each flag on the judged people: whether each query finds the passage it should."""
    dev = stand.job.size.test
    theta = nearest(runs(folder), "dragin", 3.0, dev)["theta"]
    former = _Recording()
    agent = DynamicRAG(
        RIND(theta), former, "recording", K, template=template, marker="", rounds=14, most=70
    )
    stand.write(agent, stand.people[dev:])
    wanted = [(d, a, gold) for d, f, a in former.seen if (gold := _gold(stand.world, d, f))]

    async def search() -> list[dict[str, Any]]:
        rows = []
        for draft, asked, gold in wanted:
            row: dict[str, Any] = {"person": draft.question, "gold": gold}
            for name, query in asked.items():
                hits = await stand.index.search(query or draft.question, K)
                row[name] = gold in [h.passage.id for h in hits]
            rows.append(row)
        return rows

    return asyncio.run(search())


def _gold(world: BioWorld, draft: Draft, flag: Flag) -> str:
    """Id of the passage that the flagged sentence should rest on; empty where it states nothing."""
    stated = list(world.read(draft.text[slice(*flag.sentence)]))
    before = world.read("".join(draft.so_far) + draft.text[: flag.sentence[0]])
    if not stated or (stated[0] == "seat" and "employer" not in before):
        return ""
    subject = before["employer"] if stated[0] == "seat" else draft.question
    return f"{subject}/{stated[0]}".replace(" ", "_")
