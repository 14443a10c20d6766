"""What study 21 measures of one world: recall of sources, order of rerankers, citations of texts.

recall@k = |T_k ∩ R| / |R|;   normalised recall@k = |T_k ∩ C ∩ R| / |C ∩ R|  (C: the candidates;
questions with C ∩ R = ∅ are left out)
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import Any

from scrubjay.agents.review.assistant import fuse
from scrubjay.agents.review.check import citation_report, coverage, lift
from scrubjay.agents.review.debate import DebateReranker
from scrubjay.agents.review.keywords import KeywordWriter
from scrubjay.agents.review.plan import SentencePlan
from scrubjay.agents.review.quotes import sentences
from scrubjay.agents.review.sources import TwoSourceRetrieval, merge_budgeted
from scrubjay.agents.review.writer import GroundedWriter, write_freely
from scrubjay.agents.session import Session
from scrubjay.core.nouns import Hit
from scrubjay.core.progress import Progress
from scrubjay.core.randomness import stream
from scrubjay.models.types import LanguageModel
from scrubjay.retrieval.rerankers import QueryLikelihoodReranker
from scrubjay.studies.litllms_stage import SimulatedJudge, Size, Stage, shuffled
from scrubjay.worlds.literature import KINDS, Paper
from scrubjay.worlds.literature_facets import DATA, GAINS, METHODS, TASKS

COUPLINGS = (0.0, 0.5, 1.0)
TOP = 5


def recall(ids: Sequence[str], gold: set[str], k: int) -> float:
    return len(set(ids[:k]) & gold) / len(gold)


def normalised(ids: Sequence[str], gold: set[str], k: int) -> float | None:
    """None where the candidates hold nothing to find."""
    there = gold & set(ids)
    return len(set(ids[:k]) & there) / len(there) if there else None


async def measure_sources(stage: Stage, size: Size, model: LanguageModel | None) -> dict[str, Any]:
    """Recall at the budget for each source, a value a paper."""
    out: dict[str, list[float]] = {}
    writer, session = KeywordWriter(), Session()
    for i, paper in enumerate(stage.asked):
        gold = stage.gold(paper)
        queries = {"counted": await writer.write(session, paper.abstract, stage.library)}
        queries["oracle"] = list(TASKS[paper.facets.task])
        if model is not None and i < size.model_asked:
            queries["model"] = await writer.write(Session(model), paper.abstract, stage.library)
        near = [h.passage.id for h in await stage.meaning.search(paper.abstract, size.budget)]
        other = stage.asked[(i + 1) % len(stage.asked)]
        lists = {
            "meaning": near,
            "abstract as words": await _words(stage, [paper.abstract], size.budget),
            "another's abstract": [
                h.passage.id for h in await stage.meaning.search(other.abstract, size.budget)
            ],
        }
        for how, asked in queries.items():
            lists[f"words, {how}"] = await _words(stage, asked, size.budget)
            both = TwoSourceRetrieval(stage.words, stage.meaning, size.budget)
            hits = await both.search(session, paper.abstract, asked, title=paper.title)
            lists[f"hybrid, {how}"] = [h.passage.id for h in hits]
        for name, ids in lists.items():
            out.setdefault(name, []).append(recall(ids, gold, size.budget))
    return out


async def _words(stage: Stage, queries: Sequence[str], budget: int) -> list[str]:
    found = [[h.passage.id for h in await stage.words.search(q, budget)] for q in queries]
    return merge_budgeted(found, budget)


async def candidates(stage: Stage, paper: Paper, k: int) -> list[Hit]:
    """Hybrid candidates by counted keywords, in the order they are found."""
    queries = await KeywordWriter().write(Session(), paper.abstract, stage.library)
    both = TwoSourceRetrieval(stage.words, stage.meaning, 50)
    return (await both.search(Session(), paper.abstract, queries, title=paper.title))[:k]


async def measure_gate(stage: Stage, size: Size) -> dict[str, Any]:
    """Normalised recall@5 of the simulated judge with and without the check of its quotes."""
    out: dict[str, list[float]] = {}
    for paper in stage.asked:
        hits, gold = await candidates(stage, paper, size.candidates), stage.gold(paper)
        papers = [h.passage for h in hits]
        for coupling in COUPLINGS:
            for gate in (True, False):
                seed = stage.world.seed
                judge: Any = SimulatedJudge(gold, papers, coupling=coupling, seed=seed)
                reranker = DebateReranker("written", gate=gate)
                ranked = await reranker.rerank(Session(judge), paper.abstract, hits)
                value = normalised([d.paper.id for d in ranked], gold, TOP)
                if value is not None:
                    out.setdefault(f"{coupling}/{'on' if gate else 'off'}", []).append(value)
    return out


async def measure_orders(
    stage: Stage, size: Size, model: LanguageModel | None, progress: Progress
) -> dict[str, Any]:
    """Normalised recall@5 of each order of the same candidates, a value a paper."""
    out: dict[str, list[float]] = {}
    asked = stage.asked[: size.model_asked] if model else stage.asked
    for i, paper in enumerate(asked):
        hits, gold = await candidates(stage, paper, size.candidates), stage.gold(paper)
        there = [h.passage.id for h in hits]
        if not gold & set(there):
            continue
        near = [h.passage.id for h in await stage.meaning.search(paper.abstract, len(stage.old))]
        bm25 = await _words(stage, [paper.abstract], len(stage.old))
        orders = {
            "found": there,
            "random": shuffled(hits, stream(stage.world.seed, "order", paper.id)),
            "embedding": [i for i in near if i in set(there)],
            "abstract as words": [i for i in [*bm25, *there] if i in set(there)],
        }
        if model is not None:
            topic = sentences(paper.abstract)[0]
            likely = await QueryLikelihoodReranker(model).rerank(topic, hits)
            debated = await DebateReranker().rerank(Session(model), paper.abstract, hits)
            orders["likelihood"] = [h.passage.id for h in likely]
            orders["debate"] = [d.paper.id for d in debated]
            orders["debate, fused"] = [d.paper.id for d in fuse(there, debated)]
        for name, ids in orders.items():
            value = normalised(list(dict.fromkeys(ids)), gold, TOP)
            out.setdefault(name, []).append(0.0 if value is None else value)
        progress("ranking", i + 1, len(asked))
    return out


async def measure_writing(stage: Stage, size: Size, model: LanguageModel) -> dict[str, Any]:
    """Citations of three ways of writing about true references; truth is the world's, not the
    check's."""
    out: dict[str, list[float]] = {}

    def add(way: str, **values: float) -> None:
        for name, value in values.items():
            out.setdefault(f"{way}/{name}", []).append(value)

    for paper in stage.asked[: size.written]:
        refs = [stage.old[i] for i in sorted(stage.gold(paper))][:5]
        passages, plan = [r.passage() for r in refs], SentencePlan.even(len(refs))
        for way, given in (("vanilla", None), ("plan", plan)):
            text = await write_freely(Session(model), paper.abstract, passages, given)
            report = citation_report(text, len(refs))
            good = supported(text, refs)
            add(way, bad=report.bad, unsupported=len(refs) - good + len(report.invented))
        draft = await GroundedWriter().write(Session(model), passages, plan)
        report = citation_report(draft.text, len(refs))
        kept = [c for line in draft.lines for c in line if c.text]
        good = sum(true_of(c.text, refs[c.paper - 1]) for c in kept)
        add("grounded", bad=report.bad, unsupported=len(refs) - good + len(report.invented))
        for clause in (c for line in draft.lines for c in line):
            ref = refs[clause.paper - 1]
            add("clause", first_true=float(bool(clause.first) and true_of(clause.first, ref)))
            add("clause", kept_true=float(bool(clause.text) and true_of(clause.text, ref)))
            add("clause", **{clause.fate: 1.0})
    return out


