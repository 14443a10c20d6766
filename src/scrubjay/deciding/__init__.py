"""Exploring and exploiting: the decision machinery beneath search agents, usable on its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scrubjay.core.lazy import lazy

if TYPE_CHECKING:
    pass

_WHERE: dict[str, str] = {}

__all__: list[str] = []

__getattr__ = lazy(__name__, _WHERE)
