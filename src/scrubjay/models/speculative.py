"""Speculative sampling: a small model drafts a block of tokens, a large one checks it in one pass.

    draft    x_1 … x_k from q                      k small passes
    check    p_1 … p_{k+1}                         one large pass over the block
    accept   x_j with probability min(1, p_j(x_j) / q_j(x_j)); at the first refusal draw from
             max(p_j - q_j, 0), normalised; if all are accepted, draw one more from p_{k+1}

What comes out is distributed exactly as the target's own samples (Leviathan et al. 2023, Chen et
al. 2023); a drafted token is accepted with probability 1 - TV(p, q). Temperature and nucleus are
applied to both sides first; at temperature 0 both are point masses and the rule says "while they
agree". Emulated up-scaling (paper 20, section 3.6) drafts with the small tuned model, which differs
from the combination only where knowledge matters.

Departure from the paper: it describes an agreement check whose details we could not verify; this is
the standard exact rule. One sequence at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import torch
from torch import Tensor

from scrubjay.core.errors import ModelError
from scrubjay.core.randomness import numpy_stream
from scrubjay.models.combined import CombinedModel, shared_vocabulary
from scrubjay.models.steps import Steps
from scrubjay.models.types import Completion, Prompt

if TYPE_CHECKING:
    import numpy as np


class Source(Protocol):
    """A distribution over next tokens that can read ahead and forget again."""

    @property
    def passes(self) -> int:
        """Forward passes made so far."""
        ...

    def next(self) -> Tensor:
        """Log-probabilities (vocabulary,) of what comes next."""
        ...

    def read(self, tokens: Sequence[int]) -> Tensor:
        """Read tokens in one pass; log-probabilities (tokens, vocabulary) after each."""
        ...

    def forget(self, count: int) -> None:
        """The last ``count`` tokens were never read."""
        ...


class Reading:
    """A ``CombinedModel`` as a source, having read one prompt. A plain model is one without
    differences: ``CombinedModel(weights, [])``."""

    def __init__(self, model: CombinedModel, prompts: Sequence[Sequence[int]]) -> None:
        """
        Args:
            prompts: the prompt's token ids for each of ``model.members``.
        """
        self.model = model
        self.steps: Steps = model.engine.steps([[list(p)] for p in prompts])
        self._after: list[Tensor] = [model.engine.combined(self.steps.logits)[0]]

    @property
    def passes(self) -> int:
        return self.steps.passes

    def next(self) -> Tensor:
        return self._after[-1]

    def read(self, tokens: Sequence[int]) -> Tensor:
        found = self.model.engine.combined(self.steps.feed(torch.tensor([list(tokens)])))[0]
        self._after += list(found)
        return found

    def forget(self, count: int) -> None:
        if count > 0:
            self.steps.rewind(count)
            del self._after[-count:]


@dataclass(frozen=True, slots=True)
class Drawn:
    """What was written and what it cost."""

    tokens: tuple[int, ...]
    """Without an end token."""
    accepted: int
    """Drafted tokens that were taken."""
    drafted: int
    """Drafted tokens that were checked."""
    passes: int
    """Forward passes of the target, its reading of the prompt left out."""
    ended: bool
    """Whether an end token closed it."""

    @property
    def acceptance(self) -> float:
        """Share of the checked drafts that were taken."""
        return self.accepted / max(1, self.drafted)


def speculative_sample(
    draft: Source,
    target: Source,
    *,
    most: int,
    block: int = 4,
    temperature: float = 1.0,
    top_p: float = 1.0,
    seed: int = 0,
    ends: Iterable[int] = (),
) -> Drawn:
    """Continue what both sources have read by up to ``most`` tokens, as the target would.

    Args:
        block: tokens drafted before each check.
        ends: token ids that end the text.

    Raises:
        ModelError: an argument is out of range.
    """
    if most < 1 or block < 1 or not temperature >= 0 or not 0 < top_p <= 1:
        raise ModelError(
            f"most ({most}) and block ({block}) must be at least 1, temperature ({temperature}) at "
            f"least 0 and top_p ({top_p}) above 0 and at most 1"
        )
    random, last = numpy_stream(seed, "speculative"), frozenset(ends)
    tokens: list[int] = []
    unread: list[int] = []
    """The token that the target chose itself: it reads it together with the next block."""
    accepted = drafted = 0
    before = target.passes
    ended = False
    while len(tokens) < most and not ended:
        room = min(block, most - len(tokens))
        guesses, odds = _drafted(draft, room, temperature, top_p, random, last)
        known = [] if unread else [target.next()]
        checked = [*known, *target.read([*unread, *guesses])]
        truths = [_shaped(row, temperature, top_p) for row in checked]
        taken, token = _verdict(guesses, odds, truths, random)
        drafted += min(taken + 1, len(guesses))
        accepted += taken
        for token_ in [*guesses[:taken], token][: most - len(tokens)]:
            ended = token_ in last
            if ended:
                break
            tokens.append(token_)
        for source in (draft, target):  # both go on from exactly what was taken
            source.forget(len(guesses) - taken)
        unread = [token]
        if len(tokens) < most and not ended:
            draft.read(unread)
    return Drawn(tuple(tokens), accepted, drafted, target.passes - before, ended)


def speculate(
    target: CombinedModel,
    draft: CombinedModel,
    prompt: Prompt,
    *,
    max_tokens: int,
    block: int = 4,
    temperature: float = 0.0,
    top_p: float = 1.0,
    seed: int = 0,
) -> tuple[Completion, Drawn]:
    """What ``target.generate`` would answer, drafted by another model of the same vocabulary.

    Returns:
        The answer (without log-probabilities), and what it cost.

    Raises:
        ModelError: vocabularies differ, the prompt doesn't fit, or an argument is out of range.
    """
    shared_vocabulary([*target.members, *draft.members])
    prompts, drafts = target.prompts(prompt), draft.prompts(prompt)
    longest = max(map(len, [*prompts, *drafts]))
    drawn = speculative_sample(
        Reading(draft, drafts),
        Reading(target, prompts),
        most=min(max_tokens, min(target.context, draft.context) - longest),
        block=block,
        temperature=temperature,
        top_p=top_p,
        seed=seed,
        ends=target.ends,
    )
    ids = prompts[0]
    text = target.codec.written(ids, drawn.tokens)
    finish: Literal["stop", "length"] = "stop" if drawn.ended else "length"
    told = Completion(
        text,
        drawn.tokens,
        finish=finish,
        tokens_in=len(ids),
        tokens_out=len(drawn.tokens),
        extra={"pieces": target.codec.pieces(drawn.tokens)},
    )
    return told, drawn


def _drafted(
    draft: Source,
    room: int,
    temperature: float,
    top_p: float,
    random: np.random.Generator,
    ends: frozenset[int],
) -> tuple[list[int], list[Tensor]]:
    """A block of tokens, and the distribution each was drawn from; it ends at an end token."""
    guesses: list[int] = []
    odds: list[Tensor] = []
    while len(guesses) < room and not (guesses and guesses[-1] in ends):
        odds.append(_shaped(draft.next(), temperature, top_p))
        guesses.append(_draw(odds[-1], random))
        draft.read(guesses[-1:])
    return guesses, odds


def _verdict(
    guesses: Sequence[int],
    odds: Sequence[Tensor],
    truths: Sequence[Tensor],
    random: np.random.Generator,
) -> tuple[int, int]:
    """How many guesses are taken, and the token that follows them."""
    for j, guess in enumerate(guesses):
        p, q = truths[j], odds[j]
        if random.random() * float(q[guess]) < float(p[guess]):
            continue
        rest = (p - q).clamp_min(0)
        return j, _draw(rest if float(rest.sum()) > 0 else p, random)
    return len(guesses), _draw(truths[len(guesses)], random)


def _shaped(logprobs: Tensor, temperature: float, top_p: float) -> Tensor:
    """Probabilities (vocabulary,) at a temperature, cut to a nucleus, in float64."""
    if temperature == 0:
        point = torch.zeros(logprobs.shape[-1], dtype=torch.double)
        point[int(logprobs.argmax())] = 1
        return point
    p = torch.softmax(logprobs.double() / temperature, -1)
    if top_p < 1:
        ordered, ids = p.sort(descending=True, stable=True)
        inside = ordered.cumsum(0) - ordered < top_p
        p = torch.zeros_like(p).scatter(0, ids, ordered * inside)
        p = p / p.sum()
    return p


def _draw(weights: Tensor, random: np.random.Generator) -> int:
    """A token in proportion to its weight."""
    mass = weights.cumsum(0)
    place = int(torch.searchsorted(mass, random.random() * float(mass[-1]), right=True))
    return min(place, len(mass) - 1)
