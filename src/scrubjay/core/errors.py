"""One family of errors: every message is a sentence that says what, where, and what to do next.

The command line turns any ``ScrubjayError`` into that one sentence on stderr and exit status 2.
Programming mistakes stay ordinary Python exceptions, with their stack trace.
"""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from os import PathLike


class ScrubjayError(Exception):
    """Something the user can act on. ``str(error)`` is the sentence to show."""


class InputError(ScrubjayError):
    """Data that can't be read: names the file and, where there is one, the line.

    >>> str(InputError("a triple needs three columns", file="facts.csv", line=7))
    'facts.csv:7: a triple needs three columns'
    """

    def __init__(
        self, sentence: str, *, file: str | PathLike[str] | None = None, line: int | None = None
    ) -> None:
        place = "" if file is None else f"{file}:{line}: " if line is not None else f"{file}: "
        super().__init__(place + sentence)
        self.file, self.line = file, line


class UnknownName(ScrubjayError):
    """A model, world, agent, … that nobody registered; the sentence lists what there is.

    >>> str(UnknownName("agent", "closedbok", ["closed-book", "irccot"]))
    "there is no agent 'closedbok' (did you mean 'closed-book'?); known: closed-book, irccot"
    """

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        near = difflib.get_close_matches(name, names, n=1)
        hint = f" (did you mean '{near[0]}'?)" if near else ""
        listed = ", ".join(names) or "none"
        super().__init__(f"there is no {kind} '{name}'{hint}; known: {listed}")


class MissingExtra(ScrubjayError):
    """An optional dependency that isn't installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(
            f"this needs the package '{package}'; install it with: pip install 'scrubjay[{extra}]'"
        )


class ModelError(ScrubjayError):
    """A model that can't be loaded, reached or asked."""


class IndexMismatch(ScrubjayError):
    """An index that is empty, or was made by another encoder than the one asked for."""


class BudgetExceeded(ScrubjayError):
    """An agent tried to spend more than its session allows."""


class RunMismatch(ScrubjayError):
    """A run folder that holds results of other settings."""


class DiskError(ScrubjayError):
    """A disk that is full, read-only or broken."""


@contextmanager
def disk_errors(path: str | PathLike[str]) -> Iterator[None]:
    """Turn the operating system's complaint about ``path`` into a sentence.

    Raises:
        DiskError: for any ``OSError`` raised inside.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskError(
                f"the disk that holds {path} is full; free some space and run the same command "
                "again, it goes on where it stopped"
            ) from error
        raise DiskError(f"can't write {path}: {error.strerror or error}") from error
