"""Jobs over processes: every job once, steps added up, failures told."""

import os
from pathlib import Path

import pytest

from scrubjay.core.errors import ScrubjayError
from scrubjay.studies.parallel import Report, run_parallel


def write(path: Path, report: Report) -> None:
    report(1)
    path.write_text(str(os.getpid()))
    report(2)


def break_down(path: Path, report: Report) -> None:
    raise SystemExit(3)


def test_inline_work_reports_the_steps_of_all_jobs_together(tmp_path: Path) -> None:
    heard: list[int] = []
    jobs = [tmp_path / str(n) for n in range(3)]
    run_parallel(write, jobs, heard.append, workers=1)
    assert heard == [1, 2, 3, 4, 5, 6]
    assert {p.read_text() for p in jobs} == {str(os.getpid())}


def test_every_job_is_done_once_by_other_processes(tmp_path: Path) -> None:
    heard: list[int] = []
    jobs = [tmp_path / str(n) for n in range(3)]
    run_parallel(write, jobs, heard.append, workers=2)
    assert heard[-1] == 6
    assert heard == sorted(heard)
    assert str(os.getpid()) not in {p.read_text() for p in jobs}


def test_a_worker_that_ends_early_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ScrubjayError, match="exit code 3"):
        run_parallel(break_down, [tmp_path / "a", tmp_path / "b"], lambda done: None, workers=2)
