"""Answer search: which label does the model find likeliest in the open slot?

    P(y|x) = Σ_{z: g(z)=y} w(z|x) / Σ_z w(z|x)          (Liu et al. 2023, §2.2 and §5)

with ``w`` the probability of the answer's tokens (``normalise="sum"``: longer answers are less
likely) or its geometric mean per token (``"mean"``). A left-to-right model can't judge an answer by
what comes before the slot alone when text follows it, so a cloze is scored to the end of the filled
string. What precedes the slot is the same for all answers and cancels, in a sum; a mean is taken
over the tokens from the slot on.

Calibration takes out what the model prefers whatever the input: *contextual calibration* divides by
the labels' probabilities for content-free inputs (Zhao et al. 2021), *PMI* subtracts each answer's
log-probability for them (Holtzman et al. 2021). One content-free string is unstable; give several.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from scrubjay.core.errors import InputError
from scrubjay.models.prompting.demonstrations import Demonstrations
from scrubjay.models.prompting.template import Template, Verbaliser
from scrubjay.models.types import LanguageModel

Normalise = Literal["mean", "sum"]
Input = str | Sequence[str]
"""One input, or one text for each of the template's slots [X1], [X2], …"""

NULL_INPUTS = ("N/A", "[MASK]", "")
"""Content-free inputs of Zhao et al. (2021)."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """A distribution over labels, shaped like ``Choice``."""

    index: int
    option: str
    """The likeliest label ŷ."""
    probabilities: tuple[float, ...]
    """P(y|x), aligned with ``labels``."""
    labels: tuple[str, ...]
    answer: str = ""
    """The likeliest answer ẑ (which may stand for another label)."""

    @classmethod
    def of(cls, weights: Mapping[str, float], answer: str = "") -> Labelled:
        """Normalise non-negative weights; the first of equals wins.

        Raises:
            InputError: all weights are zero.
        """
        total = math.fsum(weights.values())
        if not total > 0.0:
            raise InputError("no label has any weight, so there is nothing to choose")
        labels = tuple(weights)
        shares = tuple(weights[y] / total for y in labels)
        index = shares.index(max(shares))
        return cls(index, labels[index], shares, labels, answer)


@dataclass(frozen=True, slots=True)
class Calibration:
    """What the model prefers for content-free inputs."""

    normalise: Normalise
    labels: Mapping[str, float]
    """P(y|null), to divide by; empty for PMI."""
    answers: Mapping[str, float]
    """log w(z|null), to subtract; empty for contextual calibration."""


async def answer_search(
    model: LanguageModel,
    template: Template,
    x: Input,
    verbaliser: Verbaliser,
    *,
    normalise: Normalise = "mean",
    calibration: Calibration | None = None,
    demonstrations: Demonstrations | None = None,
    context: int | None = None,
) -> Labelled:
    """P(y|x) over the verbaliser's labels by exact log-probabilities of all answers.

    ``context`` is the model's window in tokens: a longer input is cut (see ``Template.fit``).

    Raises:
        InputError: wrong number of inputs, or a calibration made with another ``normalise``.
        ModelError: the model gives no log-probabilities, or none for a text's first token and the
            template begins with [Z].
    """
    if calibration is not None and calibration.normalise != normalise:
        raise InputError(
            f"the calibration was made with normalise='{calibration.normalise}', the search uses "
            f"'{normalise}'"
        )
    scores = await _scores(
        model, template, x, verbaliser, normalise, demonstrations=demonstrations, context=context
    )
    if calibration is not None and calibration.answers:
        scores = {z: s - calibration.answers[z] for z, s in scores.items()}
    weights = _by_label(scores, verbaliser)
    if calibration is not None and calibration.labels:
        weights = {y: w / calibration.labels[y] for y, w in weights.items()}
    return Labelled.of(weights, max(scores, key=lambda z: scores[z]))


async def contextual_calibration(
    model: LanguageModel,
    template: Template,
    verbaliser: Verbaliser,
    null_inputs: Sequence[str] = NULL_INPUTS,
    *,
    normalise: Normalise = "mean",
    demonstrations: Demonstrations | None = None,
) -> Calibration:
    """P(y|null), averaged over the content-free inputs (each fills all input slots).

    Raises:
        InputError: there are no content-free inputs.
    """
    found = [
        _by_label(scores, verbaliser)
        for scores in await _null(
            model, template, verbaliser, null_inputs, normalise, demonstrations
        )
    ]
    shares = [Labelled.of(weights).probabilities for weights in found]
    means = [math.fsum(column) / len(shares) for column in zip(*shares)]
    return Calibration(normalise, dict(zip(verbaliser.labels, means)), {})


async def pmi_calibration(
    model: LanguageModel,
    template: Template,
    verbaliser: Verbaliser,
    null_inputs: Sequence[str] = NULL_INPUTS,
    *,
    normalise: Normalise = "mean",
    demonstrations: Demonstrations | None = None,
) -> Calibration:
    """log of each answer's weight, averaged over the content-free inputs: for PMI scoring.

    With it ``answer_search`` weighs answers by w(z|x) / w(z|null) = exp(PMI(z; x)).

    Raises:
        InputError: there are no content-free inputs.
    """
    found = await _null(model, template, verbaliser, null_inputs, normalise, demonstrations)
    means = {
        z: _log_sum([scores[z] for scores in found]) - math.log(len(found))
        for z in verbaliser.answers
    }
    return Calibration(normalise, {}, means)


async def _null(
    model: LanguageModel,
    template: Template,
    verbaliser: Verbaliser,
    null_inputs: Sequence[str],
    normalise: Normalise,
    demonstrations: Demonstrations | None,
) -> list[dict[str, float]]:
    if isinstance(null_inputs, str) or not null_inputs:
        raise InputError("calibration needs a list with at least one content-free input")
    return [
        await _scores(
            model,
            template,
            [null] * template.inputs,
            verbaliser,
            normalise,
            demonstrations=demonstrations,
        )
        for null in null_inputs
    ]


async def _scores(
    model: LanguageModel,
    template: Template,
    x: Input,
    verbaliser: Verbaliser,
    normalise: Normalise,
    *,
    demonstrations: Demonstrations | None,
    context: int | None = None,
) -> dict[str, float]:
    """log w(z|x) for all answers z."""
    inputs = [x] if isinstance(x, str) else list(x)
    shown = demonstrations.text(template, inputs, verbaliser) if demonstrations else ""
    if context is None:
        prompted = template.add(*inputs)
    else:
        longest = max(model.count_tokens(z) for z in verbaliser.answers)
        room = context - longest - model.count_tokens(shown)
        prompted = template.fit(inputs, room, model.count_tokens)
    scored = await model.score(
        (shown + prompted.before).rstrip(),
        [prompted.continuation(answer) for answer in verbaliser.answers],
    )
    return {
        z: s.mean if normalise == "mean" else s.total for z, s in zip(verbaliser.answers, scored)
    }


def _by_label(scores: Mapping[str, float], verbaliser: Verbaliser) -> dict[str, float]:
    """Σ_{z: g(z)=y} w(z), scaled so that the largest w is 1 (it cancels in the end)."""
    best = max(scores.values())
    weights = dict.fromkeys(verbaliser.labels, 0.0)
    for answer, score in scores.items():
        weights[verbaliser.label(answer)] += math.exp(score - best)
    return weights


def _log_sum(logs: Sequence[float]) -> float:
    best = max(logs)
    return best + math.log(math.fsum(math.exp(v - best) for v in logs))
