"""Bandits by name, as the command line takes them; other packages add to ``scrubjay.bandits``."""

from __future__ import annotations

from scrubjay.core.registry import Registry
from scrubjay.deciding.bandits.types import Bandit

_HOME = "scrubjay.deciding.bandits"
BANDITS = Registry(
    "bandit",
    uniform=f"{_HOME}.greedy:Uniform",
    greedy=f"{_HOME}.greedy:Greedy",
    greedy_beta=f"{_HOME}.bayes:GreedyBeta",
    bayes_optimal=f"{_HOME}.bayes:BayesOptimal",
    explore_first=f"{_HOME}.greedy:ExploreFirst",
    epsilon_greedy=f"{_HOME}.greedy:EpsilonGreedy",
    successive_elimination=f"{_HOME}.elimination:SuccessiveElimination",
    ucb1=f"{_HOME}.ucb:UCB1",
    ucb_tuned=f"{_HOME}.ucb:UCBTuned",
    kl_ucb=f"{_HOME}.ucb:KLUCB",
    thompson=f"{_HOME}.thompson:ThompsonBeta",
    thompson_normal=f"{_HOME}.thompson:ThompsonNormal",
    exp3=f"{_HOME}.exp3:Exp3",
    exp3p=f"{_HOME}.exp3:Exp3P",
    hedge=f"{_HOME}.experts:Hedge",
    regret_matching=f"{_HOME}.games:RegretMatching",
)


def make_bandit(name: str) -> Bandit:
    """The algorithm called ``name`` with its usual settings.

    Raises:
        UnknownName: nobody registered that name; the message lists the known ones.
    """
    bandit: Bandit = BANDITS.get(name)()
    return bandit
