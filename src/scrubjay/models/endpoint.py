"""Any OpenAI-compatible server as a language model: vLLM, llama.cpp, Ollama, OpenAI, …

What a server can do is found out once, by asking it, and remembered:

- a field it refuses (log-probabilities, a seed, …) is left out from then on, with a warning and in
  ``Completion.extra["refused"]``;
- a server without ``/completions`` gets text prompts as a chat of one user turn, with a warning and
  ``Completion.extra["route"]``;
- ``score`` needs log-probabilities of given text. Either the server echoes a prompt with its
  log-probabilities (vLLM and others), or it can be held to a text's tokens by a grammar while it
  reports its unconstrained log-probabilities (llama.cpp). Without either, ``score`` is an error,
  and ``choose`` falls back to reading a generated reply: ``Choice.parsed`` says so.
"""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Awaitable, Sequence, Set
from typing import Any, Literal
from weakref import WeakKeyDictionary

from scrubjay.core.errors import ModelError
from scrubjay.models.cache import ResponseCache
from scrubjay.models.menu import menu, read_choice
from scrubjay.models.reply import Reply, continuation, read_completion
from scrubjay.models.seam import seam, transcript
from scrubjay.models.server import NO_SUCH_ROUTE, Server, warn
from scrubjay.models.types import Choice, Completion, Message, Prompt, Scored, Want
from scrubjay.models.wire import Away, Refused, Wire

TOP_CHAT, TOP_TEXT = 20, 5
"""Alternatives per token to ask for when entropies are wanted: the most OpenAI gives per route."""


