"""Templates and verbalisers: the notation of prompting (Liu et al., ACM Comput. Surv. 2023, §2-3).

``x' = f_prompt(x)`` puts the input into the template's slot [X] (*prompt addition*),
``f_fill(x', z)`` puts an answer into its slot [Z], and ``g(z)`` maps an answer to a label (*answer
mapping*). The slot [Z] at the end makes a *prefix* prompt, elsewhere a *cloze* prompt.

>>> Template("[X] It was [Z] .").add("No reason to watch.").fill("terrible")
'No reason to watch. It was terrible .'
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from scrubjay.core.errors import InputError

_SLOT = re.compile(r"\[(X\d*|Z)\]")
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Prompted:
    """x': a template with its inputs filled in and the answer slot still open."""

    before: str
    after: str

    def fill(self, answer: str) -> str:
        """The filled prompt f_fill(x', z)."""
        return self.before + answer + self.after

    @property
    def context(self) -> str:
        """What stands before the slot, without the blanks that belong to the answer's token."""
        return self.before.rstrip()

    def continuation(self, answer: str) -> str:
        """What follows ``context`` in the filled prompt: blanks, answer, rest of the template.

        A blank before a word is part of the word's first token, so it must go with the answer.
        """
        return self.before[len(self.context) :] + answer + self.after


class Template:
    """A text with one answer slot [Z] and input slots: [X], or [X1], [X2], … for several inputs.

    Raises:
        InputError: no [Z] or more than one; [X] beside numbered slots; a number left out.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        parts = _SLOT.split(text)
        self._parts = [(part, bool(i % 2)) for i, part in enumerate(parts)]
        slots = parts[1::2]
        if slots.count("Z") != 1:
            raise InputError(
                f"the template {text!r} has {slots.count('Z')} answer slots [Z]; it needs just one"
            )
        inputs = {s for s in slots if s != "Z"}
        self.inputs = len(inputs)
        """Number of inputs it takes."""
        numbered = {f"X{i + 1}" for i in range(self.inputs)}
        if inputs not in (set(), {"X"}, numbered):
            raise InputError(
                f"the template {text!r} names its input slots {', '.join(sorted(inputs))}; use [X] "
                "for one input or [X1], [X2], … for several"
            )

    @property
    def is_cloze(self) -> bool:
        """Whether the slot [Z] stands inside the text, not at its end."""
        return bool(self.text.rpartition("[Z]")[2].strip())

    def add(self, *inputs: str) -> Prompted:
        """Prompt addition x' = f_prompt(x); slots inside an input's own text mean nothing.

        Raises:
            InputError: the number of inputs isn't the template's.
        """
        if len(inputs) != self.inputs:
            raise InputError(
                f"the template {self.text!r} takes {self.inputs} inputs, but {len(inputs)} came"
            )
        sides, side = ["", ""], 0
        for part, is_slot in self._parts:
            if is_slot and part == "Z":
                side = 1
            else:
                sides[side] += inputs[int(part[1:] or 1) - 1] if is_slot else part
        return Prompted(*sides)

    def fit(self, inputs: Sequence[str], room: int, count: Callable[[str], int]) -> Prompted:
        """``add``, with the longest input cut at its end until the prompt has ``room`` tokens.

        Only inputs are cut, never the template; a cut is logged.

        Raises:
            InputError: the template alone is longer than ``room``.
        """
        kept = list(inputs)
        while count(self.add(*kept).fill("")) > room:
            longest = max(range(len(kept)), key=lambda i: len(kept[i]), default=None)
            if longest is None or not kept[longest]:
                raise InputError(f"the template {self.text!r} alone is longer than {room} tokens")
            kept[longest] = kept[longest][: len(kept[longest]) * 9 // 10]
        if kept != list(inputs):
            was, now = sum(map(len, inputs)), sum(map(len, kept))
            _LOG.warning("input cut from %d to %d characters to fit %d tokens", was, now, room)
        return self.add(*kept)

    def __repr__(self) -> str:
        return f"Template({self.text!r})"


@dataclass(frozen=True)
class Verbaliser:
    """Answer mapping g: each label's answers, the words that stand for it.

    >>> Verbaliser({"good": ["great", "fine"], "bad": ["terrible"]}).label("fine")
    'good'

    Raises:
        InputError: no labels, a label without answers, an empty answer, or one given twice.
    """

    answers_of: Mapping[str, Sequence[str]]
    _labels: dict[str, str] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        if not self.answers_of:
            raise InputError("a verbaliser needs at least one label")
        for label, answers in self.answers_of.items():
            if isinstance(answers, str) or not answers:
                raise InputError(f"the label '{label}' needs a list with at least one answer")
            for answer in answers:
                if not answer.strip():
                    raise InputError(f"the label '{label}' has an empty answer")
                if answer in self._labels:
                    raise InputError(
                        f"the answer '{answer}' stands for '{self._labels[answer]}' and again for "
                        f"'{label}', so it can't be mapped back"
                    )
                self._labels[answer] = label

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(self.answers_of)

    @property
    def answers(self) -> tuple[str, ...]:
        """All answers Z, label by label."""
        return tuple(self._labels)

    def label(self, answer: str) -> str:
        """g(z)."""
        return self._labels[answer]
