"""How someone explored: reward by episode of a block, what was tried, and when.

    reward by episode   mean return of the 1st, 2nd, … episode (pull) with the same task
    coverage            share of all arms tried within the first k pulls
    explore index       chance of pulling an untried arm where one is left *and* some tried arm has
                        brought more than ``good`` on average: whoever only exploits gets 0

All take arrays (lanes, steps), one block a lane, all episodes of one step except in
``by_episode``. Source: paper 07, sheet, "what the library must contain".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scrubjay.core.errors import InputError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def by_episode(reward: Floats, ended: NDArray[np.bool_], episodes: int) -> Floats:
    """Return of each lane's first ``episodes`` episodes: array (lanes, episodes).

    Args:
        ended: where an episode ended, (lanes, steps). NaN stands where none of that number ended.

    Raises:
        InputError: no episodes.
    """
    if episodes < 1:
        raise InputError(f"at least one episode is counted, not {episodes}")
    lanes, steps = reward.shape
    number: Ints = np.cumsum(ended, axis=1) - ended
    out: Floats = np.zeros((lanes, episodes))
    rows = np.broadcast_to(np.arange(lanes)[:, None], (lanes, steps))
    counted = number < episodes
    np.add.at(out, (rows[counted], number[counted]), reward[counted])
    finished = ended.sum(axis=1)
    return np.where(np.arange(episodes) < finished[:, None], out, np.nan)


def coverage(action: Ints, arms: int, first: int) -> Floats:
    """Share of the arms that each lane tried in its first pulls: array (lanes,).

    >>> coverage(np.array([[0, 0, 1, 2], [1, 1, 1, 1]]), arms=4, first=3).tolist()
    [0.5, 0.25]
    """
    pulled = action[:, :first, None] == np.arange(arms)
    return np.asarray(pulled.any(axis=1).mean(axis=1))


def explore_index(action: Ints, reward: Floats, arms: int, good: float = 0.0) -> Floats:
    """Per lane, the share of such pulls that were of an untried arm; NaN where there were none.

    >>> pulls, rewards = np.array([[0, 1, 0, 0]]), np.array([[1.0, -1.0, 1.0, 1.0]])
    >>> explore_index(pulls, rewards, arms=3).round(3).tolist()
    [0.333]
    """
    pulled = (action[:, :, None] == np.arange(arms)).astype(np.float64)
    # Before each pull: how often and with what sum every arm was pulled.
    times = np.cumsum(pulled, axis=1) - pulled
    paid = pulled * reward[:, :, None]
    sums = np.cumsum(paid, axis=1) - paid
    tempted = ((times > 0) & (sums > good * times)).any(axis=2) & (times == 0).any(axis=2)
    untried = np.take_along_axis(times, action[:, :, None], axis=2)[:, :, 0] == 0
    counted = tempted.sum(axis=1)
    tried = (tempted & untried).sum(axis=1)
    return np.where(counted > 0, tried / np.maximum(counted, 1), np.nan)
