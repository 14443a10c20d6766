"""Does a place in a small subspace of the stream decide which thing of a list is recalled?

    for each point z of a grid:   stream ← stream − U Uᵀ stream + U z     at the last token
    z*(index) = the point with the best recall of what is missing at that index, on half A
    gain      = recall at z*(index) minus recall untouched, on half B (other lists, other things)

The grid spans twice the observed range of each coordinate around its mean. Every subspace gets the
same search, so that what a random one gains is what searching gains. That z* is chosen by the index
is knowledge no reader has: the gain says what the subspace controls, not how to repair a model.
Source: paper 11, sections 3.4 and 3.5 of our sheet; the split is our reading of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from scrubjay.probing.anatomy import Anatomy
from scrubjay.probing.errors import ProbeError
from scrubjay.probing.inputs import as_inputs, padded
from scrubjay.probing.open import OpenModel
from scrubjay.probing.recording import record
from scrubjay.probing.sites import Site
from scrubjay.probing.subspace import at_points
from scrubjay.probing.word_tokens import word_tokens
from scrubjay.worlds.lists import RemainingItem

if TYPE_CHECKING:
    from numpy.typing import NDArray

TOKENS = 2048
"""Tokens of a batch, about."""


@dataclass(frozen=True, slots=True)
class Recalled:
    """How each list was completed, and the stream at its last token."""

    right: NDArray[np.float64]
    """Whether the thing left is the likeliest of the list's things."""
    said: NDArray[np.float64]
    """Whether it is the likeliest of all tokens."""
    state: Tensor
    """(lists, d_model) entering the layer that was asked for."""


@dataclass(frozen=True, slots=True)
class Searched:
    """What the best point of each index did on the held-out half."""

    right: NDArray[np.float64]
    said: NDArray[np.float64]
    chosen: Tensor
    """(indices, n) the best points."""
    spread: float
    """Distance between the mean coordinates of two indices over the spread within one."""


def recall_lists(model: OpenModel, lists: Sequence[RemainingItem], layer: int = 0) -> Recalled:
    """Complete each list.

    Raises:
        ProbeError: there are none, or a thing is more than one token.
    """
    anatomy = Anatomy.of(model.model)
    (site,) = anatomy.check(Site("resid_pre", layer, position=-1))
    right, said, states = [], [], []
    ids, tokens = _prompts(model, lists)
    size = max(1, TOKENS // max(map(len, ids)))
    for start in range(0, len(ids), size):
        inputs = as_inputs(anatomy, padded(ids[start : start + size]))
        with torch.no_grad(), record(anatomy, site) as seen:
            logits = anatomy.model(**inputs, use_cache=False, logits_to_keep=1).logits[:, -1].cpu()
        part = slice(start, start + size)
        scored = _score(logits[:, None], lists[part], tokens[part])
        right.append(scored[0][:, 0])
        said.append(scored[1][:, 0])
        states.append(seen[site])
    return Recalled(np.concatenate(right), np.concatenate(said), torch.cat(states))


def search(
    model: OpenModel,
    train: Sequence[RemainingItem],
    test: Sequence[RemainingItem],
    u: Tensor,
    *,
    layer: int,
    states: Tensor,
    side: int = 5,
) -> Searched:
    """Find the best point of each index on ``train`` and move ``test`` there.

    Args:
        u: orthonormal columns (d_model, n).
        layer: whose incoming stream is moved.
        states: the stream of ``train`` there, from ``recall_lists``.
        side: points along each axis.

    Raises:
        ProbeError: the lists have different lengths or an index is missing, or as ``at_points``.
    """
    count = len(train[0].items)
    if {len(x.items) for x in (*train, *test)} != {count} or side < 2:
        raise ProbeError("a search takes lists of one length, and 2 points along each axis or more")
    index = torch.tensor([x.missing for x in train])
    if set(index.tolist()) != set(range(count)) or len(states) != len(train):
        raise ProbeError("half A needs a list for every index of the thing that is left")
    here = states.double() @ u.double()
    points = _grid(here, side)
    ids, tokens = _prompts(model, train)
    logits, _ = at_points(model.model, padded(ids), u, points, layer=layer, tokens=tokens)
    share = logits.softmax(-1).gather(-1, index[:, None, None].expand(-1, len(points), 1))[..., 0]
    hit = (logits.argmax(-1) == index[:, None]).double()
    value = hit + 0.001 * share  # ties go to the surer point
    best = torch.stack([points[value[index == i].mean(0).argmax()] for i in range(count)])
    ids, tokens = _prompts(model, test)
    own = best[torch.tensor([x.missing for x in test])][:, None]
    moved, _ = at_points(model.model, padded(ids), u, own, layer=layer)
    right, said = _score(moved, test, tokens)
    return Searched(right[:, 0], said[:, 0], best, _spread(here, index))


def principal(states: Tensor, n: int = 3) -> Tensor:
    """The ``n`` directions in which the states vary most, as columns."""
    x = states.double()
    v: Tensor = torch.linalg.svd(x - x.mean(0), full_matrices=False).Vh[:n]
    return v.T


def _grid(here: Tensor, side: int) -> Tensor:
    low, high = here.min(0).values, here.max(0).values
    reach = torch.linspace(-1, 1, side, dtype=here.dtype)
    axes = [m + reach * (b - a) for m, a, b in zip(here.mean(0), low, high, strict=True)]
    return torch.cartesian_prod(*axes).reshape(-1, here.shape[1])


def _spread(here: Tensor, index: Tensor) -> float:
    groups = [here[index == i] for i in sorted(set(index.tolist()))]
    means = torch.stack([g.mean(0) for g in groups])
    within = torch.cat([g - g.mean(0) for g in groups]).square().sum(1).mean().sqrt()
    between = torch.pdist(means).mean()
    return float(between / within) if float(within) > 0 else 0.0


def _prompts(model: OpenModel, lists: Sequence[RemainingItem]) -> tuple[list[list[int]], Tensor]:
    """Token ids of each text, and of its things."""
    if not lists:
        raise ProbeError("there are no lists to recall from")
    tokenizer = model.tokenizer
    one = word_tokens(tokenizer, {w for x in lists for w in x.items})
    tokens = torch.tensor([[one[w] for w in x.items] for x in lists])
    return [tokenizer(x.text)["input_ids"] for x in lists], tokens


def _score(
    logits: Tensor, lists: Sequence[RemainingItem], tokens: Tensor
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(lists, points): likeliest of the list's things, and of all tokens."""
    missing = torch.tensor([x.missing for x in lists])
    among = logits.gather(-1, tokens[:, None].expand(-1, logits.shape[1], -1))
    right = among.argmax(-1) == missing[:, None]
    said = logits.argmax(-1) == tokens.gather(1, missing[:, None])
    return right.double().numpy(), said.double().numpy()
