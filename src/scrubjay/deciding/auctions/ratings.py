"""TrueSkill: how good players are, from the order in which games ended.

    skill_i ~ N(μ_i, σ_i² + τ²)        performance_i ~ N(skill_i, β²)
    placed above:  performance_i − performance_j > ε
    drawn:        |performance_i − performance_j| ≤ ε
    ε = Φ⁻¹((1 + p_draw) / 2) √2 β

The posterior of the skills is approximated by Gaussians (expectation propagation along the chain of
neighbours in the final order, until nothing changes), as in Herbrich, Minka & Graepel (2007). For
two players one step is exact in its moments. ``bradley_terry`` looks at all games at once, so that
it can't depend on their order; use it as a check.

Used by AucArena (paper 48, 3.5) on the ranking by profit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import NormalDist

from scrubjay.core.randomness import stream
from scrubjay.deciding.auctions.game import AuctionError

_UNIT = NormalDist()
ROUNDS, SETTLED = 200, 1e-9


@dataclass(frozen=True, slots=True)
class Rating:
    """A skill: N(mu, sigma²)."""

    mu: float = 25.0
    sigma: float = 25.0 / 3


@dataclass
class TrueSkillLadder:
    """Ratings of players by name; ``game`` takes the result of one game.

    Args:
        beta: spread of a performance around the skill.
        tau: how much a skill may drift between games.
        draw: share of draws between equals.

    Raises:
        AuctionError: a spread that is not above 0, or a share of draws outside [0, 1).
    """

    beta: float = 25.0 / 6
    tau: float = 25.0 / 300
    draw: float = 0.1
    ratings: dict[str, Rating] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.beta > 0 or not self.tau >= 0 or not 0 <= self.draw < 1:
            raise AuctionError("a ladder needs beta > 0, tau ≥ 0 and a share of draws in [0, 1)")

    def rating(self, player: str) -> Rating:
        """The player's rating; a newcomer's when it never played."""
        return self.ratings.get(player, Rating())

    def game(self, scores: Mapping[str, float]) -> None:
        """One game: the higher score is placed above, equal scores are draws.

        Raises:
            AuctionError: fewer than two players, or a score that is not finite.
        """
        if len(scores) < 2 or not all(map(math.isfinite, scores.values())):
            raise AuctionError("a rated game needs two or more players with finite scores")
        order = sorted(scores, key=lambda p: -scores[p])
        priors = [self.rating(p) for p in order]
        drawn = [scores[a] == scores[b] for a, b in pairwise(order)]
        self.ratings |= dict(zip(order, self._updated(priors, drawn)))

    def _updated(self, priors: Sequence[Rating], drawn: Sequence[bool]) -> list[Rating]:
        skills = [_Gauss.of(r.mu, r.sigma**2 + self.tau**2) for r in priors]
        plays = [_Gauss.of(r.mu, r.sigma**2 + self.tau**2 + self.beta**2) for r in priors]
        margin = _UNIT.inv_cdf((1 + self.draw) / 2) * math.sqrt(2) * self.beta
        # Messages from the k-th comparison to the player above (0) and below (1) it.
        sent = [[_Gauss(), _Gauss()] for _ in drawn]
        forth = range(len(drawn))
        for _ in range(ROUNDS):
            change = 0.0
            for k in (*forth, *reversed(forth[:-1])):
                change = max(change, _compare(k, drawn[k], margin, plays, sent))
            if change < SETTLED:
                break
        out = []
        for i, skill in enumerate(skills):
            heard = _Gauss()
            for k, side in ((i - 1, 1), (i, 0)):
                if 0 <= k < len(sent):
                    heard *= sent[k][side]
            # Through the noise of the performance, down to the skill.
            if heard.precision > 0:
                skill *= _Gauss.of(heard.mean, heard.variance + self.beta**2)
            out.append(Rating(skill.mean, math.sqrt(skill.variance)))
        return out


@dataclass(frozen=True, slots=True)
class _Gauss:
    """A Gaussian in natural parameters; products add, quotients subtract. The default is flat."""

    precision: float = 0.0
    weighted: float = 0.0

    @classmethod
    def of(cls, mean: float, variance: float) -> _Gauss:
        return cls(1 / variance, mean / variance)

    @property
    def mean(self) -> float:
        return self.weighted / self.precision

    @property
    def variance(self) -> float:
        return 1 / self.precision

    def __mul__(self, other: _Gauss) -> _Gauss:
        return _Gauss(self.precision + other.precision, self.weighted + other.weighted)

    def __truediv__(self, other: _Gauss) -> _Gauss:
        return _Gauss(self.precision - other.precision, self.weighted - other.weighted)


def _compare(
    k: int, drawn: bool, margin: float, plays: list[_Gauss], sent: list[list[_Gauss]]
) -> float:
    """One comparison sends its messages again; returns how much they changed."""
    above, below = plays[k], plays[k + 1]
    if k > 0:
        above *= sent[k - 1][1]
    if k + 1 < len(sent):
        below *= sent[k + 1][0]
    mean, variance = above.mean - below.mean, above.variance + below.variance
    spread = math.sqrt(variance)
    shift, shrink = _truncated(mean / spread, margin / spread, drawn)
    exact = _Gauss.of(mean + spread * shift, variance * max(1e-12, 1 - shrink))
    told = exact / _Gauss.of(mean, variance)
    if told.precision <= 0:  # the comparison was certain beforehand: nothing to tell
        new = [_Gauss(), _Gauss()]
    else:
        new = [
            _Gauss.of(told.mean + below.mean, told.variance + below.variance),
            _Gauss.of(above.mean - told.mean, told.variance + above.variance),
        ]
    change = max(
        max(abs(a.precision - b.precision), abs(a.weighted - b.weighted))
        for a, b in zip(new, sent[k])
    )
    sent[k] = new
    return change


def _truncated(t: float, margin: float, drawn: bool) -> tuple[float, float]:
    """V and W: mean shift and variance loss of N(t, 1) cut to (margin, ∞) or [−margin, margin]."""
    if not drawn:
        x = t - margin
        below = _UNIT.cdf(x)
        v = _UNIT.pdf(x) / below if below > 1e-250 else -x
        return v, min(1.0, max(0.0, v * (v + x)))
    mass = _UNIT.cdf(margin - t) - _UNIT.cdf(-margin - t)
    if mass < 1e-12:  # a draw that was all but impossible, or no margin at all
        nearest = min(max(t, -margin), margin)
        return nearest - t, 1.0
    upper, lower = margin - t, -margin - t
    v = (_UNIT.pdf(lower) - _UNIT.pdf(upper)) / mass
    w = v * v + (upper * _UNIT.pdf(upper) - lower * _UNIT.pdf(lower)) / mass
    return v, min(1.0, max(0.0, w))


def rate(games: Sequence[Mapping[str, float]], *, seed: int = 0) -> dict[str, Rating]:
    """Ratings after all games, taken in an order drawn by ``seed``."""
    ladder = TrueSkillLadder()
    order = list(range(len(games)))
    stream(seed, "order of games").shuffle(order)
    for i in order:
        ladder.game(games[i])
    return ladder.ratings


def bradley_terry(
    games: Sequence[Mapping[str, float]], *, rounds: int = 500, prior: float = 0.5
) -> dict[str, float]:
    """log strengths (mean 0) from all pairs of all games at once, ties counting half.

    ``prior`` half-wins each way between any two keep an unbeaten player's strength finite.
    """
    names = sorted({p for g in games for p in g})
    won = {a: {b: prior for b in names if b != a} for a in names}
    for game in games:
        for a in game:
            for b in game:
                if a != b:
                    won[a][b] += 1.0 if game[a] > game[b] else 0.5 if game[a] == game[b] else 0.0
    strength = dict.fromkeys(names, 1.0)
    for _ in range(rounds):
        new = {
            a: sum(won[a].values())
            / sum((won[a][b] + won[b][a]) / (strength[a] + strength[b]) for b in won[a])
            for a in names
            if won[a]
        }
        scale = math.exp(sum(map(math.log, new.values())) / max(1, len(new)))
        strength = {a: s / scale for a, s in new.items()}
    return {a: math.log(s) for a, s in strength.items()}
