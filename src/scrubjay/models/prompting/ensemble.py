"""Several templates for one task, and one answer (Liu et al. 2023, §6.1)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from scrubjay.core.errors import InputError
from scrubjay.models.prompting.answers import (
    Calibration,
    Input,
    Labelled,
    Normalise,
    answer_search,
)
from scrubjay.models.prompting.demonstrations import Demonstrations
from scrubjay.models.prompting.template import Template, Verbaliser
from scrubjay.models.types import LanguageModel


@dataclass(frozen=True)
class Ensemble:
    """Templates whose answers are combined.

    Raises:
        InputError: no templates; ``weights`` missing, superfluous, negative or all zero.
    """

    templates: Sequence[Template]
    how: Literal["uniform", "weighted", "vote"] = "uniform"
    """``uniform`` and ``weighted`` average P(y|x); ``vote`` counts each template's likeliest label,
    and ties go to the label with the higher average."""
    weights: Sequence[float] = ()
    """For ``weighted``: one a template, such as its accuracy on the labelled examples."""

    def __post_init__(self) -> None:
        if not self.templates:
            raise InputError("an ensemble needs at least one template")
        wanted = len(self.templates) if self.how == "weighted" else 0
        if len(self.weights) != wanted:
            raise InputError(
                f"a {self.how} ensemble of {len(self.templates)} templates takes {wanted} weights, "
                f"but {len(self.weights)} came"
            )
        if self.how == "weighted" and (min(self.weights) < 0 or sum(self.weights) <= 0):
            raise InputError("the weights of an ensemble may not be negative, nor all be zero")

    async def search(
        self,
        model: LanguageModel,
        x: Input,
        verbaliser: Verbaliser,
        *,
        normalise: Normalise = "mean",
        calibrations: Sequence[Calibration] = (),
        demonstrations: Demonstrations | None = None,
    ) -> Labelled:
        """The combined distribution; ``calibrations`` has one a template, or none at all."""
        if calibrations and len(calibrations) != len(self.templates):
            raise InputError("an ensemble takes one calibration for each template, or none")
        results = await asyncio.gather(
            *(
                answer_search(
                    model,
                    template,
                    x,
                    verbaliser,
                    normalise=normalise,
                    calibration=calibrations[i] if calibrations else None,
                    demonstrations=demonstrations,
                )
                for i, template in enumerate(self.templates)
            )
        )
        return self.combine(results)

    def combine(self, results: Sequence[Labelled]) -> Labelled:
        """One distribution out of one a template. After ``vote`` the shares are those of votes."""
        weights = self.weights or [1.0] * len(results)
        labels = results[0].labels
        average = {
            y: sum(w * r.probabilities[i] for w, r in zip(weights, results)) / sum(weights)
            for i, y in enumerate(labels)
        }
        if self.how != "vote":
            return Labelled.of(average)
        votes = {y: float(sum(r.option == y for r in results)) for y in labels}
        shares = Labelled.of(votes)
        winner = max(labels, key=lambda y: (votes[y], average[y]))
        return Labelled(labels.index(winner), winner, shares.probabilities, labels)
