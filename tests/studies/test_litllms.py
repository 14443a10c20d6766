"""Study 21 at smoke scale, and the pieces its verdict rests on."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from scrubjay.agents.review import DebateReranker
from scrubjay.agents.session import Session
from scrubjay.core import Hit
from scrubjay.studies import get_study
from scrubjay.studies.litllms_measure import normalised, recall, supported, true_of
from scrubjay.studies.litllms_stage import SimulatedJudge
from scrubjay.worlds.literature import LiteratureWorld
from scrubjay.worlds.literature_facets import GAINS

WORLD = LiteratureWorld.make(2, 200)


def test_recall_by_hand() -> None:
    assert recall(["a", "b", "c"], {"b", "x"}, 2) == 0.5
    assert normalised(["a", "b", "c"], {"b", "x"}, 2) == 1.0
    assert normalised(["a", "b", "c"], {"b", "x"}, 1) == 0.0
    assert normalised(["a"], {"x"}, 1) is None


def test_the_world_s_truth_agrees_with_what_was_planted() -> None:
    for case in WORLD.planted(WORLD.papers[-40:]):
        if case.kind == "right":
            assert true_of(case.sentence, case.paper)
        if case.kind in ("shuffled", "number", "opposite"):
            assert not true_of(case.sentence, case.paper)
    assert not true_of("Nothing is said.", WORLD.papers[-1])


def test_a_reference_is_supported_by_a_true_sentence_of_its_own() -> None:
    one, two = WORLD.papers[-2:]
    gain = GAINS[one.facets.gain][0]
    text = f"{one.name} {gain} by {one.percent} percent [1]. {one.name} {gain} [2]. See [1][2]."
    assert supported(text, [one, two]) == 1 + (two.facets.gain == one.facets.gain)
    assert supported("cite [1] in line 1, cite [2] in line 2", [one, two]) == 0


def test_a_gate_helps_a_judge_whose_lies_go_with_its_errors() -> None:
    """All wrong scores come with an invented quote: refusing them leaves only right ones."""
    paper = WORLD.papers[-1]
    gold = set(paper.references)
    others = [p.passage() for p in WORLD.papers[:12] if p.id not in gold]
    papers = [*others, *(WORLD.by_id(i).passage() for i in paper.references)]
    judge: Any = SimulatedJudge(gold, papers, accuracy=0.5, invents=0.0, coupling=1.0)
    hits = [Hit(p, 0.0) for p in papers]

    def top(gate: bool) -> int:
        reranker = DebateReranker("written", gate=gate)
        ranked = asyncio.run(reranker.rerank(Session(judge), paper.abstract, hits))
        high = [d for d in ranked if d.score >= 0.55]
        return sum(d.paper.id not in gold for d in high)

    assert top(gate=True) == 0 < top(gate=False)


def test_smoke(tmp_path: Path) -> None:
    found = get_study("litllms").measure("smoke", out=tmp_path, seed=0, progress=lambda *a: None)
    chance = found.numbers["recall, another's abstract"].value
    assert chance < found.numbers["recall, meaning"].value
    assert len(found.claims) == 5
    again = get_study("litllms").measure("smoke", out=tmp_path, seed=0, progress=lambda *a: None)
    assert again.numbers == found.numbers
