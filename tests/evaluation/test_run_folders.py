"""Run folders: what is recorded stays, what is torn goes, and every refusal is one sentence."""

import errno
import json
import multiprocessing
import os
import resource
import signal

import pytest

from scrubjay.core.errors import DiskError, InputError, RunMismatch, ScrubjayError
from scrubjay.core.trace import Generated, Trace
from scrubjay.evaluation.runs import Record, Run

SETTINGS = {"model": "m", "questions": 3, "tasks": ["recall"], "deep": {"a": 1}}


def records(n, setting="closed-book", world="real"):
    trace = Trace([Generated("p", "é\u2028\n", ("d1",), -0.5)])
    return [
        Record(
            setting,
            world,
            f"q{i}",
            "recall",
            "capital",
            "?",
            ("x", "y"),
            "x",
            {"f1": 0.5},
            index=i,
            path=("a", "b"),
            steps=tuple(trace.to_list()),
        )
        for i in range(n)
    ]


def one_sentence(error):
    text = str(error.value)
    return text and "\n" not in text and "Traceback" not in text


def test_what_was_added_is_read_back(tmp_path):
    with Run.open(tmp_path / "r", SETTINGS) as run:
        run.add("a", records(3))
        assert run.done("a")
        assert not run.done("b")
        kept = run.records()
    again = Run.load(tmp_path / "r")
    assert again.records() == kept == records(3)
    assert again.records()[0].trace.steps == [Generated("p", "é\u2028\n", ("d1",), -0.5)]
    assert again.settings == SETTINGS
    assert again.done("a")


def test_records_come_in_an_order_of_their_own(tmp_path):
    with Run.open(tmp_path / "one", {}) as one, Run.open(tmp_path / "two", {}) as two:
        one.add("a", records(2))
        one.add("b", records(2, world="twin-0"))
        two.add("b", records(2, world="twin-0"))
        two.add("a", records(2))
        assert one.records() == two.records()


def test_what_json_cannot_hold_is_recorded_all_the_same(tmp_path):
    odd = Record(
        "s", "real", "q", "t", "g", "?", (), "a\ud800", {"f1": 0.0}, confidence=float("nan")
    )
    with Run.open(tmp_path / "r", {}) as run:
        run.add("a", [odd])
        live = run.records()
    assert Run.load(tmp_path / "r").records() == live
    assert (live[0].prediction, live[0].confidence) == ("a?", None)


@pytest.mark.parametrize("cut", [1, 30, 600, 900])
def test_an_unfinished_chunk_is_dropped_whole(tmp_path, cut):
    path = tmp_path / "r" / "answers.jsonl"
    with Run.open(tmp_path / "r", {}) as run:
        run.add("a", records(3))
        whole = path.read_bytes()
        run.add("b", records(3, world="twin-0"))
    path.write_bytes(path.read_bytes()[:-cut])  # killed while it wrote the second chunk
    assert len(Run.load(tmp_path / "r").records()) == 3
    with Run.open(tmp_path / "r", {}) as run:
        assert run.done("a")
        assert not run.done("b")
        assert path.read_bytes() == whole
        run.add("b", records(3, world="twin-0"))
    assert len(Run.load(tmp_path / "r").records()) == 6


@pytest.mark.parametrize(
    ("other", "named"),
    [
        ({"questions": 4}, "questions = 3, not 4"),
        ({"model": "other"}, 'model = "m", not "other"'),
        ({"deep": {"a": 2}}, "deep.a = 1, not 2"),
        ({"new": True}, "new = null, not true"),
        ({"tasks": ["recall", "multihop"]}, 'tasks = ["recall"], not ["recall", "multihop"]'),
    ],
)
def test_a_folder_of_other_settings_is_refused_and_untouched(tmp_path, other, named):
    with Run.open(tmp_path / "r", SETTINGS) as run:
        run.add("a", records(1))
    before = {p.name: p.read_bytes() for p in (tmp_path / "r").iterdir()}
    with pytest.raises(RunMismatch) as error:
        Run.open(tmp_path / "r", {**SETTINGS, **other})
    assert named in str(error.value)
    assert one_sentence(error)
    assert {p.name: p.read_bytes() for p in (tmp_path / "r").iterdir()} == before


def test_tuples_and_lists_are_the_same_setting(tmp_path):
    Run.open(tmp_path / "r", {"tasks": ("a", "b")}).close()
    Run.open(tmp_path / "r", {"tasks": ["a", "b"]}).close()


