"""HTTP to a model server: one address, a cap on concurrent requests, retries, plain errors.

Everything that can go wrong on the way comes out as a ``ModelError`` with one sentence. A refusal
that the caller may act on (a field the server doesn't know, a missing route) is a ``Refused``.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

import httpx

from scrubjay.core.errors import ModelError
from scrubjay.models.retry import BUSY, Patience, retry_after


class Refused(ModelError):
    """The server understood and said no: status 4xx or 501, and what it said."""

    def __init__(self, sentence: str, status: int, message: str) -> None:
        super().__init__(sentence)
        self.status, self.message = status, message


@dataclass(frozen=True, slots=True)
class _Failure:
    """An attempt that may go better next time."""

    reason: str
    """Completes 'the server at URL …'."""
    wait: float | None = None
    """Seconds the server asked for."""


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
        self.patience = patience or Patience()
        self._key, self._sleep, self._concurrency = key, sleep, max(1, concurrency)
        self._loopback = parts.hostname in ("localhost", "127.0.0.1", "::1")
        self._answered = False
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
        raw = json.dumps(body, sort_keys=True).encode()
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
            timeout = httpx.Timeout(self.patience.read, connect=self.patience.connect, pool=None)
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
            left, attempt = patience.seconds, 0
            while True:
                began = time.monotonic()
                result = await self._attempt(client, method, url, raw, left)
                if not isinstance(result, _Failure):
                    return result
                wait = patience.wait(attempt, f"{route} {raw!r}", result.wait)
                left -= time.monotonic() - began + wait
                attempt += 1
                if attempt >= patience.attempts or left <= 0.0:
                    break
                await self._sleep(wait)
        asked = f", and asks to wait {result.wait:.0f} s" if result.wait else ""
        raise ModelError(
            f"the server at {self.url} {result.reason}{asked}; gave up after {attempt} "
            f"attempt{'s' if attempt > 1 else ''}"
        )

    async def _attempt(
        self, client: httpx.AsyncClient, method: str, url: str, raw: bytes | None, seconds: float
    ) -> dict[str, Any] | _Failure:
        headers = {"Content-Type": "application/json"} if raw is not None else {}
        try:
            async with asyncio.timeout(seconds):
                reply = await client.request(method, url, content=raw, headers=headers)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            what = "no answer" if isinstance(error, httpx.TimeoutException) else _one_line(error)
            if not self._answered:
                raise ModelError(
                    f"nothing answers at {self.url} ({what}): is the server running, and is the "
                    "address right?"
                ) from error
            return _Failure(f"went away ({what})")
        except (httpx.TimeoutException, TimeoutError):
            return _Failure(f"gave no answer within {min(seconds, self.patience.read):.3g} s")
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise ModelError(f"'{self.url}' is not an address: {_one_line(error)}") from error
        except httpx.RequestError:
            return _Failure("broke the connection in the middle of an answer")
        self._answered = True
        return self._judge(reply)

    def _judge(self, reply: httpx.Response) -> dict[str, Any] | _Failure:
        status, said = reply.status_code, self._said(reply)
        quota = "insufficient_quota" in reply.text
        if status in BUSY and not quota:
            wait = retry_after(reply.headers.get("Retry-After"), time.time())
            return _Failure(f"is busy or failing (status {status}: {said})", wait)
        if status in (401, 403):
            problem = "refuses the API key" if self._key else "wants an API key"
            raise ModelError(
                f"the server at {self.url} {problem} (status {status}); set the environment "
                "variable SCRUBJAY_API_KEY"
            )
        if 300 <= status < 400:
            target = urlsplit(reply.headers.get("Location", "elsewhere"))._replace(query="")
            raise ModelError(
                f"the server at {self.url} redirects to {target.geturl()}; give that address"
            )
        if status >= 400:
            raise Refused(
                f"the server at {self.url} refused the request (status {status}): {said}",
                status,
                said,
            )
        try:
            value = reply.json()
        except (ValueError, RecursionError):
            if reply.text.lstrip().startswith("{"):
                return _Failure("sent only part of an answer")
            raise ModelError(
                f"the server at {self.url} doesn't answer in JSON but with {said!r}: is this the "
                "address of an OpenAI-compatible API (it usually ends in /v1)?"
            ) from None
        if not isinstance(value, dict):
            raise ModelError(f"the server at {self.url} answers with JSON that is no object")
        if value.get("error"):
            raise Refused(f"the server at {self.url} reports: {said}", status, said)
        return value

    def _said(self, reply: httpx.Response) -> str:
        """What an error reply says, in one short line without the key."""
        try:
            value = reply.json()
            error = value.get("error", value.get("detail", value))
            text = error.get("message", error) if isinstance(error, dict) else error
        except (ValueError, AttributeError, RecursionError):
            text = reply.text
        line = _one_line(text)
        return line.replace(self._key, "…") if self._key else line


def _one_line(text: object, most: int = 200) -> str:
    """Any text as one printable line of at most ``most`` characters."""
    line = re.sub(r"[\s\x00-\x1f\x7f]+", " ", str(text)).strip() or "no reason given"
    return line if len(line) <= most else line[: most - 1] + "…"
