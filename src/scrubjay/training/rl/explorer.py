"""An agent that is to explore though it only exploits: one plan, trained, and who it is held to.

    1  recurring structure      ``blocks.block``: how often the same task comes again
    2  memory                   ``memory``: all of the block, one step, or nothing
    3  long-horizon credit      ``learn.gamma_episode``: whether later episodes count

The three conditions of paper 07 (section 3.1) are three settings of a ``Plan``; ``rivals`` are the
players that have an exploration rule or know the truth, on the same information.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from scrubjay.core.errors import InputError
from scrubjay.deciding.bandits import UCB1, EpsilonGreedy, ThompsonBeta, ThompsonNormal
from scrubjay.deciding.bandits.bayes import BayesOptimal, GreedyBeta, GreedyNormal, tractable
from scrubjay.deciding.bandits.types import Bandit
from scrubjay.training.rl.dqn import DQN, Experience, Learned, Practice, train_dqn
from scrubjay.training.rl.networks import Kind, QNetwork, QSpec, build_network
from scrubjay.training.rl.players import ByBandit, Chance, Informed
from scrubjay.training.rl.stretches import Player
from scrubjay.worlds.arms import BernoulliArms, GaussianArms
from scrubjay.worlds.blocks import BlockStream, RepeatedTask
from scrubjay.worlds.lake import Lakes

if TYPE_CHECKING:
    from scrubjay.worlds.blocks import TaskLaw

Memory = Literal["all", "one step", "nothing"] | int
"""An integer is a window of so many steps, for a transformer."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that an agent's weights depend on.

    Raises:
        InputError: a memory that isn't there (see also ``QSpec``).
    """

    blocks: RepeatedTask
    memory: Memory = "all"
    kind: Kind = "gru"
    width: int = 48
    learn: DQN = field(default_factory=DQN)
    lanes: int = 128
    steps: int = 32
    """Of a stretch that is learned from at once; a block's worth or more."""
    anneal: float = 0.5
    """Share of the updates in which epsilon falls from 1 to 0.05."""
    seed: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.memory, int) and self.memory not in ("all", "one step", "nothing"):
            raise InputError(
                f"a memory holds 'all', 'one step', 'nothing' or a number of steps, not "
                f"'{self.memory}'"
            )

    def network(self) -> QNetwork:
        """The agent before it learned anything."""
        window = {"all": None, "one step": 1, "nothing": None}.get(str(self.memory), self.memory)
        spec = QSpec.of(
            self.blocks.tasks,
            kind=self.kind,
            width=self.width,
            window=window,
            blind=self.memory == "nothing",
        )
        return build_network(spec, self.seed)

    def practice(self) -> Practice:
        """Its own play on new tasks."""
        anneal = int(self.anneal * self.learn.updates)
        return Practice(self.blocks, self.lanes, self.steps, anneal, seed=self.seed)


def train_explorer(
    plan: Plan,
    experience: Experience | None = None,
    *,
    checkpoint: Path | None = None,
    look: Callable[[int, Learned], None] | None = None,
) -> tuple[QNetwork, list[Learned]]:
    """The trained agent, and what every update saw.

    Args:
        experience: what it learns from; by default its own practice.
        checkpoint: as in ``train_dqn``.
        look: as in ``train_dqn``.

    Raises:
        InputError: as ``train_dqn``.
        DiskError: as ``train_dqn``.
    """
    network = plan.network()
    learned = train_dqn(
        network, experience or plan.practice(), plan.learn, checkpoint=checkpoint, look=look
    )
    return network, learned


def rivals(stream: BlockStream) -> list[Player]:
    """Who else plays this stream, with the true prior and noise and the block's length.

    Arms (in fixed blocks): chance, epsilon-greedy, exact greed, Thompson sampling, UCB1, and the
    optimum for few Bernoulli pulls. Lakes: chance, and whoever knows the lake.
    """
    law, blocks = stream.blocks.tasks, stream.blocks
    found: list[Player] = [Chance(law.actions)]
    if isinstance(stream.tasks, Lakes):
        return [*found, Informed(stream.tasks.optimal)]
    if blocks.law == "fixed" and isinstance(law, (GaussianArms, BernoulliArms)):
        bandits = _bandits(law, int(blocks.block))
        found += [ByBandit(b, law.arms, int(blocks.block)) for b in bandits]
    return found


def _bandits(law: GaussianArms | BernoulliArms, horizon: int) -> list[Bandit]:
    exact = "greedy posterior mean"
    if isinstance(law, GaussianArms):
        return [
            EpsilonGreedy(0.1),
            GreedyNormal(law.spread, law.noise, name=exact),
            ThompsonNormal(law.spread, law.noise, name="thompson"),
            # sqrt(2 noise² log T / n), the radius for normal noise that is known.
            UCB1(alpha=2 * law.noise**2),
        ]
    # Rewards of 0 and 1 spread at most like normal noise of deviation 1/2.
    bandits: list[Bandit] = [EpsilonGreedy(0.1), GreedyBeta(name=exact)]
    bandits += [ThompsonBeta(), UCB1(alpha=0.5)]
    if tractable(law.arms, horizon):
        bandits.append(BayesOptimal())
    return bandits


def task_named(name: str) -> TaskLaw:
    """The tasks that the command line knows: arms, coins, lake, lookup.

    Raises:
        UnknownName: there are none of that name.
    """
    from scrubjay.core.errors import UnknownName
    from scrubjay.worlds.lake import LakeMaze
    from scrubjay.worlds.lookup import AskOrGuess

    known: dict[str, Callable[[], TaskLaw]] = {
        "arms": GaussianArms,
        "coins": BernoulliArms,
        "lake": lambda: LakeMaze(limit=10),
        "lookup": AskOrGuess,
    }
    if name not in known:
        raise UnknownName("task", name, known)
    return known[name]()
