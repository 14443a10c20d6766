"""A player put to the test on new blocks, one a lane, and what it did there.

    reward by episode    mean return of the 1st, 2nd, … episode with the same task
    coverage, index      what of the arms was tried, and when (``evaluation.exploring``)
    looked               share of blocks in which the 1st, 2nd, … action was a look-up

The blocks of a seed are the same for every player, and they differ from those of practice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from scrubjay.core.errors import InputError
from scrubjay.deciding.bandits.bayes import optimal_values, tractable
from scrubjay.deciding.checkpoint import load_model, save_model
from scrubjay.evaluation.exploring import by_episode, coverage, explore_index
from scrubjay.training.rl.explorer import rivals
from scrubjay.training.rl.networks import QNetwork, QSpec, build_network
from scrubjay.training.rl.stretches import Player, Stretch, play
from scrubjay.worlds.arms import BernoulliArms, GaussianArms
from scrubjay.worlds.blocks import RUNNING, RepeatedTask, TaskLaw
from scrubjay.worlds.lookup import AskOrGuess


@dataclass(frozen=True, slots=True)
class Trial:
    """See above; None where a world has no arms, or nothing to look up."""

    player: str
    reward: float
    """Mean return of an episode."""
    by_episode: Sequence[float]
    coverage: Sequence[float] | None = None
    """Share of the arms tried in the first 3, and in the first 8 pulls."""
    explore_index: float | None = None
    looked: Sequence[float] | None = None


def hold_trial(tasks: TaskLaw, block: int, blocks: int, seed: int, player: Player | str) -> Trial:
    """Let a player, or a rival by its name, play ``blocks`` blocks of ``block`` episodes.

    Raises:
        InputError: no blocks, or no rival of that name.
    """
    stream = RepeatedTask(tasks, block).open(blocks, seed, "test")
    if isinstance(player, str):
        found = [p for p in rivals(stream) if p.name == player]
        if not found:
            raise InputError(f"nobody is called '{player}' among those who play this")
        player = found[0]
    played = play(stream, player, block * tasks.longest, seed)
    returns = by_episode(played.reward, played.code != RUNNING, block)
    return Trial(
        player.name,
        float(np.nanmean(returns)),
        np.nanmean(returns, axis=0).tolist(),
        *_tried(tasks, played),
        _looked(tasks, played),
    )


def rival_names(tasks: TaskLaw, block: int) -> list[str]:
    """Everybody who can be held a trial by name."""
    return [p.name for p in rivals(RepeatedTask(tasks, block).open(1, 0))]


def optimum(tasks: TaskLaw, block: int) -> float | None:
    """The best expected return of an episode, where it is known: for look-ups, and for few pulls of
    coins."""
    if isinstance(tasks, AskOrGuess):
        return tasks.optimum(block)[0] / block
    if isinstance(tasks, BernoulliArms) and tractable(tasks.arms, block):
        return float(optimal_values(tasks.arms, block).flat[0]) / block
    return None


def _tried(tasks: TaskLaw, played: Stretch) -> tuple[list[float] | None, float | None]:
    if not isinstance(tasks, (GaussianArms, BernoulliArms)):
        return None, None
    middle = 0.0 if isinstance(tasks, GaussianArms) else 0.5
    index = explore_index(played.action, played.reward, tasks.arms, middle)
    tried = [float(coverage(played.action, tasks.arms, first).mean()) for first in (3, 8)]
    return tried, None if np.isnan(index).all() else float(np.nanmean(index))


def _looked(tasks: TaskLaw, played: Stretch) -> list[float] | None:
    if not isinstance(tasks, AskOrGuess):
        return None
    found: list[float] = (played.action == tasks.look_up).mean(axis=0).tolist()
    return found


def save_agent(network: QNetwork, path: Path) -> None:
    """Weights and what they are of, as one safetensors file.

    Raises:
        DiskError: the file can't be written.
    """
    save_model(path, network, asdict(network.spec))


def load_agent(path: Path) -> QNetwork:
    """What ``save_agent`` kept.

    Raises:
        InputError: the file isn't there, or is not such an agent.
    """
    return load_model(path, lambda spec: build_network(QSpec(**spec)), "an agent of train explorer")
