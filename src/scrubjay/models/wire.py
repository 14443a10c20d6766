"""HTTP to a model server: one address, a cap on concurrent requests, retries, plain errors.

Everything that can go wrong on the way comes out as a ``ModelError`` with one sentence. A refusal
that the caller may act on (a field the server doesn't know, a missing route) is a ``Refused``; a
server that has gone, fallen silent or had enough is ``Away``, which says nothing about what it can.
Whatever a server sends is read to at most ``LARGEST`` bytes and shown as one printable line.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

import httpx

from scrubjay.core.errors import ModelError
from scrubjay.models.retry import Patience
from scrubjay.models.verdict import LARGEST, Answer, Failure, judge, one_line
from scrubjay.models.verdict import Away as Away
from scrubjay.models.verdict import Refused as Refused


class Wire:
    """JSON in, JSON out, at ``url`` + route. Usable from any event loop; ``close`` it in its loop.

    ``sleep`` waits between attempts; tests replace it.

    Raises:
        ModelError: the address is not one, or carries a password.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        concurrency: int = 8,
        patience: Patience | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        try:
            parts = urlsplit(url)
            usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1)
        except ValueError:
            usable = False
        if not usable:
            raise ModelError(f"'{url}' is not an address; write http://host:port/v1 or https://…")
        if "@" in parts.netloc:
            raise ModelError(
                "an endpoint's address may not hold a password; put the key into the environment "
                "variable SCRUBJAY_API_KEY"
            )
        self._base = parts._replace(path=parts.path.rstrip("/"), fragment="")
        self.url = self._base._replace(query="").geturl()
        """The address as shown in messages (without its query, which may hold a secret)."""
        self.patience = patience or Patience.from_environment()
        if key and not (key.isascii() and key.isprintable()):
            raise ModelError("SCRUBJAY_API_KEY holds characters that no API key has")
        self._key, self._sleep, self._concurrency = key, sleep, max(1, concurrency)
        self._loopback = parts.hostname in ("localhost", "127.0.0.1", "::1")
        self._answered = self._understood = False
        self._heard = 0.0
        """When the server last sent anything."""
        self._clients: WeakKeyDictionary[
            asyncio.AbstractEventLoop, tuple[httpx.AsyncClient, asyncio.Semaphore]
        ] = WeakKeyDictionary()

    @property
    def identity(self) -> str:
        """The whole address, for hashing."""
        return self._base.geturl()

    async def post(
        self, route: str, body: Mapping[str, Any], *, root: bool = False
    ) -> dict[str, Any]:
        """The server's JSON object for ``body``; ``root`` leaves /v1 out of the address.

        Raises:
            Refused: it says no to this request (400, 404, 422, …).
            ModelError: it can't be reached, wants a key, stays busy, or answers nonsense.
        """
        # Half a character is replaced: many servers refuse it.
        raw = json.dumps(body, sort_keys=True, ensure_ascii=False).encode("utf-8", "replace")
        return await self._persist("POST", route, raw, self.patience, root=root)

    async def get(self, route: str, patience: Patience | None = None) -> dict[str, Any]:
        """The server's JSON object at ``route``; raises as ``post`` does."""
        return await self._persist("GET", route, None, patience or self.patience)

    @contextmanager
    def hurry(self, seconds: float) -> Iterator[None]:
        """Less patience inside the block: at most ``seconds`` a request."""
        patience = self.patience
        self.patience = replace(patience, seconds=min(seconds, patience.seconds))
        try:
            yield
        finally:
            self.patience = patience

    async def close(self) -> None:
        """Close this event loop's connections."""
        client, _ = self._clients.pop(asyncio.get_running_loop(), (None, None))
        if client is not None:
            await client.aclose()

    def _here(self) -> tuple[httpx.AsyncClient, asyncio.Semaphore]:
        """Client and cap of the running event loop: neither may be shared between loops."""
        loop = asyncio.get_running_loop()
        if loop not in self._clients:
            headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
            # Silence is the whole server's, see ``_heard_out``.
            timeout = httpx.Timeout(None, connect=self.patience.connect)
            limits = httpx.Limits(max_connections=self._concurrency)
            client = httpx.AsyncClient(
                headers=headers, timeout=timeout, limits=limits, trust_env=not self._loopback
            )
            self._clients[loop] = client, asyncio.Semaphore(self._concurrency)
        return self._clients[loop]

    async def _persist(
        self,
        method: str,
        route: str,
        raw: bytes | None,
        patience: Patience,
        *,
        root: bool = False,
    ) -> dict[str, Any]:
        client, slots = self._here()
        path = self._base.path.removesuffix("/v1") if root else self._base.path
        url = self._base._replace(path=path + route).geturl()
        async with slots:
            left, attempt, stalls = patience.seconds, 0, 0
            while True:
                began = time.monotonic()
                result = await self._attempt(client, method, url, raw, patience, left)
                if not isinstance(result, Failure):
                    return result
                wait = patience.wait(attempt, f"{route} {raw!r}", result.wait)
                left -= time.monotonic() - began + wait
                attempt, stalls = attempt + 1, stalls + (result.kind == "silent")
                most = patience.attempts * (2 if result.kind == "often" else 1)
                if attempt >= most or stalls >= patience.stalls or left <= 0.0:
                    break
                await self._sleep(wait)
        asked = f", and asks to wait {result.wait:.0f} s" if result.wait else ""
        raise (ModelError if result.kind == "broken" else Away)(
            f"the server at {self.url} {result.reason}{asked}; gave up after {attempt} "
            f"attempt{'s' if attempt > 1 else ''}"
        )

    async def _attempt(
        self,
        client: httpx.AsyncClient,
        method: str,
        url: str,
        raw: bytes | None,
        patience: Patience,
        seconds: float,
    ) -> dict[str, Any] | Failure:
        """One request, to its answer or to the reason why there is none."""
        try:
            async with asyncio.timeout(seconds):
                answer = await self._heard_out(client, method, url, raw, patience.read)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            what = "no answer" if isinstance(error, httpx.TimeoutException) else one_line(error)
            if not self._answered:
                raise Away(
                    f"nothing answers at {self.url} ({what}): is the server running, and is the "
                    "address right?"
                ) from error
            return Failure(f"went away ({what})", kind="gone")
        except (httpx.TimeoutException, TimeoutError):
            quiet = f"gave no answer within {min(seconds, patience.read):.3g} s"
            return Failure(f"{quiet} (SCRUBJAY_PATIENCE sets how long to wait)", kind="silent")
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise ModelError(f"'{self.url}' is not an address: {one_line(error)}") from error
        except httpx.RequestError:
            return Failure("broke the connection in the middle of an answer")
        if answer is None:
            raise ModelError(
                f"the server at {self.url} sends more than {LARGEST / 1e6:.0f} MB for one answer"
            )
        self._answered = True
        judged = judge(answer, self.url, self._key, self._understood)
        self._understood = self._understood or isinstance(judged, dict)
        return judged

    async def _heard_out(
        self, client: httpx.AsyncClient, method: str, url: str, raw: bytes | None, quiet: float
    ) -> Answer | None:
        """The answer (None: too large), unless the whole server is silent for ``quiet`` seconds.

        A server with a queue lets one request wait while it answers others: that is no silence.

        Raises:
            TimeoutError: it was silent.
            httpx.RequestError: the connection failed.
        """
        request = asyncio.ensure_future(self._exchange(client, method, url, raw))
        began = time.monotonic()
        try:
            while (left := max(began, self._heard) + quiet - time.monotonic()) > 0.0:
                await asyncio.wait({request}, timeout=left)
                if request.done():
                    return request.result()
            raise TimeoutError
        finally:
            request.cancel()

    async def _exchange(
        self, client: httpx.AsyncClient, method: str, url: str, raw: bytes | None
    ) -> Answer | None:
        headers = {"Content-Type": "application/json"} if raw is not None else {}
        body = bytearray()
        async with client.stream(method, url, content=raw, headers=headers) as reply:
            async for piece in reply.aiter_bytes():
                self._heard = time.monotonic()
                body += piece
                if len(body) > LARGEST:
                    return None
            self._heard = time.monotonic()
            return Answer(reply.status_code, reply.headers, bytes(body))
