"""The runner: fixed chunks, whole or not at all; killed and resumed equals never interrupted."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from scrubjay.agents.session import Budget, Session
from scrubjay.core.errors import ModelError
from scrubjay.core.nouns import Answer, Question
from scrubjay.core.randomness import stream
from scrubjay.core.trace import Cost, Generated, Noted
from scrubjay.evaluation.gap import write_tables
from scrubjay.evaluation.runner import run_agent
from scrubjay.evaluation.runs import Run
from scrubjay.models.types import Completion
from scrubjay.worlds.hitting import PageGraph

TABLES = ("gap.json", "groups.json", "reduction.json", "decomposition.json")
SETTINGS = ("closed-book", "reading")
WORLDS = ("real", "twin-0")


def questions(world, n=40):
    return [
        Question(f"q{i}", f"{world} {i}?", (f"{world} name {i}",), task="recall", group=f"g{i % 3}")
        for i in range(n)
    ]


class Model:
    """Answers by a fixed rule and writes down what was asked of it, in order."""

    name = "fake"

    def __init__(self):
        self.log = []

    async def generate(self, prompt, *, max_tokens, seed=0, **_):
        self.log.append(prompt)
        await asyncio.sleep(0)
        right = stream(0, prompt).random() < (0.7 if prompt.startswith("real") else 0.2)
        text = prompt.replace("?", "").replace(" ", " name ") if right else "nothing"
        return Completion(text, logprobs=(-0.1,), tokens_in=3, tokens_out=1)

    def settle(self):
        self.log.append("settle")


class Writer:
    name = "writer"
    tasks = frozenset({"recall"})
    needs = frozenset({"model"})

    async def answer(self, question, session):
        reply = await session.generate(question.text, max_tokens=5)
        return Answer(reply.text, session.trace)


def run_all(folder, *, before_answer=None, chunk=8):
    """Every setting and world with a fake agent, as the command line does it."""

    class Watched(Writer):
        async def answer(self, question, session):
            if before_answer:
                before_answer()
            return await super().answer(question, session)

    with Run.open(folder, {"chunk": chunk}) as run:
        for setting in SETTINGS:
            for world in WORLDS:
                model = Model()
                asyncio.run(
                    run_agent(
                        Watched(),
                        questions(world),
                        lambda _, model=model: Session(model),
                        run=run,
                        setting=setting,
                        world=world,
                        chunk=chunk,
                    )
                )
        write_tables(run)


def run_one(run, agent, asked, make_session=lambda _: Session(), **options):
    options = {"setting": "closed-book", "world": "real", **options}
    return asyncio.run(run_agent(agent, asked, make_session, run=run, **options))


def tables(folder):
    return {name: (folder / name).read_bytes() for name in TABLES}


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "run"
    run_all(folder)
    return tables(folder)


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {here!r})
from test_runner import run_all
from scrubjay.core.files import JsonLines

calls = 0
def count():
    global calls
    calls += 1
    if calls == {answers}:
        os.kill(os.getpid(), signal.SIGKILL)

def torn(self, records):
    global calls
    calls += 1000
    if calls > {appends} * 1000:
        from scrubjay.core.files import dump_json
        raw = "".join(dump_json(r) + "\\n" for r in records).encode()
        with open(self.path, "ab") as file:
            file.write(raw[: len(raw) * 2 // 3])
        os.kill(os.getpid(), signal.SIGKILL)
    whole(self, records)

if {appends}:
    whole, JsonLines.append = JsonLines.append, torn
run_all(Path({folder!r}), before_answer=count)
"""


@pytest.mark.parametrize(
    ("answers", "appends"),
    [(1, 0), (77, 0), (10**9, 7)],
    ids=["at the first answer", "amid a chunk", "amid writing a chunk"],
)
def test_killed_and_resumed_equals_uninterrupted(tmp_path, uninterrupted, answers, appends):
    folder = tmp_path / "run"
    script = KILLED.format(
        here=str(Path(__file__).parent), folder=str(folder), answers=answers, appends=appends
    )
    died = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert died.returncode == -signal.SIGKILL, died.stderr.decode()
    assert not (folder / "gap.json").exists()
    done = len(Run.load(folder).records())
    asked = []
    run_all(folder, before_answer=lambda: asked.append(1))
    assert len(asked) == 160 - done  # nothing is asked twice
    assert tables(folder) == uninterrupted


def test_the_constructed_gap_is_found(uninterrupted):
    row = next(r for r in json.loads(uninterrupted["gap.json"]) if r["metric"] == "em")
    assert row["n"] == 40
    assert row["low"] > 0


def test_chunks_are_concurrent_settled_and_in_order(tmp_path):
    model = Model()
    with Run.open(tmp_path / "r", {}) as run:
        made = run_one(run, Writer(), questions("real", 5), lambda _: Session(model), chunk=2)
    assert model.log == [
        *("settle", "real 0?", "real 1?"),
        *("settle", "real 2?", "real 3?"),
        *("settle", "real 4?"),
    ]
    assert [r.question for r in made] == [f"q{i}" for i in range(5)]


def test_all_questions_of_a_chunk_are_under_way_together(tmp_path):
    class Meeting(Writer):
        inside = 0

        async def answer(self, question, session):
            Meeting.inside += 1
            while Meeting.inside < 4:  # would never end if they ran one after another
                await asyncio.sleep(0)
            return Answer("x", session.trace)

    with Run.open(tmp_path / "r", {}) as run:
        assert len(run_one(run, Meeting(), questions("real", 4), chunk=4)) == 4


