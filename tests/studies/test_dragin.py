"""Study 41: its plumbing at smoke scale, and its judge on measurements made by hand."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

from scrubjay.core.finding import Verdict
from scrubjay.studies import get_study
from scrubjay.studies.dragin import BASELINES, judge
from scrubjay.studies.dragin_measure import FIXED, SWEPT
from scrubjay.studies.dragin_stage import SIZES, K, Lessons, template
from scrubjay.worlds.biographies import BioWorld


def test_smoke_runs_every_method_and_resumes(tmp_path, monkeypatch):
    monkeypatch.setenv("SCRUBJAY_CACHE", str(tmp_path / "cache"))
    study = get_study("dragin")
    first = study.run("smoke", tmp_path / "results")
    methods = {row["method"] for row in first.tables["Every run"]}
    assert methods == {*SWEPT, *FIXED}
    assert (tmp_path / "results" / "dragin" / "finding.json").exists()
    again = study.run("smoke", tmp_path / "again")
    assert again.tables == first.tables
    assert again.numbers == first.numbers


def measured(gain: float, lead: float, recall: float):
    """Two seeds in which DRAGIN is so much better; 12 people choose and 40 are judged."""
    runs, n = [], 52
    for method in (*SWEPT, *FIXED):
        share = 0.5 + (gain if method == "dragin" else 0.0)
        right = [[(i * 7 + j) % 10 < 10 * share for j in range(10)] for i in range(n)]
        runs.append(
            {"method": method, "theta": 0.5, "right": right}
            | {what: [3] * n for what in ("searches", "tokens", "read")}
        )
    names = ("dragin", "dragin, released", "entropy only", "flare")
    drafts = [
        {
            "words": [
                {name: (i * 13 + j * 5 + k) % 17 / 17 for k, name in enumerate(names)}
                | {"unknown": j < 2, "dragin": (j < 2) * lead + (i * 13 + j * 5) % 17 / 17}
                for j in range(4)
            ]
        }
        for i in range(n)
    ]
    queries = [
        {
            "person": str(i % 30),
            "QFS": i % 10 < 10 * (0.4 + recall),
            "QFS, released": True,
            **dict.fromkeys(("last sentence", "last 25 tokens", "full context"), i % 10 < 4),
        }
        for i in range(90)
    ]
    return [runs, runs], [drafts, drafts], [queries, queries]


def test_claims_hold_when_they_are_true_and_fail_when_not():
    from dataclasses import replace

    size = replace(SIZES["smoke"], test=12)
    true = judge(*measured(0.3, 0.6, 0.4), size)
    assert [c.holds for c in true.claims] == [True, True, True]
    assert true.numbers["accuracy, DRAGIN minus flare"].value == pytest.approx(0.3)
    assert {r["against"] for r in true.tables["At equal searches"]} == set(BASELINES)
    false = judge(*measured(0.0, 0.0, 0.0), size)
    assert [c.holds for c in false.claims] == [False, False, False]
    assert false.verdict == Verdict.NOT_REPRODUCED
    assert judge(*measured(0.3, 0.0, 0.0), size).verdict == Verdict.PARTLY


def test_lessons_tell_known_facts_truly_held_out_ones_by_chance_and_can_be_copied():
    from scrubjay.models.tiny import SAY, train_tokenizer

    world = BioWorld(30, seed=2)
    texts = [p.text for p in world.passages] + [f"{p} :" for p in world.people]
    texts += ["She was born in comes from studied at went to school works for"]
    tokenizer = train_tokenizer(texts * 3, 4000)
    lessons = Lessons(world, tokenizer, 0)
    assert lessons.batch(5, 9) == lessons.batch(5, 9) != lessons.batch(6, 9)
    held, known, copied = [], [], 0
    for step in range(200):
        for example in lessons.batch(step, 8):
            text = tokenizer.decode(list(example.ids)).strip()
            passages, _, said = text.partition(SAY)
            learned = tokenizer.decode([i for i, c in zip(example.ids, example.learn) if c])
            if passages.strip():
                assert passages.count(" .") == K
            if " : " not in said:  # passages said again: every word that counts can be copied
                assert set(learned.split()) <= set(passages.split())
                continue
            name = said.split(" : ")[0].strip()
            stated = world.read(said.split(" : ", 1)[1])
            if passages.strip() and name not in world.people:
                assert any(value in passages for value in stated.values())
                copied += 1
            if name in world.people:
                for slot in world.slots(name):
                    if slot.relation != "seat":  # a held-out employer has another seat
                        right = stated.get(slot.relation) == slot.value
                        (held if slot.held_out else known).append(right)
    assert all(known)
    assert 0 < sum(held) / len(held) < 0.3  # as often as chance has it among six to thirty values
    assert len(known) > 300
    assert copied > 200


def test_the_template_has_single_blanks():
    from scrubjay.core.nouns import Passage

    passages = [Passage("a", "A lives in B ."), Passage("b", " C . ")]
    assert template("Ana Tarn", passages, " She  sings .") == (
        "A lives in B . C . <say> Ana Tarn : She sings ."
    )
    assert template("Ana Tarn", [], "") == "<say> Ana Tarn :"
