"""A list of jobs over a few processes of one thread each: two small trainings on two cores.

Jobs keep what they made in files of their own and skip it when it is there: a killed run goes on.
A worker whose parent was killed stops at its next report.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.sharedctypes import Synchronized, SynchronizedArray
from typing import Any

from scrubjay.core.errors import ScrubjayError

Report = Callable[[int], None]
"""Called by a job with the steps it has done so far."""


@contextmanager
def one_thread() -> Iterator[None]:
    """torch on one thread inside the block: the same sums on every machine, and no core waits for
    another when two trainings share a machine."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def run_parallel(
    work: Callable[[Any, Report], None],
    jobs: Sequence[Any],
    report: Report,
    *,
    workers: int | None = None,
) -> None:
    """``work(job, report)`` for every job; ``report`` hears the steps of all jobs together.

    Args:
        work: a function of a module (processes are spawned, not forked).
        workers: processes; by default one a core. 1 works in this process.

    Raises:
        ScrubjayError: a worker ended before its work.
    """
    workers = min(workers or os.cpu_count() or 1, len(jobs))
    if workers <= 1:
        _inline(work, jobs, report)
        return
    context = get_context("spawn")
    following: Synchronized[int] = context.Value("q", 0)
    steps: SynchronizedArray[int] = context.Array("q", len(jobs))
    processes = [
        context.Process(
            target=_worker, args=(work, jobs, following, steps, os.getpid()), daemon=True
        )
        for _ in range(workers)
    ]
    for process in processes:
        process.start()
    try:
        while any(p.is_alive() for p in processes) and not any(p.exitcode for p in processes):
            report(sum(steps[:]))
            time.sleep(0.5)
        report(sum(steps[:]))
        failed = next((p.exitcode for p in processes if p.exitcode), None)
    finally:
        for process in processes:
            process.terminate()
            process.join()
    if failed is not None:
        raise ScrubjayError(
            f"a worker of this study stopped (exit code {failed}); what is finished is kept, run "
            "the same command again to go on"
        )


def _inline(work: Callable[[Any, Report], None], jobs: Sequence[Any], report: Report) -> None:
    steps = [0] * len(jobs)
    for number, job in enumerate(jobs):

        def heard(done: int, number: int = number) -> None:
            steps[number] = done
            report(sum(steps))

        with one_thread():
            work(job, heard)


def _worker(
    work: Callable[[Any, Report], None],
    jobs: Sequence[Any],
    following: Synchronized[int],
    steps: SynchronizedArray[int],
    parent: int,
) -> None:
    while True:
        with following.get_lock():
            number = following.value
            following.value += 1
        if number >= len(jobs):
            return

        def heard(done: int, number: int = number) -> None:
            if os.getppid() != parent:
                os._exit(1)
            steps[number] = done

        with one_thread():
            work(jobs[number], heard)