def test_seeds_are_per_question_and_mirrored_between_worlds(tmp_path):
    class Seeded(Writer):
        async def answer(self, question, session):
            return Answer(str(session.seed), session.trace)

    with Run.open(tmp_path / "r", {}) as run:
        real = [r.prediction for r in run_one(run, Seeded(), questions("real", 6))]
        twin = [r.prediction for r in run_one(run, Seeded(), questions("twin", 6), world="twin-0")]
        other = [
            r.prediction
            for r in run_one(run, Seeded(), questions("real", 6), setting="reading", seed=1)
        ]
    assert real == twin
    assert len({*real, *other}) == 12


def test_progress_counts_what_was_done_before(tmp_path):
    told = []
    with Run.open(tmp_path / "r", {}) as run:
        run_one(run, Writer(), questions("real", 4), lambda _: Session(Model()), chunk=2)
        run_one(
            run,
            Writer(),
            questions("real", 5),
            lambda _: Session(Model()),
            chunk=2,
            progress=lambda done, total: told.append((done, total)),
        )
    assert told == [(2, 5), (4, 5), (5, 5)]


def test_other_questions_under_the_same_name_are_not_taken_for_these(tmp_path):
    with Run.open(tmp_path / "r", {}) as run:
        run_one(run, Writer(), questions("real", 2), lambda _: Session(Model()))
        again = run_one(run, Writer(), questions("other", 2), lambda _: Session(Model()))
    assert [r.text for r in again] == ["other 0?", "other 1?"]


def test_an_exhausted_budget_gives_a_scored_partial_answer(tmp_path):
    class Greedy(Writer):
        async def answer(self, question, session):
            while True:
                await session.generate(question.text, max_tokens=5)

    asked = [q for q in questions("real") if stream(0, q.text).random() < 0.7][:2]
    with Run.open(tmp_path / "r", {}) as run:
        made = run_one(run, Greedy(), asked, lambda _: Session(Model(), budget=Budget(calls=2)))
        empty = run_one(
            run,
            Greedy(),
            asked,
            lambda _: Session(Model(), budget=Budget(calls=0)),
            setting="reading",
        )
    for record in made:
        assert record.scores["em"] == 1
        assert record.note == "the budget of 2 calls is used up"
        assert record.spent == Cost(6, 2, calls=2, seconds=record.spent.seconds)
        assert isinstance(record.trace.steps[-1], Noted)
    assert [(r.prediction, r.scores["f1"]) for r in empty] == [("", 0.0)] * 2


def test_a_walk_cut_short_keeps_its_path(tmp_path):
    class Walker(Writer):
        async def answer(self, question, session):
            walk = session.walk(question.start, question.goal)
            while True:
                session.click(walk, 0)
                session.click(walk, 99)  # no such link: a step that leads nowhere

    asked = [Question("n", "", task="navigation", start="a", goal="c")]
    graph = PageGraph({"a": ["b"], "b": ["c"], "c": ["d"], "d": ["a"]})
    with Run.open(tmp_path / "r", {}) as run:
        (far,) = run_one(
            run, Walker(), asked, lambda _: Session(graph=graph, budget=Budget(moves=3))
        )
        (near,) = run_one(
            run,
            Walker(),
            asked,
            lambda _: Session(graph=graph, budget=Budget(moves=2)),
            setting="links-only",
        )
    assert far.path == ("a", "b", "c")
    assert far.scores == {"success": 1.0, "steps": 3.0, "steps_over_shortest": 1.5}
    assert (near.path, near.scores["success"]) == (("a", "b"), 0.0)


def test_any_other_error_stops_the_run_with_finished_chunks_saved(tmp_path):
    cancelled = []

    class Flaky(Writer):
        broken = True

        async def answer(self, question, session):
            if Flaky.broken and question.id == "q3":
                raise ModelError("the endpoint is gone; start it and run the same command again")
            if Flaky.broken and question.id == "q2":
                try:
                    await asyncio.sleep(60)
                except asyncio.CancelledError:
                    cancelled.append(question.id)
                    raise
            return Answer("x", session.trace)

    with Run.open(tmp_path / "r", {}) as run:
        with pytest.raises(ModelError, match="the endpoint is gone"):
            run_one(run, Flaky(), questions("real", 6), chunk=2)
        assert [r.question for r in run.records()] == ["q0", "q1"]
        assert cancelled == ["q2"]
        Flaky.broken = False
        assert len(run_one(run, Flaky(), questions("real", 6), chunk=2)) == 6


def test_a_record_holds_the_whole_story(tmp_path):
    class Full(Writer):
        async def answer(self, question, session):
            session.trace.add(Generated("p", "t", ("d",), -1.0, cost=Cost(5, 2, calls=1)))
            return Answer(
                "The answer is real name 0",
                session.trace,
                confidence=0.75,
                citations=("d",),
            )

    with Run.open(tmp_path / "r", {}) as run:
        (record,) = run_one(run, Full(), questions("real", 1))
    assert record.scores == {"f1": 1.0, "em": 1.0}
    assert (record.setting, record.world, record.task, record.group) == (
        *("closed-book", "real", "recall", "g0"),
    )
    assert (record.text, record.gold) == ("real 0?", ("real name 0",))
    assert (record.confidence, record.citations, record.note) == (0.75, ("d",), "")
    assert record.spent == Cost(5, 2, calls=1)
    assert record.trace.steps[0].text == "t"
    assert os.path.getsize(tmp_path / "r" / "answers.jsonl") > 0
