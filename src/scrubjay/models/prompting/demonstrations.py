"""Demonstrations: answered prompts put before the question (in-context learning).

What is shown and in which order moves accuracy a lot (Liu et al. 2023, §6.2), so both are explicit
and seeded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from scrubjay.core.errors import InputError
from scrubjay.core.randomness import stream
from scrubjay.models.prompting.template import Template, Verbaliser

if TYPE_CHECKING:
    import numpy as np

Example = tuple[str | Sequence[str], str]
"""Input (or inputs) and label."""


@dataclass
class Demonstrations:
    """``k`` of ``examples``, chosen for each question.

    Raises:
        InputError: fewer than ``k`` examples, or ``knn`` without an encoder.
    """

    examples: Sequence[Example]
    k: int
    select: Literal["random", "knn"] = "random"
    """``random``: one sample for all questions; ``knn``: those most like the question."""
    order: Literal["best-last", "best-first", "random"] = "best-last"
    """``best-last``: the most similar (of a random sample: the first) next to the question."""
    encode: Callable[[Sequence[str]], np.ndarray] | None = None
    """For ``knn``: texts to an array (texts, dimensions); likeness is the inner product."""
    seed: int = 0
    separator: str = "\n\n"
    _vectors: np.ndarray | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not 0 < self.k <= len(self.examples):
            raise InputError(
                f"{self.k} demonstrations are wanted, and there are {len(self.examples)} examples"
            )
        if self.select == "knn" and self.encode is None:
            raise InputError("choosing the nearest demonstrations (knn) needs an encoder")

    def pick(self, inputs: Sequence[str]) -> list[Example]:
        """The examples to show for ``inputs``, in the order to show them.

        An example with the very same input is never shown: it would give the answer away.
        """
        pool = [i for i, (x, _) in enumerate(self.examples) if _inputs(x) != list(inputs)]
        if self.select == "knn":
            pool = self._nearest(inputs, pool)
        else:
            drawn = list(range(len(self.examples)))
            stream(self.seed, "demonstrations").shuffle(drawn)
            allowed = set(pool)
            pool = [i for i in drawn if i in allowed]
        chosen = pool[: self.k]
        if self.order == "best-last":
            chosen.reverse()
        elif self.order == "random":
            stream(self.seed, "order", *inputs).shuffle(chosen)
        return [self.examples[i] for i in chosen]

    def text(self, template: Template, inputs: Sequence[str], verbaliser: Verbaliser) -> str:
        """The answered prompts (each with its label's first answer), to put before the question.

        Raises:
            InputError: an example has a label that the verbaliser doesn't know.
        """
        shown = []
        for x, label in self.pick(inputs):
            if label not in verbaliser.answers_of:
                raise InputError(
                    f"a demonstration has the label '{label}', unknown to the verbaliser"
                )
            answered = template.add(*_inputs(x)).fill(verbaliser.answers_of[label][0])
            shown.append(answered + self.separator)
        return "".join(shown)

    def _nearest(self, inputs: Sequence[str], pool: Sequence[int]) -> list[int]:
        assert self.encode is not None
        if self._vectors is None:
            self._vectors = self.encode([" ".join(_inputs(x)) for x, _ in self.examples])
        near = self._vectors @ self.encode([" ".join(inputs)])[0]
        return sorted(pool, key=lambda i: (-float(near[i]), i))


def _inputs(x: str | Sequence[str]) -> list[str]:
    return [x] if isinstance(x, str) else list(x)
