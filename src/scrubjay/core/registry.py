"""Registries: how a name on the command line becomes an object, also from other packages.

A room registers its own things with a decorator; another package adds to the same registry with an
entry point in the group ``scrubjay.<kind>s`` (``scrubjay.agents``, ``scrubjay.worlds``, …):

    [project.entry-points."scrubjay.agents"]
    my-agent = "my_package.agents:MyAgent"

Nothing is imported before it is asked for: built-in entries name their module as text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from scrubjay.core.errors import ScrubjayError, UnknownName


class Registry:
    """Names of one kind of thing, each a ``module:attribute`` path or the object itself."""

    def __init__(self, kind: str, **builtin: str) -> None:
        self.kind = kind
        self._entries: dict[str, Any] = {k.replace("_", "-"): v for k, v in builtin.items()}

    def register(self, name: str) -> Callable[[Any], Any]:
        """Decorator: add the decorated object under ``name``.

        Raises:
            ValueError: the name is taken by another object.
        """

        def add(thing: Any) -> Any:
            if name in self._entries and self._entries[name] is not thing:
                raise ValueError(f"the {self.kind} '{name}' is registered already")
            self._entries[name] = thing
            return thing

        return add

    def _external(self) -> dict[str, Any]:
        return {e.name: e for e in entry_points(group=f"scrubjay.{self.kind}s")}

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({*self._entries, *self._external()}))

    def __contains__(self, name: str) -> bool:
        return name in self._entries or name in self._external()

    def get(self, name: str) -> Any:
        """The object called ``name``, imported now if need be; built-in names win.

        Raises:
            UnknownName: nothing has that name.
            ScrubjayError: another package registered it, and importing it fails.
        """
        if name in self._entries:
            entry = self._entries[name]
            if isinstance(entry, str):
                module, _, attribute = entry.partition(":")
                entry = self._entries[name] = getattr(import_module(module), attribute)
            return entry
        external = self._external()
        if name not in external:
            raise UnknownName(self.kind, name, self)
        try:
            return external[name].load()
        except Exception as error:
            raise ScrubjayError(
                f"the {self.kind} '{name}' comes from another package that fails to load: {error}"
            ) from error
