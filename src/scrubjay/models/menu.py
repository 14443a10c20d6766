"""Choosing without log-probabilities: show the options as a numbered list, read the reply.

Small models answer in many ways, so reading is forgiving and always ends with an option.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher

from scrubjay.models.prompting.prompts import render_prompt
from scrubjay.models.types import Message, Prompt


def menu(prompt: Prompt, options: Sequence[str]) -> list[Message]:
    """The prompt with the options listed in its last user turn.

    A beginning of the assistant's reply becomes part of that turn: what follows it is a number now.
    """
    turns = [Message("user", prompt)] if isinstance(prompt, str) else list(prompt)
    tail: list[str] = []
    while turns and turns[-1].role == "assistant":
        tail.insert(0, turns.pop().content)
    if turns and turns[-1].role == "user":
        tail.insert(0, turns.pop().content)
    shown = [option.strip() for option in options]
    return turns + render_prompt(
        "scrubjay.models", "choose", prompt="\n".join(tail).strip(), options=shown
    )


def read_choice(reply: str, options: Sequence[str]) -> int:
    """The option that ``reply`` means; the first rule that decides wins.

    1. the reply is one option's text; 2. it starts with one option's number; 3. it contains exactly
    one option's text (an option inside a longer one that is also found doesn't count); 4. it
    contains exactly one option's number; 5. the option with the longest common stretch of text;
    6. the first option.
    """
    plain = [_plain(option) for option in options]
    said = _plain(reply)
    if said in plain:
        return plain.index(said)
    number = re.match(r"\W*(\d{1,9})\b", reply)
    if number and 1 <= int(number[1]) <= len(options):
        return int(number[1]) - 1
    found = [
        p for p in dict.fromkeys(plain) if p and re.search(rf"(?<!\w){re.escape(p)}(?!\w)", said)
    ]
    longest = [p for p in found if not any(p != q and p in q for q in found)]
    if len(longest) == 1:
        return plain.index(longest[0])
    numbers = {int(n) for n in re.findall(r"(?<!\w)\d{1,9}(?!\w)", reply)}
    inside = sorted(n for n in numbers if 1 <= n <= len(options))
    if len(inside) == 1:
        return inside[0] - 1
    shared = [_overlap(said, p) for p in plain]
    return shared.index(max(shared))


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


def _overlap(said: str, option: str) -> float:
    """Length of the longest common stretch over the length of the option."""
    match = SequenceMatcher(None, said, option, autojunk=False).find_longest_match()
    return match.size / len(option) if option else 0.0
