"""Names for the places in a decoder where activations can be read or written.

    L5.resid_pre     residual stream entering block 5               (row, position, width)
    L5.resid_mid     the same between attention and MLP
    L5.resid_post    the same leaving block 5 (before the final norm, also in the last block)
    L5.attn_out      what the attention adds to the stream (after Gemma's and OLMo 2's own norm)
    L5.mlp_out       what the MLP adds to the stream
    L5.H3.z          output of head 3 before W_O                    (row, position, head, size)
    L5.H3.q .k .v    outputs of the projections, before any norm and rotation; k and v count
                     key-value heads, of which grouped-query models have fewer
    L5.N17.neurons   input 17 of the MLP's down projection          (row, position, neuron)
    L5.H3.attn       attention weights of a query position          (row, position, head, key)
    logits           the model's output                             (row, position, vocabulary)

Without ``H3`` or ``N17`` a site means all of them. ``@4`` or ``@-1`` names one position: a column
of the batch, padding and tokens already in a cache counted; negative ones count from the end.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from scrubjay.probing.errors import ProbeError

STREAM = ("resid_pre", "resid_mid", "resid_post", "attn_out", "mlp_out")
QUERY_HEADS = ("z", "q", "attn")
KEY_HEADS = ("k", "v")
PER_HEAD = (*QUERY_HEADS, *KEY_HEADS)
COMPONENTS = (*STREAM, *PER_HEAD, "neurons", "logits")

_TEXT = re.compile(r"(?:L(\d+)\.)?(?:([HN])(\d+)\.)?([a-z_]+)(?:@(-?\d+))?")


@dataclass(frozen=True, slots=True)
class Site:
    """One place; ``str`` and ``parse`` are inverse.

    >>> str(Site("z", 5, head=3, position=-1))
    'L5.H3.z@-1'
    """

    component: str
    layer: int | None = None
    """None for the logits only."""
    head: int | None = None
    """Of ``z``, ``q``, ``k``, ``v``, ``attn``; of ``neurons``: the neuron. None: all."""
    position: int | None = None
    """None: all."""

    def __post_init__(self) -> None:
        if self.component not in COMPONENTS:
            known = ", ".join(COMPONENTS)
            raise ProbeError(f"there is no component '{self.component}'; known: {known}")
        if (self.layer is None) != (self.component == "logits"):
            need = "no" if self.layer is not None else "a"
            raise ProbeError(f"{self.component} needs {need} layer")
        if self.head is not None and self.component not in (*PER_HEAD, "neurons"):
            raise ProbeError(f"{self.component} has no heads")
        if min(self.layer or 0, self.head or 0) < 0:
            raise ProbeError(f"layers and heads count from 0, not {self.layer}, {self.head}")

    def __str__(self) -> str:
        layer = "" if self.layer is None else f"L{self.layer}."
        kind = "N" if self.component == "neurons" else "H"
        head = "" if self.head is None else f"{kind}{self.head}."
        return (
            f"{layer}{head}{self.component}{'' if self.position is None else f'@{self.position}'}"
        )

    @classmethod
    def parse(cls, text: str) -> Site:
        """Raises:
        ProbeError: the text names no site.
        """
        match = _TEXT.fullmatch(text.strip())
        if match is None:
            raise ProbeError(f"'{text}' names no site; write L5.H3.z@-1, L5.resid_post or logits")
        layer, kind, head, component, position = match.groups()
        if kind and (kind == "N") != (component == "neurons"):
            raise ProbeError(f"'{text}': heads are written H3, neurons N3")
        numbers = (None if x is None else int(x) for x in (layer, head, position))
        return cls(component, *numbers)

    def at(self, position: int | None) -> Site:
        """The same place at another position."""
        return replace(self, position=position)


SiteLike = Site | str | tuple[int, int]
"""A site, its text, or (layer, head) for a head's ``z``."""


def as_site(place: SiteLike) -> Site:
    """Raises:
    ProbeError: it is no site.
    """
    if isinstance(place, Site):
        return place
    if isinstance(place, str):
        return Site.parse(place)
    if isinstance(place, tuple) and len(place) == 2 and all(isinstance(x, int) for x in place):
        return Site("z", *place)
    raise ProbeError(f"{place!r} is no site; write Site('z', 5, head=3), 'L5.H3.z' or (5, 3)")


def as_sites(places: Iterable[SiteLike]) -> tuple[Site, ...]:
    """Each place once, in the order given.

    Raises:
        ProbeError: there are none, or one is no site.
    """
    sites = tuple(dict.fromkeys(as_site(place) for place in places))
    if not sites:
        raise ProbeError("no sites given")
    return sites