class EndpointModel:
    """The model ``name`` served at ``url`` (up to and with ``/v1``).

    ``cache``: True for the user's response cache, False for none, or a cache. The key comes from
    the environment, ``SCRUBJAY_API_KEY`` before ``OPENAI_API_KEY``; it is sent to ``url`` and
    stands nowhere else. ``wire`` replaces the connection (with other patience, say).

    Raises:
        ModelError: ``url`` is not an address.
    """

    def __init__(
        self,
        url: str,
        name: str,
        *,
        cache: bool | ResponseCache = True,
        concurrency: int = 8,
        wire: Wire | None = None,
    ) -> None:
        key = os.environ.get("SCRUBJAY_API_KEY") or os.environ.get("OPENAI_API_KEY")
        self.server = Server(
            wire or Wire(url, key=key, concurrency=concurrency),
            name,
            ResponseCache() if cache is True else cache or None,
        )
        self.name = self.server.name
        self._chat_only = self._completes = False
        self._scorer: Literal["echo", "grammar", "none", "unknown"] = "unknown"
        self._locks: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = (
            WeakKeyDictionary()
        )

    async def check(self) -> None:
        """One cheap call, past the cache: raise now rather than after an hour of work.

        Warns when the server lists its models and this one isn't among them.

        Raises:
            ModelError: the server can't be reached, refuses the key, lacks the model, ….
        """
        body = self._chat_body([Message("user", "Hi")], max_tokens=1)
        with self.server.wire.hurry(60.0):
            await self.server.ask("/chat/completions", body, cached=False)
            served = await self.server.served()
        if served and self.server.model not in served:
            warn(
                f"the server at {self.server.wire.url} answers to the name '{self.server.model}' "
                f"but lists only {', '.join(served[:8])}: check that it is the model you mean"
            )

    async def generate(
        self,
        prompt: Prompt,
        *,
        max_tokens: int,
        temperature: float = 0.0,
        top_p: float = 1.0,
        stop: Sequence[str] = (),
        seed: int = 0,
        want: Set[Want] = frozenset(),
    ) -> Completion:
        """Continue the prompt; entropies are lower bounds from the likeliest 5 (text) or 20 (chat).

        ``Completion.extra['pieces']`` holds the tokens' texts; ``tokens`` is empty where the server
        gives no ids.

        Raises:
            ModelError: see ``Wire``; or ``want`` asks for what this server can't give.
        """
        if max_tokens < 1 or temperature < 0 or not 0 < top_p <= 1:
            raise ModelError(
                f"max_tokens ({max_tokens}) must be at least 1, temperature ({temperature}) at "
                f"least 0 and top_p ({top_p}) above 0 and at most 1"
            )
        if inside := sorted(want - {"entropy"}):
            raise ModelError(f"an endpoint gives no {' or '.join(inside)}; use a local model")
        settings: dict[str, Any] = {"max_tokens": max_tokens, "temperature": temperature}
        if temperature > 0.0:
            settings |= {"top_p": top_p, "seed": seed}
        if stop:
            settings["stop"] = list(stop)[:4]  # the most OpenAI takes; the others are cut here
        entropies = "entropy" in want
        route, reply, refused = await self._generate(prompt, settings, entropies)
        if entropies and reply.text and not (reply.tokens and all(t.top for t in reply.tokens)):
            raise ModelError(
                f"the endpoint {self.name} gives no log-probabilities, so no entropies either"
            )
        return read_completion(reply, prompt, stop, route, refused, entropies)

    async def score(self, prompt: Prompt, continuations: Sequence[str]) -> list[Scored]:
        """Log-probabilities of each continuation's tokens after the prompt.

        An echoing server gets messages as a plain transcript, since it can't echo a chat. For a
        server held by a grammar, a continuation's tokens are those of its text on its own.

        Raises:
            ModelError: this endpoint gives no log-probabilities of given text; or the prompt is
                empty (so that the first token follows nothing), or a continuation.
        """
        return [scored for scored, _ in await self._score(prompt, continuations)]

    async def choose(self, prompt: Prompt, options: Sequence[str]) -> Choice:
        """Softmax over mean token log-probabilities, or read from a generated reply (``parsed``).

        After text that doesn't end in white space, an option gets a leading blank.

        Raises:
            ModelError: there are no options, or one is empty.
        """
        if not options or not all(options):
            raise ModelError("there is nothing to choose from: no options, or an empty one")
        if await self._scoring() == "none":
            return await self._choose_from_menu(prompt, options)
        scored = await self._score(prompt, [seam(prompt, option) for option in options])
        best = max(s.mean for s, _ in scored)
        weights = [math.exp(s.mean - best) for s, _ in scored]
        total = sum(weights)
        index = weights.index(max(weights))
        return Choice(
            index,
            options[index],
            tuple(w / total for w in weights),
            tokens_in=sum(r.tokens_in for _, r in scored),
            tokens_out=sum(r.tokens_out for _, r in scored),
        )

    def count_tokens(self, text: str) -> int:
        """An estimate: four bytes of UTF-8 a token."""
        return math.ceil(len(text.encode("utf-8", "replace")) / 4)

    def settle(self) -> None:
        """Nothing to forget: the server's state is its own."""

    async def close(self) -> None:
        """Close this event loop's connections and the cache."""
        await self.server.close()

    # -- asking ---------------------------------------------------------------------------------

    async def _generate(
        self, prompt: Prompt, settings: dict[str, Any], entropies: bool
    ) -> tuple[str, Reply, list[str]]:
        top = {"top_logprobs": TOP_CHAT} if entropies else {}
        if not isinstance(prompt, str):
            body = self._chat_body(prompt, logprobs=True, **settings, **top)
            return "chat", *await self.server.ask("/chat/completions", body)
        if not self._chat_only:
            body = {"prompt": prompt, "logprobs": TOP_TEXT if entropies else 1, **settings}
            try:
                answered = await self.server.ask("/completions", body, explain=False)
                self._completes = True
                return "text", *answered
            except Refused as refusal:
                if self._completes:  # it has this route: a refusal now means something else
                    raise
                if refusal.status not in NO_SUCH_ROUTE and "chat model" not in refusal.message:
                    raise
        body = self._chat_body([Message("user", prompt)], logprobs=True, **settings, **top)
        reply, refused = await self.server.ask("/chat/completions", body)
        if not self._chat_only:
            self._chat_only = True
            warn(f"{self.name} has no /completions: text prompts go to it as a chat")
        return "chat", reply, refused

    def _chat_body(self, messages: Sequence[Message], **settings: Any) -> dict[str, Any]:
        body = {"messages": [{"role": m.role, "content": m.content} for m in messages], **settings}
        if messages and messages[-1].role == "assistant":
            body |= {"continue_final_message": True, "add_generation_prompt": False}
        return body

    # -- scoring --------------------------------------------------------------------------------

    async def _scoring(self) -> Literal["echo", "grammar", "none"]:
        """How this server can score, found out by the first that needs it."""
        lock = self._locks.setdefault(asyncio.get_running_loop(), asyncio.Lock())
        async with lock:
            if self._scorer == "unknown":
                if await self._try(self._echo("The sky", " is"), Refused):
                    self._scorer = "echo"
                elif await self._try(self._grammar([Message("user", "Hi")], "qx"), ModelError):
                    self._scorer = "grammar"
                else:
                    self._scorer = "none"
                    warn(f"{self.name} gives no log-probabilities of given text; choices are read")
            return self._scorer

    async def _try(self, scoring: Awaitable[object], no: type[ModelError]) -> bool:
        """Whether it gives scores. Routes that few servers have may fail in any way (``no``).

        Raises:
            Away: it doesn't answer at all now, so nobody knows.
        """
        try:
            return await scoring is not None
        except Away:
            raise
        except no:
            return False

    async def _score(
        self, prompt: Prompt, continuations: Sequence[str]
    ) -> list[tuple[Scored, Reply]]:
        way = await self._scoring()
        if way == "none":
            raise ModelError(
                f"the endpoint {self.name} gives no log-probabilities of given text; score with a "
                "local model, or serve this one with vLLM or llama.cpp"
            )
        if not prompt or not all(continuations):
            raise ModelError(
                "an endpoint can score neither an empty text nor after an empty prompt"
            )
        call = self._echo if way == "echo" else self._grammar
        results = await asyncio.gather(*(call(prompt, text) for text in continuations))
        for text, result in zip(continuations, results):
            if result is None:
                raise ModelError(f"the endpoint {self.name} gave no log-probabilities for {text!r}")
        return [result for result in results if result is not None]

    async def _echo(self, prompt: Prompt, text: str) -> tuple[Scored, Reply] | None:
        """Score by an echoed prompt; None if the server doesn't echo log-probabilities."""
        before = prompt if isinstance(prompt, str) else transcript(prompt)
        body = {
            "prompt": before + text,
            "max_tokens": 1,  # 0 would do, but many servers want at least one
            "temperature": 0.0,
            "logprobs": 1,
            "echo": True,
        }
        reply, _ = await self.server.ask("/completions", body, explain=False, learn=False)
        values = continuation(reply.tokens, before, text)
        return None if values is None else (Scored(text, values), reply)

    async def _grammar(self, prompt: Prompt, text: str) -> tuple[Scored, Reply] | None:
        """Score by a grammar that allows only the tokens of ``text`` (llama.cpp writes a token in a
        grammar as ``<[id]>``); None if the server doesn't obey it."""
        ids = await self.server.tokenize(text)
        if not ids:
            return None
        body: dict[str, Any] = {
            "max_tokens": len(ids) + 1,
            "temperature": 0.0,
            "grammar": "root ::= " + " ".join(f"<[{i}]>" for i in ids),
        }
        if isinstance(prompt, str):
            reply, _ = await self.server.ask(
                "/completions", {"prompt": prompt, "logprobs": 1, **body}
            )
        else:
            chat = self._chat_body(prompt, logprobs=True, top_logprobs=1, **body)
            reply, _ = await self.server.ask("/chat/completions", chat)
        forced = reply.tokens[: len(ids)]
        values = tuple(t.logprob for t in forced if t.logprob is not None)
        if [t.id for t in forced] != ids or len(values) != len(ids):
            return None
        return Scored(text, values), reply

    async def _choose_from_menu(self, prompt: Prompt, options: Sequence[str]) -> Choice:
        longest = max(self.count_tokens(option) for option in options)
        body = self._chat_body(
            menu(prompt, options), max_tokens=min(64, longest + 8), temperature=0.0
        )
        reply, _ = await self.server.ask("/chat/completions", body)
        index = read_choice(reply.text, options)
        return Choice(
            index,
            options[index],
            tuple(float(i == index) for i in range(len(options))),
            parsed=True,
            tokens_in=reply.tokens_in,
            tokens_out=reply.tokens_out,
        )
