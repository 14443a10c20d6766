"""Coroutines ask one by one; the work is done together.

``quiet`` waits until every coroutine that can run has run and asked for what it wants. What is
asked for at the same moment then becomes one batch. Who has long work to do waits with ``settled``
until all coalescers are done, too, for what they answer (a search) leads to new requests (a prompt
with what was found). Nothing here depends on the clock, so the same coroutines always form the same
batches: that is what makes a batched run repeatable to the bit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar
from weakref import WeakSet

T = TypeVar("T")
R = TypeVar("R")

PASSES = 4
"""Turns of the event loop without a new request that count as quiet: a woken coroutine needs up to
three to come back with its next request (future, task, ``gather``)."""


async def quiet(count: Callable[[], int]) -> None:
    """Return when ``count()`` has not changed for ``PASSES`` turns of the event loop."""
    calm, before = 0, count()
    while calm < PASSES:
        await asyncio.sleep(0)
        now = count()
        calm, before = (calm + 1, before) if now == before else (0, now)


_working: WeakSet[asyncio.Task[None]] = WeakSet()
"""What coalescers are doing, in all event loops."""


async def settled(count: Callable[[], int]) -> None:
    """Return when it is ``quiet`` and no coalescer of this event loop has anything to do."""
    loop = asyncio.get_running_loop()
    await quiet(count)
    while any(not task.done() and task.get_loop() is loop for task in list(_working)):
        await quiet(count)


class Coalescer(Generic[T, R]):
    """Awaitable front of a batch function: ``await coalescer(item)`` joins the next batch.

    ``work`` gets the items in the order they were asked for and returns one result each; an error
    it raises reaches everybody in that batch.
    """

    def __init__(self, work: Callable[[Sequence[T]], Sequence[R]], *, most: int = 256) -> None:
        self._work, self._most = work, most
        self._waiting: list[tuple[T, asyncio.Future[R]]] = []
        self._running: asyncio.Task[None] | None = None
        self._asked = 0

    async def __call__(self, item: T) -> R:
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        self._asked += 1
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run())
            _working.add(self._running)
        return await future

    async def _run(self) -> None:
        while self._waiting:
            await quiet(lambda: self._asked)
            batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
            try:
                results = self._work([item for item, _ in batch])
            except Exception as error:
                results = None
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
            for (_, future), result in zip(batch, results or ()):
                if not future.done():
                    future.set_result(result)
