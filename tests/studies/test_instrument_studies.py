"""Studies 20, 49 and 52: the smallest scale runs through, and verdicts follow from the numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scrubjay.core.finding import Finding, Number
from scrubjay.studies import get_study
from scrubjay.studies.concept_depth import _deeper, _learned, _ordered
from scrubjay.studies.emulated_fine_tuning import recovered
from scrubjay.studies.emulated_fine_tuning_measure import _same
from scrubjay.studies.emulated_fine_tuning_stage import SIZES, Ground
from scrubjay.studies.verbatim_memory import _reader_claims, _real_claims


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work folders of its own; the fetched model stays where it is."""
    monkeypatch.setattr("scrubjay.studies.study.cache_dir", lambda *p: _made(tmp_path, *p))
    monkeypatch.setattr("scrubjay.models.tiny.cache_dir", lambda *p: _made(tmp_path, *p))


def _made(root: Path, *parts: str) -> Path:
    path = root.joinpath("cache", *parts)
    path.mkdir(parents=True, exist_ok=True)
    return path


@pytest.mark.parametrize("slug", ["emulated-fine-tuning", "verbatim-memory", "concept-depth"])
def test_smoke_runs_and_resumes(slug: str, tmp_path: Path) -> None:
    study = get_study(slug)
    first = study.run("smoke", tmp_path)
    again = study.run("smoke", tmp_path)  # from the parts that are kept
    assert again.numbers == first.numbers
    assert len(first.claims) == (len(study.claims) if slug != "verbatim-memory" else 2)
    assert {c.text for c in first.claims} <= set(study.claims)
    assert Finding.from_dict(first.to_dict()).claims == first.claims
    assert first.figure or slug == "verbatim-memory"


def test_lessons_hold_no_fact_that_is_asked() -> None:
    ground = Ground(SIZES["smoke"], 4)
    told = {tuple(e.ids) for step in range(40) for e in ground.tuning(step)}
    taught = {ground.tokenizer.decode(ids) for ids in told}
    for asked in ground.questions():
        assert not any(text.startswith(asked.text) for text in taught)
    kinds = [q.kind for q in ground.questions()]
    assert {"rare", "common", "changes"} == set(kinds)
    for example in ground.tuning(0):
        learned = [i for i, c in zip(example.ids, example.learn) if c]
        assert ground.tokenizer.decode(learned).split()[0] in ("answer", "search", "search<end>")


def test_bases_meet_the_format_about_people_that_nobody_is_asked_about() -> None:
    ground = Ground(SIZES["smoke"], 4)
    prose = [e.ids for step in range(60) for e in ground.pretraining(step)]
    texts = [ground.tokenizer.decode(ids) for ids in prose]
    formed = [t for t in texts if "? answer" in t or "? search" in t]
    conversations = sum("?" in t for t in texts)
    assert 0.05 < len(formed) / conversations < 0.25  # an eighth of some 120
    asked = ground.common + ground.rare
    assert not any(person in text for text in formed for person in asked)


def test_the_recovered_share_by_hand() -> None:
    low, high = np.array([0.0] * 60 + [1.0] * 40), np.ones(100)
    half = np.array([1.0] * 30 + [0.0] * 30 + [1.0] * 40)
    fact = {"small tuned": low, "large tuned": high, "mixed": half}
    found = recovered(fact, "mixed")
    assert found.value == pytest.approx(0.5)
    assert found.low < 0.5 < found.high
    no_gap = recovered({"small tuned": high, "large tuned": high, "mixed": low}, "mixed")
    assert no_gap.low is None


def test_equal_samples_pass_and_others_do_not() -> None:
    rng = np.random.default_rng(0)
    draw = lambda p: [(int(x),) for x in rng.choice(3, size=300, p=p)]  # noqa: E731
    assert _same(draw([0.5, 0.3, 0.2]), draw([0.5, 0.3, 0.2]), 300) > 0.01
    assert _same(draw([0.5, 0.3, 0.2]), draw([0.3, 0.5, 0.2]), 300) < 0.01


def test_readers_decide_their_claims() -> None:
    good = {"1 layer": 2.0, "2 layers": 45.0, "4 layers": 44.0, "LSTM": 5.0}
    assert [c.holds for c in _reader_claims(good)] == [True, True]
    assert [c.holds for c in _reader_claims(good | {"LSTM": 40.0})] == [True, False]
    assert [c.holds for c in _reader_claims(good | {"4 layers": 20.0})] == [False, True]
    numbers = {
        "order: permute minus repeat": Number(50, 40, 60),
        "identity: novel minus permute": Number(30, 20, 40),
        "points per doubling of distance": Number(1, 0, 2),
        "repeat surprisal, repeat, query and key weights permuted": Number(99, 98, 100),
        "repeat surprisal, repeat, 10 looking-back heads taken out": Number(60, 55, 65),
        "repeat surprisal, repeat, 10 random heads taken out": Number(5, 4, 6),
    }
    assert all(c.holds for c in _real_claims(numbers))
    flat = numbers | {"repeat surprisal, repeat, 10 random heads taken out": Number(57, 50, 66)}
    assert [c.holds for c in _real_claims(flat)] == [True, True, False]


def test_depths_decide_their_claims() -> None:
    numbers = {}
    for concept, depth in (("lexical", 0.2), ("fact", 0.5), ("two-hop", 0.7), ("parity", 0.9)):
        numbers[f"{concept}, depth95, as it is"] = Number(depth, depth - 0.05, depth + 0.05)
        numbers[f"{concept}, peak, as it is"] = Number(0.8, 0.75, 0.85)
        numbers[f"{concept}, random labels, best layer"] = Number(0.55)
    assert _ordered(numbers).holds
    assert not _ordered(numbers | {"parity, peak, as it is": Number(0.56, 0.5, 0.6)}).holds
    assert not _ordered(numbers | {"fact, depth95, as it is": Number(0.1, 0.1, 0.1)}).holds
    rows = [
        {"concept": c, "condition": k, "depth95": d, "peak": p, "embedding": 0.5}
        for c in ("lexical", "fact", "two-hop", "parity")
        for k, d, p in (("as it is", 0.4, 0.8), ("noise", 0.5, 0.8), ("fresh weights", 0.9, 0.6))
    ]
    assert _deeper(rows).holds
    assert _learned(rows).holds
    worse = [*rows[:1], rows[1] | {"depth95": 0.3}, *rows[2:]]
    assert not _deeper(worse).holds
    fresh = [r | {"peak": 0.8} if r["condition"] == "fresh weights" else r for r in rows]
    assert not _learned(fresh).holds
