"""Rewriters: from what was asked to what is searched for.

A rewrite that fails or comes back empty degrades to the query as it was, and is counted: a stage
never aborts a search. Formats follow the survey of LLMs for IR (arXiv 2308.07107, section 3.1):
a question, keywords, an answer-like passage, or a conversation's last turn made self-contained.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from scrubjay.core.errors import ModelError
from scrubjay.models.prompting.prompts import render_prompt
from scrubjay.models.types import LanguageModel, Message

_LABEL = re.compile(r"^(?:[-*]\s+|(?:question|query|keywords|rewritten question)\s*:\s*)+", re.I)


class _Rewrite:
    """What the rewriters share: ask the model once, clean, fall back, count."""

    prompt = ""
    max_tokens = 48

    def __init__(self, model: LanguageModel) -> None:
        self.model = model
        self.calls = 0
        """Rewrites asked for."""
        self.failures = 0
        """Rewrites that came back empty or not at all; the query was used as it was."""

    async def rewrite(self, query: str) -> str:
        """The text to search with; ``query`` itself when the model gives nothing usable."""
        self.calls += 1
        prompt = render_prompt("scrubjay.retrieval", self.prompt, query=query, **self._values())
        try:
            done = await self.model.generate(prompt, max_tokens=self.max_tokens)
            text = self._clean(query, done.text)
        except ModelError:
            text = ""
        if not text:
            self.failures += 1
            return query
        return text

    def _values(self) -> dict[str, Any]:
        return {}

    def _clean(self, query: str, text: str) -> str:
        """The first line that says something, without label and quotes."""
        lines = (_LABEL.sub("", line.strip()).strip("\"'` ") for line in text.splitlines())
        return next((line for line in lines if re.search(r"\w", line)), "")


class RewriteQuestion(_Rewrite):
    """A clearer question."""

    prompt = "rewrite_question"


class RewriteKeywords(_Rewrite):
    """Keywords, which suit search by words."""

    prompt = "rewrite_keywords"
    max_tokens = 32


class RewritePassage(_Rewrite):
    """The query followed by an imagined answer passage.

    HyDE searches with the passage alone, Query2doc puts the query before it; we keep the query, so
    that a passage about the wrong thing can't lose what was asked.
    """

    prompt = "rewrite_passage"
    max_tokens = 96

    def _clean(self, query: str, text: str) -> str:
        return f"{query}\n{' '.join(text.split())}" if re.search(r"\w", text) else ""


class ContextualRewrite(_Rewrite):
    """The last turn of a conversation, made understandable alone. Without a history, identity."""

    prompt = "rewrite_contextual"

    def __init__(self, model: LanguageModel, history: Sequence[Message] = ()) -> None:
        super().__init__(model)
        self.history = history
        """Turns before the query, oldest first."""

    async def rewrite(self, query: str) -> str:
        return await super().rewrite(query) if self.history else query

    def _values(self) -> dict[str, Any]:
        return {"history": list(self.history)}
