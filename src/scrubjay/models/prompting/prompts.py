"""Prompt files: a room keeps its prompts in ``prompts/*.jinja``, versioned, one chat a file.

    {# version: 1 #}
    --- system
    Answer from the passages only.
    --- user
    {% for p in passages %}{{ p.title }}: {{ p.text }}
    {% endfor %}Question: {{ question }}
    --- assistant
    Answer:

A line ``--- role`` starts a turn; a last assistant turn is a beginning that the model continues.
The file is cut into turns *before* any value is put in, and a value is never read as Jinja:
whatever a retrieved text says, it stays inside the turn where the author put it; a ``Passage`` is
made harmless first (see ``untrusted``). Names without a
value are errors, and the sandbox keeps a prompt file from reaching anything but its values.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, Literal, cast

from jinja2 import StrictUndefined, Template, TemplateError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

from scrubjay.core.errors import InputError, UnknownName
from scrubjay.models.prompting.untrusted import as_data
from scrubjay.models.types import Message

Role = Literal["system", "user", "assistant"]

_VERSION = re.compile(r"\{#\s*version:\s*(\d+)\s*#\}\s*")
_TURN = re.compile(r"---[ \t]*(\w+)[ \t]*")
_ENVIRONMENT = ImmutableSandboxedEnvironment(
    undefined=StrictUndefined, autoescape=False, trim_blocks=True, lstrip_blocks=True
)


@dataclass(frozen=True, slots=True)
class PromptFile:
    """One prompt file, cut into turns."""

    name: str
    """Room and file: ``agents/closed_book``."""
    version: int
    text: str
    """The file as it stands."""
    needs: tuple[str, ...]
    """Names of the values it uses, sorted."""
    turns: tuple[tuple[Role, Template], ...]

    def render(self, **values: Any) -> list[Message]:
        """The chat with ``values`` put in (values it doesn't use are passed over).

        Text goes in verbatim; passages as data that can't speak for the prompt (``as_data``).

        Raises:
            InputError: a value is missing, or an expression in the file fails.
        """
        values = {name: as_data(value) for name, value in values.items()}
        try:
            return [Message(role, turn.render(values)) for role, turn in self.turns]
        except (TemplateError, TypeError, ValueError) as error:
            raise InputError(
                f"the prompt '{self.name}' can't be filled: {error}; it uses the values "
                f"{', '.join(self.needs) or '(none)'}"
            ) from error


def render_prompt(package: str, name: str, /, **values: Any) -> list[Message]:
    """The chat in ``prompts/<name>.jinja`` of ``package`` ('scrubjay.agents'), filled with values.

    Raises:
        UnknownName: the package has no such prompt.
        InputError: the file is malformed (with file and line), or a value is missing.
    """
    return load_prompt(package, name).render(**values)


@cache
def load_prompt(package: str, name: str) -> PromptFile:
    """The prompt file ``name`` of ``package``, read and compiled once.

    Raises:
        UnknownName: the package has no such prompt.
        InputError: the file is malformed (with file and line).
    """
    known = {path.name.removesuffix(".jinja"): path for path in _prompts(files(package))}
    if name not in known:
        raise UnknownName("prompt", name, known)
    return parse_prompt(
        known[name].read_text("utf-8"),
        name=f"{package.removeprefix('scrubjay.')}/{name}",
        file=str(known[name]),
    )


def list_prompts() -> list[PromptFile]:
    """Every prompt file that Scrubjay ships, sorted by name."""
    rooms = [room.name for room in files("scrubjay").iterdir() if room.is_dir()]
    found = [
        load_prompt(f"scrubjay.{room}", path.name.removesuffix(".jinja"))
        for room in rooms
        for path in _prompts(files("scrubjay") / room)
    ]
    return sorted(found, key=lambda prompt: prompt.name)


def parse_prompt(text: str, *, name: str = "prompt", file: str = "prompt.jinja") -> PromptFile:
    """Cut the text of a prompt file into turns and compile them.

    Blank lines at the edges of a turn are dropped here, in the author's text, so that values keep
    every character.

    Raises:
        InputError: no version in the first line, no turn, an unknown role, text before the first
            turn, or a Jinja error; with file and line.
    """
    lines = text.splitlines()
    version = _VERSION.fullmatch(lines[0]) if lines else None
    if version is None:
        raise InputError(
            "a prompt file starts with its version, as in {# version: 1 #}", file=file, line=1
        )
    starts = [i for i, line in enumerate(lines) if _TURN.fullmatch(line)]
    first = starts[0] if starts else len(lines)
    for number, line in enumerate(lines[1:first], 2):
        if line.strip() and not re.fullmatch(r"\s*\{#.*#\}\s*", line):
            raise InputError(
                "text before the first turn; start one with '--- system' or '--- user'",
                file=file,
                line=number,
            )
    if not starts:
        raise InputError("a prompt file needs a turn, as in '--- user'", file=file, line=1)
    turns, needs = [], set[str]()
    for start, end in zip(starts, [*starts[1:], len(lines)]):
        match = cast(re.Match[str], _TURN.fullmatch(lines[start]))
        if match[1] not in ("system", "user", "assistant"):
            raise InputError(
                f"there is no role '{match[1]}'; a turn is system, user or assistant",
                file=file,
                line=start + 1,
            )
        source = "\n".join(lines[start + 1 : end])
        lead = len(source) - len(source.lstrip())
        above = source[:lead].count("\n")
        try:
            needs |= meta.find_undeclared_variables(_ENVIRONMENT.parse(source.strip()))
            template = _ENVIRONMENT.from_string(source.strip())
        except TemplateError as error:
            at = start + 1 + above + getattr(error, "lineno", 1)
            raise InputError(f"not valid Jinja: {error}", file=file, line=at) from error
        turns.append((cast(Role, match[1]), template))
    return PromptFile(name, int(version[1]), text, tuple(sorted(needs)), tuple(turns))


def _prompts(package: Traversable) -> list[Traversable]:
    folder = package / "prompts"
    if not folder.is_dir():
        return []
    return [path for path in folder.iterdir() if path.name.endswith(".jinja")]
