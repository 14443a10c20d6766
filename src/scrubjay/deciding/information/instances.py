"""Hiring problems to try mechanisms on.

    two_workers           a fair coin, and a shared source that is right with chance 0.7; a worker
                          sees the source (with a rare flip), an idle one sees a fair coin
    auditor               the second agent only checks the first: its own signal is worth little
    overlapping_sources   n searchers over a corpus of which they share a part: correlated signals
    random_instance       Dirichlet laws

Source: ours, after the models of Cacciamani, Castiglioni and Gatti (2023).
"""

from __future__ import annotations

import itertools

import numpy as np

from scrubjay.core.randomness import numpy_stream
from scrubjay.deciding.information.hiring import HiringInstance


def two_workers(cap: float = 0.5, flip: float = 0.01, cost: float = 0.05) -> HiringInstance:
    """Two equal agents with one shared source: idle (0) or working (1).

    Raises:
        ValueError: ``flip`` is not a probability; what ``HiringInstance`` refuses.
    """
    return _coin_problem(0.7, (flip, flip), (cost, cost), cap)


def auditor(cap: float = 0.5, blur: float = 0.4, cost: float = 0.1) -> HiringInstance:
    """A worker whose signal is good, and an auditor whose own is blurred: only worth asking to keep
    the worker honest.

    Raises:
        ValueError: ``blur`` is not a probability; what ``HiringInstance`` refuses.
    """
    return _coin_problem(0.9, (0.01, blur), (cost, 0.01), cap)


def _coin_problem(
    right: float, flips: tuple[float, float], costs: tuple[float, float], cap: float
) -> HiringInstance:
    if not all(0 <= f <= 1 for f in flips):
        raise ValueError(f"a flip has a probability in [0, 1], not {max(flips):g}")
    law = np.zeros((2, 2, 2, 2, 2))
    for th, source in itertools.product(range(2), repeat=2):
        chance = 0.5 * (right if source == th else 1 - right)
        for b in np.ndindex(2, 2):
            sees = [
                [(1 - flips[i]) if s == source else flips[i] for s in range(2)]
                if b[i]
                else [0.5, 0.5]
                for i in range(2)
            ]
            law[(*b, slice(None), slice(None), th)] += chance * np.outer(
                np.array(sees[0]), np.array(sees[1])
            )
    return HiringInstance(law, [[0, c] for c in costs], np.eye(2), cap)


def overlapping_sources(
    agents: int = 2,
    shared: float = 0.5,
    right: float = 0.8,
    cost: float = 0.05,
    cap: float = 0.5,
) -> HiringInstance:
    """Searchers of which each reads, with chance ``shared``, the shelf they all have in common and
    else one of its own; a shelf tells the truth about a coin with chance ``right``.

    Raises:
        ValueError: not 1 to 5 agents, or a number that is not a probability.
    """
    if not 1 <= agents <= 5:
        raise ValueError(f"from 1 to 5 searchers, not {agents}")
    if not (0 <= shared <= 1 and 0 <= right <= 1):
        raise ValueError("'shared' and 'right' are probabilities in [0, 1]")
    law = np.zeros((2,) * (2 * agents + 1))
    for th, shelf in itertools.product(range(2), repeat=2):
        chance = 0.5 * (right if shelf == th else 1 - right)
        for b in np.ndindex(*(2,) * agents):
            joint = np.array(chance)
            for works in b:
                own = np.array([right if s == th else 1 - right for s in range(2)])
                same = np.eye(2)[shelf]
                sees = shared * same + (1 - shared) * own if works else np.full(2, 0.5)
                joint = np.multiply.outer(joint, sees)
            law[b + (slice(None),) * agents + (th,)] += joint
    return HiringInstance(law, [[0, cost]] * agents, np.eye(2), cap)


def random_instance(
    seed: int,
    agents: int = 2,
    efforts: int = 2,
    signals: int = 2,
    states: int = 2,
    cap: float = 1.0,
) -> HiringInstance:
    """A random law that is the more informative the more effort is put in.

    Effort b of a agent shows its own clear signal with chance b / (efforts - 1), else noise.

    Raises:
        ValueError: what ``HiringInstance`` refuses.
    """
    rng = numpy_stream(seed, "hiring", agents, efforts, signals, states)
    prior = rng.dirichlet(np.full(states, 3.0))
    # A common source and own ones: signals of different agents are correlated given the state.
    sources = 3
    common = rng.dirichlet(np.ones(sources), states)
    clear = rng.dirichlet(np.full(signals, 0.3), (agents, states, sources))
    noise = rng.dirichlet(np.ones(signals), agents)
    law = np.zeros((efforts,) * agents + (signals,) * agents + (states,))
    for b in np.ndindex(*(efforts,) * agents):
        for th, source in itertools.product(range(states), range(sources)):
            joint = np.array(prior[th] * common[th, source])
            for i in range(agents):
                share = b[i] / max(efforts - 1, 1)
                sees = share * clear[i, th, source] + (1 - share) * noise[i]
                joint = np.multiply.outer(joint, sees)
            law[b + (slice(None),) * agents + (th,)] += joint
    costs = [np.append(0, np.sort(rng.uniform(0.01, 0.1, efforts - 1))) for _ in range(agents)]
    utility = np.eye(states) + 0.2 * rng.random((states, states))
    return HiringInstance(law, costs, utility, cap)
