"""What a server's HTTP answer means: an object, a failure that may pass, or an error.

    200 + JSON object               the object
    200 + half an object            try again
    200 + anything else             an error at once; from a server that has spoken JSON, try again
    408 429 5xx                     try again (not when the money is used up)
    401 403, 3xx, other 4xx         an error at once

A reply is whatever bytes came: it is read as UTF-8 JSON whatever its headers say, and what it says
is shown as one short printable line without the API key.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from scrubjay.core.errors import ModelError
from scrubjay.models.retry import BUSY, retry_after

LARGEST = 32_000_000
"""Bytes of an answer, unpacked; no honest one is that long."""


class Away(ModelError):
    """The server can't answer now: gone, silent, or asked too often."""


class Refused(ModelError):
    """The server understood and said no: status 4xx or 501, and what it said."""

    def __init__(self, sentence: str, status: int, message: str) -> None:
        super().__init__(sentence)
        self.status, self.message = status, message


@dataclass(frozen=True, slots=True)
class Failure:
    """An attempt that may go better next time."""

    reason: str
    """Completes 'the server at URL …'."""
    wait: float | None = None
    """Seconds the server asked for."""
    kind: Literal["broken", "gone", "silent", "often"] = "broken"


class Answer(NamedTuple):
    """What came over the wire, whatever it is."""

    status: int
    headers: Mapping[str, str]
    raw: bytes

    @property
    def text(self) -> str:
        """The body as far as it is text: JSON is UTF-8, whatever a header says."""
        return self.raw.decode("utf-8", "replace")


def judge(reply: Answer, url: str, key: str | None, understood: bool) -> dict[str, Any] | Failure:
    """The JSON object that ``reply`` of the server at ``url`` holds, or why to try again.

    ``understood``: the server has spoken JSON before.

    Raises:
        Refused: it says no.
        ModelError: it wants a key, is elsewhere, or answers nonsense.
    """
    status = reply.status
    if status < 300:
        return _object(reply, url, key, understood)
    said = _said(reply, key)
    if status in BUSY and b"insufficient_quota" not in reply.raw:
        wait = retry_after(reply.headers.get("Retry-After"), time.time())
        reason = f"is busy or failing (status {status}: {said})"
        return Failure(reason, wait, "often" if status == 429 else "broken")
    if status in (401, 403):
        problem = "refuses the API key" if key else "wants an API key"
        raise ModelError(
            f"the server at {url} {problem} (status {status}); set the environment "
            "variable SCRUBJAY_API_KEY"
        )
    if status < 400:
        target = one_line(reply.headers.get("Location", "elsewhere")).partition("?")[0]
        raise ModelError(f"the server at {url} redirects to {target}; give that address")
    raise Refused(
        f"the server at {url} refused the request (status {status}): {said}", status, said
    )


def _object(reply: Answer, url: str, key: str | None, understood: bool) -> dict[str, Any] | Failure:
    """The JSON object that a successful answer is."""
    try:
        value = json.loads(reply.raw)
    except (ValueError, RecursionError):
        if reply.raw.lstrip().startswith(b"{"):
            return Failure("sent an answer that is cut off or damaged")
        said = _said(reply, key)
        if understood:  # a proxy's page, most likely: the server itself knows better
            return Failure(f"answers no longer in JSON but with {said!r}")
        raise ModelError(
            f"the server at {url} doesn't answer in JSON but with {said!r}: is this the "
            "address of an OpenAI-compatible API (it usually ends in /v1)?"
        ) from None
    if not isinstance(value, dict):
        raise ModelError(f"the server at {url} answers with JSON that is no object")
    if value.get("error"):
        said = _said(reply, key)
        raise Refused(f"the server at {url} reports: {said}", reply.status, said)
    return value


def _said(reply: Answer, key: str | None) -> str:
    """What an error reply says, in one short line without the key."""
    try:
        value = json.loads(reply.raw)
        error = value.get("error", value.get("detail", value))
        text = str(error.get("message", error) if isinstance(error, dict) else error)
    except (ValueError, AttributeError, RecursionError):
        text = reply.text
    return one_line(text.replace(key, "…") if key else text)


def one_line(text: object, most: int = 200) -> str:
    """Any text as one printable line of at most ``most`` characters."""
    shown = str(text)[: 8 * most].encode("utf-8", "replace").decode()
    shown = "".join(c if c.isprintable() else " " for c in shown)
    line = " ".join(shown.split()) or "no reason given"
    return line if len(line) <= most else line[: most - 1] + "…"
