"""Where universes come from: the atlas of real facts, random universes, and files of any common kind.

``load_universe`` turns a specification into a universe; each kind has its own module.
"""

from __future__ import annotations