def test_versions_are_kept_and_added_to_when_they_change(tmp_path, monkeypatch):
    Run.open(tmp_path / "r", {}).close()
    Run.open(tmp_path / "r", {}).close()
    manifest = json.loads((tmp_path / "r" / "run.json").read_text())
    assert len(manifest["versions"]) == 1
    assert {"scrubjay", "python", "torch", "transformers"} <= set(manifest["versions"][0])
    monkeypatch.setattr("scrubjay.evaluation.runs.__version__", "99")
    Run.open(tmp_path / "r", {}).close()
    later = json.loads((tmp_path / "r" / "run.json").read_text())
    assert [v["scrubjay"] for v in later["versions"]][1:] == ["99"]
    assert later["created"] == manifest["created"]


def _try_to_open(folder, queue):
    try:
        Run.open(folder, {}).close()
        queue.put("opened")
    except ScrubjayError as error:
        queue.put(str(error))


def test_two_processes_cannot_write_one_run(tmp_path):
    context = multiprocessing.get_context("fork")
    queue = context.Queue()

    def attempt():
        process = context.Process(target=_try_to_open, args=(tmp_path / "r", queue))
        process.start()
        said = queue.get(timeout=30)
        process.join()
        return said

    with Run.open(tmp_path / "r", {}):
        said = attempt()
        assert "another process is writing" in said
        assert "\n" not in said
    assert attempt() == "opened"


def test_no_run_and_broken_runs_are_named(tmp_path):
    with pytest.raises(InputError, match="holds no run"):
        Run.load(tmp_path)
    with pytest.raises(InputError, match="holds no run"):
        Run.load(tmp_path / "nowhere")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "run.json").write_text("{")
    with pytest.raises(InputError, match=r"run.json: not the manifest"):
        Run.open(tmp_path / "a", {})
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "answers.jsonl").write_text("")
    with pytest.raises(RunMismatch, match=r"no run\.json"):
        Run.open(tmp_path / "b", {})
    with Run.open(tmp_path / "c", {}) as run:
        run.add("x", records(1))
    with open(tmp_path / "c" / "answers.jsonl", "a") as file:
        file.write("[]\n")
    with pytest.raises(InputError, match=r"answers.jsonl:2: not a record") as error:
        Run.load(tmp_path / "c")
    assert one_sentence(error)
    (tmp_path / "file").write_text("")
    with pytest.raises(ScrubjayError) as error:
        Run.open(tmp_path / "file", {})
    assert one_sentence(error)


def test_a_failed_opening_lets_go_of_the_lock(tmp_path):
    Run.open(tmp_path / "r", {"a": 1}).close()
    with pytest.raises(RunMismatch):
        Run.open(tmp_path / "r", {"a": 2})
    Run.open(tmp_path / "r", {"a": 1}).close()


def test_chunks_are_added_once_and_never_empty(tmp_path):
    with Run.open(tmp_path / "r", {}) as run:
        run.add("a", records(1))
        for chunk, rows in (("a", records(1)), ("b", [])):
            with pytest.raises(ValueError, match="can't add"):
                run.add(chunk, rows)
    with pytest.raises(ValueError, match="can't add"):
        Run.load(tmp_path / "r").add("c", records(1))


@pytest.mark.parametrize("room", [0, 10, 3000])
def test_a_file_system_without_room_leaves_a_run_that_goes_on(tmp_path, room):
    path = tmp_path / "r" / "answers.jsonl"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with Run.open(tmp_path / "r", {}) as run:
        run.add("a", records(2))
        before = path.read_bytes()
        try:
            # The kernel takes `room` more bytes and refuses the rest, in the middle of the chunk.
            resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + room, limits[1]))
            with pytest.raises(DiskError) as error:
                run.add("b", records(40))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            signal.signal(signal.SIGXFSZ, handler)
        assert one_sentence(error)
        assert path.read_bytes() == before
        assert not run.done("b")
        run.add("b", records(40))
    assert len(Run.load(tmp_path / "r").records()) == 42


def test_a_full_disk_is_said_in_one_sentence(tmp_path, monkeypatch):
    with Run.open(tmp_path / "r", {}) as run:

        def full(_):
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(DiskError, match="is full; free some space and run the same") as e:
                run.add("a", records(2))
        assert one_sentence(e)
        assert (tmp_path / "r" / "answers.jsonl").read_bytes() == b""
        run.add("a", records(2))
    assert len(Run.load(tmp_path / "r").records()) == 2
