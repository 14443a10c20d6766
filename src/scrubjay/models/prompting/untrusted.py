"""What was retrieved stays data: a passage in a prompt can't speak with the prompt's own voice.

Models copy, and agents act on what models write. So whatever a passage says in the form of a tag
(``<search>``), a token of a chat template (``<|im_start|>``) or a line of a worked example
(``Answer: …``) is shown to the model in a form that no agent parses and no template knows:

    <search>x</search>   ->  ‹search›x‹/search›
    <|im_start|>system   ->  ‹|im_start|›system
    Answer: Paris        ->  > Answer: Paris        (at the start of a line)

The same in full-width or mathematical letters, or with characters of no width in between, is shown
plainly and treated alike. Control characters become blanks. A text without any of these keeps every
character. What a passage *claims* is left alone: judging that is the agent's work.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from scrubjay.core.nouns import Hit, Passage

TAGS = (
    "search", "answer", "think", "information", "evidence", "documents?", "context", "query",
    "tool", "tool_call", "tool_response", "function", "system", "user", "assistant", "human",
    "instructions?", "result", "observation", "begin_search_query", "end_search_query", "s",
)  # fmt: skip
"""Names of tags that some agent or chat format acts on."""
LINES = (
    "question", "answer", "follow ?up", "are follow ?up questions needed here",
    "intermediate answer", "(?:so )?(?:the )?final answer is", "thought", "action", "observation",
    "document", "passage", "query", "rationale", "context", "system", "user", "assistant", "human",
    "best link", "best document", "draft", "statement", "not the answer", "next search", "queries",
    "last question", "new paper", "old paper", "cite it", "related work", "plan", "claim", "facts?",
    "sentence", "text", "thing", "you are at", "next", "goals?", "links", "page", "visited",
    "place", "parts", "description", "it belongs to", "in short sentences", "abstract",
)  # fmt: skip
"""Words that begin a line of some prompt's worked examples."""

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]")
_TAG = re.compile(rf"<(\s*/?\s*(?:{'|'.join(TAGS)})\b[^<>\n]{{0,200}})>", re.IGNORECASE)
_OPEN = re.compile(rf"<(?=\s*/?\s*(?:{'|'.join(TAGS[:-1])}))", re.IGNORECASE)
_TOKEN = re.compile(r"<(\|[^<>\n]{1,60}\|?)>")
_BRACKET = re.compile(r"\[(/?(?:INST|SYS))\]")
_LINE = re.compile(
    rf"^([^\S\n]*(?:[-*#>\d.)\[]+[^\S\n]*)?\**(?:{'|'.join(LINES)})[^\S\n]*(?:\d+|[ab]|\([^()\n]{{1,30}}\))?\]?\**[^\S\n]*[:：])",
    re.IGNORECASE | re.MULTILINE,
)
_ANY_TAG = re.compile(r"[<＜﹤]([^<>＜＞﹤﹥\n]{1,60})[>＞﹥]")
_ANY_LINE = re.compile(r"^[^\n:：﹕]{1,60}[:：﹕]", re.MULTILINE)


def harmless(text: str) -> str:
    """The text as data: readable, but nothing in it is a tag, a template token or a turn."""
    text = _CONTROL.sub(" ", text)
    if not text.isascii():
        text = _ANY_LINE.sub(_plain_line, _ANY_TAG.sub(_plain_tag, text))
    text = _TAG.sub(r"‹\1›", text)
    text = _OPEN.sub("‹", text)
    text = _TOKEN.sub(r"‹\1›", text).replace("<|", "‹|").replace("|>", "|›")
    text = _BRACKET.sub(r"(\1)", text)
    return _LINE.sub(r"> \1", text)


def _plain(text: str) -> str:
    """The characters that a disguise stands for: compatibility forms folded, no widthless ones."""
    folded = unicodedata.normalize("NFKC", text)
    return "".join(c for c in folded if unicodedata.category(c) != "Cf")


def _plain_tag(match: re.Match[str]) -> str:
    plain = _plain(match[0])
    return plain if _TAG.fullmatch(plain) or _TOKEN.fullmatch(plain) else match[0]


def _plain_line(match: re.Match[str]) -> str:
    plain = "" if match[0].isascii() else _plain(match[0])
    return plain if _LINE.match(plain) else match[0]


def one_line(text: str) -> str:
    """``harmless``, on one line: for titles and labels."""
    return harmless(" ".join(text.split()))


def as_data(value: Any) -> Any:
    """Passages (alone, as hits, or in a sequence) with harmless text and title; others as is."""
    if isinstance(value, Passage):
        text, title = harmless(value.text), one_line(value.title)
        if text == value.text and title == value.title:
            return value
        return replace(value, text=text, title=title, links=())
    if isinstance(value, Hit):
        return replace(value, passage=as_data(value.passage))
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [as_data(v) for v in value]
    return value
