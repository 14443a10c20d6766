"""How much of each mechanism? A small causal model of where an answer is looked up.

    Y_i = w_pos exp(−(i − i_P)² / 2σ(i_P)²) + w_lex[i_L] 1{i = i_L} + w_ref[i_R] 1{i = i_R}
    σ(p) = a (p/n)² + b (p/n) + c,  |σ| ≥ 0.05          prediction = softmax_i Y

Fitted to a model's mean distribution over groups for every (i_P, i_L, i_R) by the Jensen–Shannon
divergence in bits; similarity JSS = 1 − JSD is reported on triples that neither trained it nor
stopped it. Variants leave a term out, make the positional one a single group (``one-hot``, the
prevailing view), or free for every pair of groups (``oracle``). Source: paper 04, section 3.4 of
our sheet. Departures: σ is clamped; triples count by how often they were seen; w_pos starts at 0
like the other weights, and this uniform mixture is the first that held-out triples may choose, so
that answers which follow no mechanism leave no weight behind.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from scrubjay.probing.errors import ProbeError

Positional = Literal["spread", "one-hot", "oracle", "none"]
VARIANTS: dict[str, tuple[Positional, bool, bool]] = {
    "M": ("spread", True, True),
    "M, oracle P": ("oracle", True, True),
    "M, one-hot P": ("one-hot", True, True),
    "M without P": ("none", True, True),
    "M without L": ("spread", False, True),
    "M without R": ("spread", True, False),
    "P one-hot": ("one-hot", False, False),
    "P": ("spread", False, False),
    "L": ("none", True, False),
    "R": ("none", False, True),
    "uniform": ("none", False, False),
}
"""Name → positional term, lexical term, reflexive term."""


class MechanismMixture(nn.Module):
    """See the top of this file."""

    def __init__(
        self,
        n: int,
        positional: Positional = "spread",
        *,
        lexical: bool = True,
        reflexive: bool = True,
    ) -> None:
        """Raises:
        ProbeError: there are fewer than two groups.
        """
        super().__init__()
        if n < 2:
            raise ProbeError(f"a mixture needs two groups at least, not {n}")
        self.n, self.positional = n, positional
        self.w_pos = nn.Parameter(torch.zeros(()))
        self.width = nn.Parameter(torch.tensor([0.0, 0.0, 3.0]))
        self.free = nn.Parameter(torch.zeros(n, n))
        self.w_lex = nn.Parameter(torch.zeros(n)) if lexical else None
        self.w_ref = nn.Parameter(torch.zeros(n)) if reflexive else None

    def sigma(self) -> Tensor:
        """Spread of the positional term at each group: (n,)."""
        x = torch.arange(self.n) / self.n
        a, b, c = self.width
        spread: Tensor = a * x**2 + b * x + c
        return spread.abs().clamp(min=0.05)

    def forward(self, index: Tensor) -> Tensor:
        """Log-probabilities (rows, n) of rows (i_P, i_L, i_R)."""
        # products with one-hot rows, for gradients through indexing take several times as long
        p, l, r = nn.functional.one_hot(index, self.n).float().unbind(1)  # noqa: E741
        y = torch.zeros_like(p)
        if self.positional == "oracle":
            y = y + p @ self.free
        elif self.positional == "one-hot":
            y = y + self.w_pos * p
        elif self.positional == "spread":
            far = (torch.arange(self.n) - index[:, :1]).float()
            y = y + self.w_pos * torch.exp(-(far**2) / (2 * (p @ self.sigma())[:, None] ** 2))
        if self.w_lex is not None:
            y = y + self.w_lex * l
        if self.w_ref is not None:
            y = y + self.w_ref * r
        return y.log_softmax(-1)


def mixture_of(
    n: int,
    *,
    position: float = 0.0,
    lexical: float = 0.0,
    reflexive: float = 0.0,
    spread: float = 1.0,
) -> MechanismMixture:
    """A mixture of known weights, the same for all groups: ground truth for what is fitted.

    Raises:
        ProbeError: there are fewer than two groups.
    """
    model = MechanismMixture(n)
    assert model.w_lex is not None
    assert model.w_ref is not None
    with torch.no_grad():
        model.w_pos.fill_(position)
        model.w_lex.fill_(lexical)
        model.w_ref.fill_(reflexive)
        model.width.copy_(torch.tensor([0.0, 0.0, spread]))
    return model


@dataclass(frozen=True, slots=True)
class Fitted:
    """A fitted variant."""

    model: MechanismMixture
    similarity: Tensor
    """(test triples,) JSS of each."""


def jss(p: Tensor, q: Tensor) -> Tensor:
    """1 − Jensen–Shannon divergence in bits of distributions (…, n): 1 alike, 0 disjoint."""
    m = (p + q) / 2

    def divergence(x: Tensor) -> Tensor:
        return (x * (x.clamp(min=1e-12) / m.clamp(min=1e-12)).log2()).sum(-1)

    return 1 - (divergence(p) + divergence(q)) / 2


def fit_mixture(
    index: Tensor,
    target: Tensor,
    variant: str = "M",
    *,
    epochs: int = 2000,
    patience: int = 200,
    seed: int = 0,
) -> Fitted:
    """Fit a variant to distributions ``target`` (rows, n) at triples ``index`` (rows, 3).

    Rows of one triple are averaged; 70/15/15 of the triples train, stop and test.

    Raises:
        ProbeError: there is no such variant, the shapes don't fit, rows are no distributions, or
            there are fewer than seven different triples.
    """
    if variant not in VARIANTS:
        raise ProbeError(f"there is no variant '{variant}'; known: {', '.join(VARIANTS)}")
    triples, means, weight = _averaged(index, target)
    random = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(triples), generator=random)
    some = max(1, round(0.15 * len(order)))
    test, stop, train = order[:some], order[some : 2 * some], order[2 * some :]
    positional, lexical, reflexive = VARIANTS[variant]
    model = MechanismMixture(target.shape[1], positional, lexical=lexical, reflexive=reflexive)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05, fused=True)

    def similarity(rows: Tensor) -> Tensor:
        return jss(model(triples[rows]).exp(), means[rows])

    both, share = torch.cat([train, stop]), weight[train] / weight[train].sum()
    best, kept, waited = -1.0, _now(model), 0
    for _ in range(epochs if variant != "uniform" else 0):
        near = similarity(both)
        value = near[len(train) :].mean().item()
        waited += 1
        if value > best + 1e-5:
            best, kept, waited = value, _now(model), 0
        if waited > patience:
            break
        optimizer.zero_grad()
        ((1 - near[: len(train)]) * share).sum().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    model.load_state_dict(kept)
    with torch.no_grad():
        return Fitted(model, similarity(test))


def _now(model: nn.Module) -> dict[str, Tensor]:
    return {k: v.clone() for k, v in model.state_dict().items()}


def _averaged(index: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Different triples, their mean distributions, and how often each was seen."""
    if index.dim() != 2 or index.shape[1] != 3 or target.dim() != 2 or len(index) != len(target):
        raise ProbeError("a fit takes triples (rows, 3) and distributions (rows, n)")
    n = target.shape[1]
    whole = target.double().sum(-1)
    if (
        not bool(target.isfinite().all())
        or float((whole - 1).abs().max()) > 1e-3
        or target.min() < 0
    ):
        raise ProbeError("the rows to be fitted must be distributions over the groups")
    if int(index.min()) < 0 or int(index.max()) >= n:
        raise ProbeError(f"triples name groups from 0 to {n - 1}")
    triples, which = torch.unique(index, dim=0, return_inverse=True)
    if len(triples) < 7:
        raise ProbeError(f"{len(triples)} different triples are too few to split and fit")
    count = torch.zeros(len(triples)).index_add_(0, which, torch.ones(len(index)))
    means = torch.zeros(len(triples), n).index_add_(0, which, target.float()) / count[:, None]
    return triples, means, count
