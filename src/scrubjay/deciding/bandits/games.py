"""Bandits that play each other: regret becomes an equilibrium.

    two no-regret players of a zero-sum game: average play is eps-Nash,
        eps = (R(T) + R'(T)) / T                                              (Theorem 9.5)
    no-regret players of any game: the average joint play is an eps-coarse correlated equilibrium,
        eps = max_i R_i(T) / T                                                (Theorem 9.8)
    regret matching: play an action in proportion to its positive regret     (Hart, Mas-Colell 2000)

Source: Slivkins, Introduction to Multi-Armed Bandits, chapter 9; the value of a zero-sum game by
linear programming. Payoffs are scaled to [0, 1] before a bandit sees them and back afterwards.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from scrubjay.deciding.bandits.experts import all_seen
from scrubjay.deciding.bandits.lanes import Floats, Ints, Lanes, pick
from scrubjay.deciding.bandits.types import Bandit, Feedback, Setting, finite


@dataclass(frozen=True, slots=True, eq=False)
class Played:
    """What came of a game, per run."""

    joint: Floats
    """Share of rounds in which both played so: array (runs, rows, columns)."""
    regret: Floats
    """Of both players a round, against their best fixed action: array (runs, 2)."""
    gain: Floats
    """Average payoff of both: array (runs, 2)."""

    @property
    def row(self) -> Floats:
        """The row player's average strategy."""
        return np.asarray(self.joint.sum(axis=2))

    @property
    def column(self) -> Floats:
        """The column player's average strategy."""
        return np.asarray(self.joint.sum(axis=1))


@dataclass(frozen=True, eq=False)
class MatrixGame:
    """Two players; entry (i, j) is what the row player, and the column player, gets for i and j.

    Args:
        row: payoffs of the row player.
        column: payoffs of the column player; by default minus ``row`` (zero-sum).

    Raises:
        ValueError: an empty matrix, one that isn't finite, or two of different shape.
    """

    row: Any
    column: Any = None

    def __post_init__(self) -> None:
        row = np.asarray(self.row, dtype=np.float64)
        column = -row if self.column is None else np.asarray(self.column, dtype=np.float64)
        if row.ndim != 2 or not row.size or row.shape != column.shape:
            raise ValueError("a game needs a matrix of payoffs, of one shape for both players")
        if not (np.isfinite(row).all() and np.isfinite(column).all()):
            raise ValueError("payoffs must be finite numbers")
        object.__setattr__(self, "row", row)
        object.__setattr__(self, "column", column)

    def play(
        self, one: Bandit, other: Bandit, rounds: int, runs: int = 10, seed: int = 0
    ) -> Played:
        """Let two bandits play; algorithms with full feedback see what each action would have got.

        Raises:
            ValueError: no rounds, or an algorithm that needs other feedback.
        """
        players = [copy.deepcopy(one), copy.deepcopy(other)]
        payoffs = [_Side(self.row), _Side(self.column.T)]
        for who, (player, side) in enumerate(zip(players, payoffs)):
            if player.feedback not in ("bandit", "full"):
                raise ValueError(f"'{player.name}' needs {player.feedback} feedback, not a game's")
            player.begin(Setting(len(side.table), rounds), Lanes(seed, runs, "game", who))
        rows = np.arange(runs)
        joint = np.zeros((runs, *self.row.shape))
        for _ in range(rounds):
            moves = [player.select() for player in players]
            joint[rows, moves[0], moves[1]] += 1
            for who, (player, side) in enumerate(zip(players, payoffs)):
                would = side.scaled[:, moves[1 - who]].T
                player.update(
                    moves[who],
                    would[rows, moves[who]],
                    would if player.feedback == "full" else None,
                )
        return self._played(joint / rounds)

    def _played(self, joint: Floats) -> Played:
        gain = np.stack([(joint * p).sum(axis=(1, 2)) for p in (self.row, self.column)], axis=1)
        best_row = (joint.sum(axis=1) @ self.row.T).max(axis=1)
        best_column = (joint.sum(axis=2) @ self.column).max(axis=1)
        return Played(joint, np.stack([best_row, best_column], axis=1) - gain, gain)

    def duality_gap(self, row: Floats, column: Floats) -> Floats:
        """How far two strategies (…, actions) are from a Nash equilibrium of a zero-sum game: the
        sum of what both could gain by deviating.

        Raises:
            ValueError: the game is not zero-sum.
        """
        if not np.allclose(self.row, -self.column):
            raise ValueError("a duality gap belongs to a zero-sum game")
        return np.asarray((column @ self.row.T).max(axis=-1) - (row @ self.row).min(axis=-1))

    def coarse_gap(self, joint: Floats) -> Floats:
        """What the player with more to gain could gain by leaving the joint law (runs, rows,
        columns) for one fixed action: at most 0 in a coarse correlated equilibrium."""
        return np.asarray(self._played(joint).regret.max(axis=1))

    def value(self) -> float:
        """What the row player of a zero-sum game can be sure of (linear programming).

        Raises:
            ValueError: the game is not zero-sum.
        """
        from scipy.optimize import linprog

        if not np.allclose(self.row, -self.column):
            raise ValueError("only a zero-sum game has a value")
        m, n = self.row.shape
        found = linprog(
            [*[0.0] * m, -1.0],
            A_ub=np.hstack([-self.row.T, np.ones((n, 1))]),
            b_ub=np.zeros(n),
            A_eq=[[*[1.0] * m, 0.0]],
            b_eq=[1.0],
            bounds=[*[(0, None)] * m, (None, None)],
            method="highs",
        )
        return float(-found.fun)


class _Side:
    """A player's payoffs, own actions first, also scaled to [0, 1]."""

    def __init__(self, table: Floats) -> None:
        spread = table.max() - table.min()
        self.table = table
        self.scaled = (table - table.min()) / spread if spread else np.full_like(table, 0.5)


@dataclass
class RegretMatching:
    """Plays every action in proportion to how much it would have gained; without settings.

    Average regret falls as sqrt(K / T).
    """

    name: str = "regret-matching"
    feedback: ClassVar[Feedback] = "full"

    def begin(self, setting: Setting, lanes: Lanes) -> None:
        self._lanes = lanes
        self._regrets: Floats = np.zeros((len(lanes), setting.arms))

    def probabilities(self) -> Floats:
        positive = np.maximum(self._regrets, 0)
        total = positive.sum(axis=1, keepdims=True)
        return np.where(total > 0, positive / np.where(total > 0, total, 1), 1 / positive.shape[1])

    def select(self, context: Any = None) -> Ints:
        return pick(self.probabilities(), self._lanes.uniform())

    def update(self, arms: Ints, reward: Floats, seen: Any = None) -> None:
        rewards = finite(all_seen(seen, self.name))
        self._regrets += rewards - finite(reward)[:, None]
