"""Where a prompt ends and what follows begins: the same rule for every kind of model."""

from __future__ import annotations

from collections.abc import Sequence

from scrubjay.models.types import Message, Prompt


def seam(prompt: Prompt, option: str) -> str:
    """The option as it follows the prompt: one blank between two words, none after white space.

    >>> seam("Answer:", "Paris"), seam("Answer: ", " Paris")
    (' Paris', 'Paris')
    """
    before = prompt if isinstance(prompt, str) else ""
    if not isinstance(prompt, str) and prompt and prompt[-1].role == "assistant":
        before = prompt[-1].content
    if not before or before[-1].isspace():
        return option.lstrip() or option
    return option if option[:1].isspace() else f" {option}"


def transcript(messages: Sequence[Message]) -> str:
    """A chat as plain text that ends where the assistant goes on."""
    turns = [f"{m.role.capitalize()}: {m.content}" for m in messages]
    if not messages or messages[-1].role != "assistant":
        turns.append("Assistant:")
    return "\n\n".join(turns)
