"""One model on one server: asking it, learning what it refuses, keeping its answers."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from scrubjay.core.errors import ModelError
from scrubjay.models.cache import ResponseCache, request_key
from scrubjay.models.reply import Reply, read_reply
from scrubjay.models.wire import Refused, Wire

OPTIONAL = (
    "continue_final_message",
    "add_generation_prompt",
    "top_logprobs",
    "logprobs",
    "seed",
    "top_p",
    "temperature",
    "stop",
)
"""Fields that can be done without, in the order in which a refusal is searched for them."""

NO_SUCH_ROUTE = (404, 405, 501)
"""Statuses of a server that lacks a route (or the model)."""


class Server:
    """The model ``model`` behind ``wire``; ``cache`` keeps its successful answers."""

    def __init__(self, wire: Wire, model: str, cache: ResponseCache | None) -> None:
        self.wire, self.model, self.cache = wire, model, cache
        self.name = f"endpoint:{wire.url}#{model}"
        self._refused: list[str] = []
        self._null = False

    async def close(self) -> None:
        """Close this event loop's connections and the cache."""
        await self.wire.close()
        if self.cache is not None:
            self.cache.close()

    async def ask(
        self,
        route: str,
        wish: dict[str, Any],
        *,
        cached: bool = True,
        explain: bool = True,
        learn: bool = True,
    ) -> tuple[Reply, list[str]]:
        """The reply to ``wish`` and the fields that had to be left out, from cache or server.

        Raises:
            Refused: the server says no, and nothing can be left out (or ``learn`` is False).
            ModelError: see ``Wire``; for a 404 with the reason, if ``explain``.
        """
        wish = {"model": self.model, **wish}
        key = request_key(self.wire.identity, route, wish)
        cache = self.cache if cached else None
        if cache is not None and (kept := cache.get(key)) is not None:
            return read_reply(kept["reply"], self.wire.url), kept["refused"]
        while True:
            left_out = [field for field in self._refused if field in wish]
            try:
                value = await self.wire.post(route, _without(wish, left_out))
                break
            except Refused as refusal:
                if not learn or not self._learn(refusal, wish, left_out):
                    if explain and refusal.status in NO_SUCH_ROUTE:
                        raise await self._explain(route, refusal) from refusal
                    raise
        reply = read_reply(value, self.wire.url)
        if reply.null:
            if not self._null:
                warn(f"{self.name} sends null instead of a text; that counts as an empty one")
            self._null = True
        elif cache is not None:
            cache.put(key, {"reply": value, "refused": left_out})
        return reply, left_out

    async def tokenize(self, text: str) -> list[int] | None:
        """Token ids of ``text`` on its own, from llama.cpp's own route; None if it gives none.

        Raises:
            Refused: the server has no such route.
            ModelError: see ``Wire``.
        """
        key = request_key(self.wire.identity, "/tokenize", self.model, text)
        ids = self.cache.get(key) if self.cache is not None else None
        if ids is None:
            ids = (await self.wire.post("/tokenize", {"content": text}, root=True)).get("tokens")
            if not isinstance(ids, list) or not all(isinstance(i, int) for i in ids):
                return None
            if self.cache is not None:
                self.cache.put(key, ids)
        return ids

    def _learn(self, refusal: Refused, wish: Mapping[str, Any], left_out: Sequence[str]) -> bool:
        """Whether the refusal names a field that can be left out; then it is, from now on.

        The token limit is renamed instead (``_without``), which needs no warning.
        """
        if refusal.status not in (200, 400, 422):
            return False
        fields = [f for f in OPTIONAL if re.search(rf"\b{f}\b", refusal.message)]
        if "max_completion_tokens" in refusal.message:
            fields.insert(0, "max_tokens")
        for field in fields:
            if field in wish and field not in left_out:
                if field not in self._refused:
                    self._refused.append(field)
                    if field != "max_tokens":
                        said = f"({refusal.message})"
                        warn(f"{self.name} refuses '{field}' {said}; going on without it")
                return True
        return False

    async def _explain(self, route: str, refusal: Refused) -> ModelError:
        """Why the server says 404: a wrong model, a missing route or a wrong address."""
        served = await self.served()
        if served and self.model not in served:
            return ModelError(
                f"the server at {self.wire.url} has no model '{self.model}'; it serves "
                f"{', '.join(served[:20])}"
            )
        if served:
            return ModelError(f"the server at {self.wire.url} has no {route} (it says 404)")
        return ModelError(
            f"the server at {self.wire.url} answers with status {refusal.status} "
            f"({refusal.message}): either there is no model '{self.model}' or the address is "
            "wrong (it usually ends in /v1)"
        )

    async def served(self) -> list[str]:
        """Names the server lists, [] if it doesn't."""
        try:
            value = await self.wire.get("/models", replace(self.wire.patience, attempts=1))
            return [str(entry["id"]) for entry in value["data"]]
        except (ModelError, KeyError, TypeError):
            return []


def _without(wish: Mapping[str, Any], fields: Sequence[str]) -> dict[str, Any]:
    """The request without ``fields``; the token limit is renamed, not dropped."""
    body = {k: v for k, v in wish.items() if k not in fields}
    if "max_tokens" in fields:
        body["max_completion_tokens"] = wish["max_tokens"]
    return body


def warn(sentence: str) -> None:
    """Tell the user once that something is done without."""
    warnings.warn(sentence, stacklevel=3)