def supported(text: str, refs: Sequence[Paper]) -> int:
    """References that a true sentence cites: one that says something of them and nothing false."""
    good: set[int] = set()
    for sentence in sentences(text):
        marks = citation_report(sentence, len(refs), ()).cited
        good |= {n for n in marks if len(marks) == 1 and true_of(sentence, refs[n - 1])}
    return len(good)


def true_of(sentence: str, paper: Paper) -> bool:
    """The world's truth: at least one facet or number of the paper, and none of others."""
    own, wrong = False, False
    text = sentence.casefold()
    f = paper.facets
    for table, position in ((TASKS, f.task), (METHODS, f.method), (DATA, f.data)):
        for i, wordings in enumerate(table):
            said = any(w.casefold() in text for w in wordings)
            own, wrong = own or (said and i == position), wrong or (said and i != position)
    for i, (gain, opposite) in enumerate(GAINS):
        own = own or (gain in text and i == f.gain)
        wrong = wrong or (gain in text and i != f.gain) or opposite in text
    numbers = re.findall(r"\d+\.\d+", text)
    own = own or paper.percent in numbers
    return own and not wrong and all(n == paper.percent for n in numbers)


async def measure_support(stage: Stage, size: Size, model: LanguageModel | None) -> dict[str, Any]:
    """Features of planted sentences, with their kind; the last feature is the model's lift."""
    cases = stage.world.planted(stage.world.papers[-size.planted :])
    few = stage.world.papers[-size.lifted :] if size.lifted else ()
    lifted = {p.id for p in few}
    session = Session(model)

    async def one(sentence: str, paper: Paper, origin: str) -> list[float]:
        features = list(coverage(sentence, paper.passage()))
        if model is not None and origin in lifted:
            features.append(await lift(session, sentence, paper.passage()))
        return features

    origins = [p.id for p in stage.world.papers[-size.planted :] for _ in KINDS]
    rows = await asyncio.gather(*(one(c.sentence, c.paper, o) for c, o in zip(cases, origins)))
    return {"kinds": [c.kind for c in cases], "rows": rows}
