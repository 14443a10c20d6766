"""A Finding: what a study or an instrument measured, and whether the claim held."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    """Computed by the stated test, never set by hand."""

    REPRODUCED = "reproduced"
    PARTLY = "partly"
    NOT_REPRODUCED = "not reproduced"
    NONE = "no claim"


@dataclass(frozen=True, slots=True)
class Number:
    """A measured value with its interval; ``n`` is the number of items behind it."""

    value: float
    low: float | None = None
    high: float | None = None
    n: int | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """A statement of the paper as a test that can fail."""

    text: str
    holds: bool
    evidence: str = ""
    """The numbers it was judged by, in a sentence."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Numbers with intervals, the claims they decide, tables, a figure, and all settings."""

    name: str
    numbers: Mapping[str, Number]
    claims: tuple[Claim, ...] = ()
    tables: Mapping[str, list[dict[str, Any]]] = field(default_factory=dict)
    figure: Mapping[str, Any] | None = None
    """A Vega-Lite specification."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """All claims hold: reproduced; some: partly; none: not reproduced."""
        if not self.claims:
            return Verdict.NONE
        held = [c.holds for c in self.claims]
        return (
            Verdict.REPRODUCED
            if all(held)
            else Verdict.PARTLY
            if any(held)
            else Verdict.NOT_REPRODUCED
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON; ``from_dict`` is its inverse."""
        return {**asdict(self), "verdict": str(self.verdict)}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Finding:
        known = {k: v for k, v in value.items() if k != "verdict"}
        known["numbers"] = {k: Number(**v) for k, v in value["numbers"].items()}
        known["claims"] = tuple(Claim(**c) for c in value["claims"])
        known["notes"] = tuple(value.get("notes", ()))
        return cls(**known)
