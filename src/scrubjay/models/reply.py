"""Reading what OpenAI-compatible servers send back.

They agree on where the text is and differ in how they give log-probabilities: a list of token
objects (chat, llama.cpp) or parallel lists (completions of OpenAI and vLLM).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scrubjay.core.errors import ModelError
from scrubjay.models.types import Completion, Prompt


@dataclass(frozen=True, slots=True)
class Token:
    """One token of a reply."""

    piece: bytes
    logprob: float | None
    """None where the server gives none (the first token of an echoed prompt)."""
    id: int | None = None
    top: tuple[float, ...] = ()
    """Log-probabilities of the likeliest alternatives at this place."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A server's answer in one shape."""

    text: str
    tokens: tuple[Token, ...]
    reason: str
    """'stop', 'length', or what else ended it."""
    tokens_in: int
    tokens_out: int
    null: bool = False
    """Whether the server sent null for a text, as models do that used up their tokens thinking."""


def read_reply(value: Mapping[str, Any], where: str) -> Reply:
    """The first choice of a reply of the server at ``where``.

    Raises:
        ModelError: it holds no choice, or one that can't be understood.
    """
    try:
        choices = value["choices"]
        if not choices:
            raise ModelError(f"the server at {where} sent an answer without any choice")
        choice = choices[0]
        text = choice["message"]["content"] if "message" in choice else choice["text"]
        if text is not None and not isinstance(text, str):
            raise TypeError
        usage = value.get("usage") or {}
        tokens = _tokens(choice.get("logprobs") or {})
        return Reply(
            # Half a character (a lone surrogate) can be neither stored nor printed.
            (text or "").encode("utf-8", "replace").decode(),
            tokens,
            str(choice.get("finish_reason") or "stop"),
            _count(usage.get("prompt_tokens"), 0),
            _count(usage.get("completion_tokens"), len(tokens)),
            null=text is None,
        )
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        raise ModelError(
            f"the server at {where} sent an answer that isn't in the OpenAI form: is this the "
            "address of an OpenAI-compatible API (it usually ends in /v1)?"
        ) from error


def _tokens(logprobs: Mapping[str, Any]) -> tuple[Token, ...]:
    if logprobs.get("content"):
        return tuple(_token(item) for item in logprobs["content"])
    pieces: Sequence[str] = logprobs.get("tokens") or ()
    values = logprobs.get("token_logprobs") or ()
    tops = logprobs.get("top_logprobs") or [None] * len(pieces)
    return tuple(
        Token(_piece(p), _number(v), top=_top((t or {}).values()))
        for p, v, t in zip(pieces, values, tops)
    )


def _token(item: Mapping[str, Any]) -> Token:
    raw, id = item.get("bytes"), item.get("id")
    piece = bytes(raw) if isinstance(raw, list) else item["token"].encode("utf-8", "replace")
    top = _top(t["logprob"] for t in item.get("top_logprobs") or ())
    return Token(piece, _number(item["logprob"]), id if type(id) is int else None, top)


def _top(values: Iterable[object]) -> tuple[float, ...]:
    """The alternatives' log-probabilities; none where one of them is no such number."""
    numbers = [_number(v) for v in values]
    known = tuple(n for n in numbers if n is not None)
    return known if len(known) == len(numbers) else ()


def _count(value: object, missing: int) -> int:
    """A number of tokens; ``missing`` where the server says none."""
    return max(0, int(value)) if isinstance(value, int | float) and value else missing


def _piece(text: str) -> bytes:
    """OpenAI writes a token that is no whole character as 'bytes:\\xe2\\x96'."""
    if text.startswith("bytes:"):
        try:
            return bytes.fromhex(text.removeprefix("bytes:").replace("\\x", ""))
        except ValueError:
            pass
    return text.encode("utf-8", "replace")


def _number(value: object) -> float | None:
    """A log-probability; None for what can't be one (NaN, infinite, well above zero).

    Some servers round: a trifle above zero is zero.
    """
    number = float(value) if isinstance(value, int | float) else math.nan
    return min(number, 0.0) if math.isfinite(number) and number < 0.01 else None


def continuation(tokens: Sequence[Token], after: str, text: str) -> tuple[float, ...] | None:
    """Log-probabilities of the tokens that spell ``text`` where ``tokens`` spell ``after + text``.

    A token that reaches over the border belongs to ``text``; what stands before ``after`` (a
    beginning-of-text mark) and behind ``text`` (an end mark) is left out. None if the tokens spell
    something else or one of them has no log-probability.
    """
    spelled = b"".join(t.piece for t in tokens)
    start = spelled.find((after + text).encode())
    if start < 0:
        return None
    low = start + len(after.encode())
    high = low + len(text.encode())
    values, at = [], 0
    for token in tokens:
        end = at + len(token.piece)
        if end > low and at < high:
            values.append(token.logprob)
        at = end
    known = tuple(v for v in values if v is not None)
    return known if len(known) == len(values) else None


def entropy(top: Sequence[float]) -> float:
    """Entropy in nats of a next-token distribution of which only the likeliest tokens are known.

    The rest of the mass counts as one token, so this is a lower bound of the true entropy.
    """
    masses = [math.exp(v) for v in top]
    rest = max(0.0, 1.0 - sum(masses))
    return float(-sum(m * math.log(m) for m in (*masses, rest) if m > 0.0)) + 0.0


def read_completion(
    reply: Reply,
    prompt: Prompt,
    stop: Sequence[str],
    route: str,
    refused: Sequence[str],
    entropies: bool,
) -> Completion:
    """The reply without what it repeats of a begun turn, cut at the first stop string."""
    text = reply.text
    if not isinstance(prompt, str) and prompt and prompt[-1].role == "assistant":
        text = text.removeprefix(prompt[-1].content)
    cuts = [at for s in stop if s and (at := text.find(s)) >= 0]
    tokens = list(reply.tokens)
    if cuts:
        text = text[: min(cuts)]
    size, room = 0, len(text.encode())
    keep = 0
    while keep < len(tokens) and size < room:
        size += len(tokens[keep].piece)
        keep += 1
    if cuts or reply.reason == "stop":
        tokens = tokens[:keep]
    known = all(t.logprob is not None for t in tokens)
    ids = tuple(t.id for t in tokens if t.id is not None)
    extra: dict[str, Any] = {
        "route": route,
        "pieces": tuple(t.piece.decode("utf-8", "replace") for t in tokens),
    }
    if refused:
        extra["refused"] = tuple(refused)
    return Completion(
        text,
        tokens=ids if len(ids) == len(tokens) else (),
        logprobs=tuple(t.logprob for t in tokens if t.logprob is not None) if known else (),
        entropies=tuple(entropy(t.top) for t in tokens) if entropies else (),
        finish="length" if reply.reason == "length" and not cuts else "stop",
        tokens_in=reply.tokens_in,
        tokens_out=reply.tokens_out,
        extra=extra,
    )
