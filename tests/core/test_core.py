"""core: errors, files, randomness, registries, traces, findings, coalescing."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrubjay.core import (
    Chose,
    Claim,
    Cost,
    DiskError,
    Finding,
    Generated,
    InputError,
    Moved,
    Noted,
    Number,
    Passage,
    Read,
    Registry,
    RunMismatch,
    Scored,
    ScrubjayError,
    Searched,
    Trace,
    UnknownName,
    Verdict,
)
from scrubjay.core.arrays import load_arrays, save_arrays
from scrubjay.core.coalesce import Coalescer, quiet, settled
from scrubjay.core.files import JsonLines, dump_json, folder_atomic, read_jsonl, write_atomic
from scrubjay.core.folders import begin, locked
from scrubjay.core.randomness import derive, numpy_stream, stream


def test_streams_are_the_same_in_another_process_and_differ_by_name() -> None:
    code = "from scrubjay.core.randomness import derive; print(derive(3, 'a', 1))"
    for hash_seed in ("0", "1"):
        out = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert int(out.stdout) == derive(3, "a", 1)
    assert stream(0, "x").random() != stream(1, "x").random()
    assert numpy_stream(0, "x").random() == numpy_stream(0, "x").random()


def test_names_of_a_stream_do_not_run_together() -> None:
    assert derive(0, "ab", "c") != derive(0, "a", "bc")


def test_write_atomic_keeps_the_old_file_when_writing_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "x.json"
    write_atomic(target, "old")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskError, match=r"disk that holds .*x\.json is full"):
        write_atomic(target, "new")
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["x.json"]


def test_folder_atomic_replaces_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "index"
    with folder_atomic(target) as folder:
        (folder / "a").write_text("1")

    class Stop(Exception):
        pass

    with pytest.raises(Stop), folder_atomic(target) as folder:
        (folder / "b").write_text("2")
        raise Stop
    assert os.listdir(target) == ["a"]
    with folder_atomic(target) as folder:
        (folder / "b").write_text("2")
    assert os.listdir(target) == ["b"]
    assert os.listdir(tmp_path) == ["index"]


def test_json_lines_forget_a_torn_tail(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    JsonLines(path).append([{"a": 1}, {"a": 2}])
    with open(path, "ab") as file:
        file.write(b'{"a": 3, "b": "un')
    lines = JsonLines(path)
    assert lines.read() == [{"a": 1}, {"a": 2}]
    lines.append([{"a": 4}])
    assert [r["a"] for r in lines.read()] == [1, 2, 4]


def test_json_lines_are_as_before_when_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = JsonLines(tmp_path / "a.jsonl")
    lines.append([{"a": 1}])

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(DiskError, match="full"):
        patch.setattr(os, "fsync", full)
        lines.append([{"a": 2}])
    assert lines.read() == [{"a": 1}]


def test_bad_json_names_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": 1}\n\nnonsense\n')
    with pytest.raises(InputError, match=r"a\.jsonl:3: not JSON"):
        list(read_jsonl(path))
    with pytest.raises(InputError, match="can't be read: No such file"):
        list(read_jsonl(tmp_path / "none.jsonl"))


def test_registry_names_what_there_is() -> None:
    registry = Registry("agent", closed_book="scrubjay.core.nouns:Question")
    assert registry.get("closed-book").__name__ == "Question"
    with pytest.raises(UnknownName, match=r"did you mean 'closed-book'.*known: closed-book"):
        registry.get("closedbook")

    @registry.register("mine")
    class Mine: ...

    assert list(registry) == ["closed-book", "mine"]
    assert registry.get("mine") is Mine
    with pytest.raises(ValueError, match="registered already"):
        registry.register("mine")(object())


def test_another_package_adds_to_a_registry(tmp_path: Path) -> None:
    (tmp_path / "jaybird.py").write_text("class Bird: name = 'bird'\nraise_ = 1\n")
    info = tmp_path / "jaybird-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: jaybird\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[scrubjay.agents]\nbird = jaybird:Bird\nbroken = jaybird:Missing\n"
    )
    code = (
        "from scrubjay.agents import AGENTS\n"
        "print('bird' in AGENTS, AGENTS.get('bird').name)\n"
        "from scrubjay.core import ScrubjayError\n"
        "try: AGENTS.get('broken')\n"
        "except ScrubjayError as e: print(e)\n"
    )
    out = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert out[0] == "True bird"
    assert out[1].startswith("the agent 'broken' comes from another package that fails to load")


STEPS = [
    Generated("p", "t", ("d1",), -0.5, cost=Cost(10, 2, calls=1, seconds=0.5)),
    Chose("p", ("a", "b"), 1, (0.25, 0.75), cost=Cost(5, calls=1)),
    Scored("p", ("a",), (-1.0,), cost=Cost(tokens_in=3, calls=1)),
    Searched("q", ("d1", "d2"), ("D1", "D2"), (2.0, 1.0), ("d1", "d2"), cost=Cost(searches=1)),
    Searched("r", ("d2", "d3"), ("D2", "D3"), (2.0, 1.0), ("d2", "d3"), cost=Cost(searches=1)),
    Read(("d1",), ("D1",)),
    Moved("click", "d1", "d2", cost=Cost(moves=1)),
    Noted("stopped"),
]


def test_a_trace_adds_costs_up_and_survives_json() -> None:
    trace = Trace(list(STEPS))
    assert trace.cost == Cost(18, 2, calls=3, searches=2, moves=1, seconds=0.5)
    assert trace.cost.tokens == 20
    assert trace.retrieved == ("d1", "d2", "d3")
    assert Trace.from_list(json.loads(dump_json(trace.to_list()))) == trace


def test_steps_say_which_source_they_opened() -> None:
    opened = [s.opened for s in STEPS]
    assert opened == ["context", "memory", "memory", "world", "world", "context", "world", ""]


@pytest.mark.parametrize(
    ("held", "verdict"),
    [
        ((True, True), Verdict.REPRODUCED),
        ((True, False), Verdict.PARTLY),
        ((False,), Verdict.NOT_REPRODUCED),
        ((), Verdict.NONE),
    ],
)
def test_the_verdict_follows_from_the_claims(held: tuple[bool, ...], verdict: Verdict) -> None:
    finding = Finding("x", {"a": Number(1.0, 0.5, 1.5, 9)}, tuple(Claim("c", h) for h in held))
    assert finding.verdict is verdict
    assert Finding.from_dict(json.loads(dump_json(finding.to_dict()))) == finding


def test_a_passage_is_its_own_document_unless_told() -> None:
    assert Passage("p", "text").document == "p"
    assert Passage("p", "text", document="d").document == "d"


@given(st.lists(st.integers(0, 5), min_size=1, max_size=40), st.integers(1, 9))
def test_coalescer_batches_what_is_asked_together(delays: list[int], most: int) -> None:
    batches: list[list[int]] = []

    def work(items: list[int]) -> list[int]:
        batches.append(list(items))
        return [i * i for i in items]

    async def ask(front: Coalescer[int, int], i: int) -> int:
        return await front(i) + await front(-i)

    async def run() -> list[int]:
        front: Coalescer[int, int] = Coalescer(work, most=most)
        return await asyncio.gather(*(ask(front, i) for i in range(len(delays))))

    assert asyncio.run(run()) == [2 * i * i for i in range(len(delays))]
    n = len(delays)
    assert sum(map(len, batches)) == 2 * n
    assert len(batches) <= 2 * -(-n // most) + 1
    first = list(batches)
    batches.clear()
    asyncio.run(run())
    assert batches == first


@pytest.mark.parametrize(("wait", "seen"), [(settled, 12), (quiet, 0)])
def test_who_waits_until_all_is_settled_sees_what_coalescers_lead_to(wait, seen: int) -> None:
    async def run() -> int:
        front: Coalescer[int, int] = Coalescer(list)
        asked: list[int] = []

        async def ask() -> None:
            for i in range(3):
                asked.append(await front(i))

        tasks = [asyncio.create_task(ask()) for _ in range(4)]
        await wait(lambda: len(asked))
        found = len(asked)
        await asyncio.gather(*tasks)
        return found

    assert asyncio.run(run()) == seen


def test_coalescer_passes_errors_to_everyone_waiting() -> None:
    def work(_: object) -> list[int]:
        raise ScrubjayError("no")

    async def run() -> list[object]:
        front: Coalescer[int, int] = Coalescer(work)
        return await asyncio.gather(front(1), front(2), return_exceptions=True)

    assert [str(e) for e in asyncio.run(run())] == ["no", "no"]


def test_import_is_light() -> None:
    heavy = [
        "torch",
        "transformers",
        "numpy",
        "scipy",
        "lancedb",
        "typer",
        "rich",
        "httpx",
        "pandas",
    ]
    code = (
        "import sys, scrubjay, scrubjay.core, scrubjay.agents, scrubjay.models, scrubjay.worlds\n"
        f"print([m for m in {heavy} if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_a_folder_goes_on_with_its_settings_only(tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    begin(file, {"a": {"b": (1, 2)}, "c": 0})
    kept = file.read_bytes()
    begin(file, {"c": 0, "a": {"b": [1, 2]}})
    with pytest.raises(RunMismatch, match=r"made with a\.b = \[1, 2\], not \[1\]"):
        begin(file, {"a": {"b": [1]}, "c": 1})
    assert file.read_bytes() == kept
    file.write_text("{")
    with pytest.raises(InputError, match="can't be read as settings"):
        begin(file, {"a": 1})


def test_a_folder_belongs_to_one_process_at_a_time(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path; from scrubjay.core.folders import locked\n"
        f"with locked(Path({str(tmp_path)!r})): print('mine')"
    )

    def other() -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    with locked(tmp_path):
        assert "another process is writing" in other().stderr
    assert other().stdout == "mine\n"


def test_arrays_come_back_and_anything_else_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.npz"
    save_arrays(file, {"x": np.arange(3), "y": np.array(0.5)})
    assert load_arrays(file)["x"].tolist() == [0, 1, 2]
    whole = file.read_bytes()
    pickled = tmp_path / "p.npz"
    np.savez(pickled, x=np.array([{}], dtype=object), allow_pickle=True)
    for spoilt in (b"", b"no", whole[:-30], pickled.read_bytes()):
        file.write_bytes(spoilt)
        with pytest.raises(InputError, match="not a whole file of arrays"):
            load_arrays(file)
    with pytest.raises(InputError, match="not a whole file"):
        load_arrays(tmp_path / "none.npz")
