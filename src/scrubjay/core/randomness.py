"""Seeded randomness that doesn't depend on order.

Every part that draws asks for its own stream, named by what it is for: adding a draw in one place
never changes another, and the same seed gives the same numbers on every machine.

>>> stream(7, "names", "city").random() == stream(7, "names", "city").random()
True
>>> stream(7, "names", "city").random() == stream(7, "names", "river").random()
False
"""

from __future__ import annotations

import hashlib
import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def derive(seed: int, *names: object) -> int:
    """A 64-bit seed for the stream called ``names`` under ``seed``."""
    text = "\x1f".join([str(seed), *map(str, names)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def stream(seed: int, *names: object) -> random.Random:
    """The pseudo-random stream called ``names`` under ``seed`` (standard library flavour)."""
    return random.Random(derive(seed, *names))


def numpy_stream(seed: int, *names: object) -> np.random.Generator:
    """The same as a numpy generator (PCG64)."""
    import numpy as np

    return np.random.Generator(np.random.PCG64(derive(seed, *names)))
