"""Study 72 at smoke scale, and its judgment on planted walks."""

from __future__ import annotations

from pathlib import Path

import pytest

from scrubjay.agents.reasoner import Attempt
from scrubjay.agents.search_state import Round, SearchState
from scrubjay.core.nouns import Passage, Question
from scrubjay.studies import get_study
from scrubjay.studies.sim_rag_judge import judge
from scrubjay.studies.sim_rag_stage import Size
from scrubjay.training.practice import PracticeRow

SIZE = Size(practice=0, test=0, rounds=3, draws=2)


def walk(number: int, found_at: int, world: str) -> list[PracticeRow]:
    """Four answers to one question; the right one's sentence is found at a round."""
    question = Question(f"q{number}", f"Where was Person{number} Tarn born?")
    rounds: list[Round] = []
    out = []
    for t in range(4):
        right = t >= found_at
        answer = f"Velm{number}" if right else "Torvik"
        logprob = -0.1 if number % 2 else -2.0  # tells nothing
        state = SearchState(question, tuple(rounds))
        attempt = Attempt(answer, logprob=logprob, tokens=2)
        out.append(PracticeRow(question.id, world, 0, state, attempt, right))
        shown = t + 1 >= found_at
        text = f"Person{number} Tarn was born in Velm{number}." if shown else "Torvik is a town."
        rounds.append(Round("q", (Passage(f"d{number}-{t}", text, f"Page {t}"),)))
    return out


def rows(n: int, world: str) -> list[PracticeRow]:
    """Three of four are found at round 1, the fourth at round 3."""
    return [r for i in range(n) for r in walk(i, (1, 1, 1, 3)[i % 4], world)]


def loops() -> dict[str, list[list[float]]]:
    rows = [[1.0, 1.0], [0.0, 3.0]] * 20
    return {"nothing": [[0, 3]] * 40, "barred": rows, "told": [[0, 3]] * 40}


def test_a_critic_that_can_be_learned_holds_all_claims() -> None:
    """Right answers stand in a sentence that says what was asked."""
    learned, judged = rows(120, "practice"), rows(60, "unseen")
    own = [0.6 if int(r.question[1:]) % 2 else 0.4 for r in judged]  # by the question alone
    found = judge(learned, judged, own, loops(), SIZE)
    assert [c.holds for c in found.claims] == [True] * 4
    assert found.numbers["AUROC, critic"].value == 1.0
    rule = {r["rule"]: r for r in found.tables["Rules at their own thresholds"]}
    assert rule["critic"]["exact"] == rule["oracle"]["exact"] == 1.0
    assert rule["critic"]["searches"] == rule["oracle"]["searches"] == 1.5
    assert rule["always 3"]["over_retrieval"] == 0.75
    assert rule["own verdict"]["over_confidence"] == 0.5  # at round 0 all are wrong
    assert found.numbers["exact match, refused answers barred, minus nothing done"].value == 0.5


def test_a_critic_that_learned_the_opposite_holds_none() -> None:
    learned, judged = rows(120, "practice"), rows(60, "unseen")
    learned = [
        PracticeRow(r.question, r.world, 0, r.state, r.attempt, not r.label) for r in learned
    ]
    found = judge(learned, judged, [float(r.label) for r in judged], loops(), SIZE)
    assert [c.holds for c in found.claims] == [False] * 4


def test_smoke_scale_runs_goes_on_and_repeats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCRUBJAY_CACHE", str(tmp_path / "cache"))
    study = get_study("sim-rag")
    first = study.run("smoke", tmp_path / "a")
    again = study.run("smoke", tmp_path / "b")
    assert len(first.claims) == 4
    assert first.numbers == again.numbers
    assert first.settings["model"] is None
    assert (tmp_path / "a" / "sim-rag" / "finding.json").exists()
