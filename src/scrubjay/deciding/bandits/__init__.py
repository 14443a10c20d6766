"""Bandits: choose, see what that choice brought, choose better. One algorithm family a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scrubjay.core.lazy import lazy

if TYPE_CHECKING:
    from scrubjay.deciding.bandits.bayes import (
        BayesOptimal,
        GreedyBeta,
        GreedyNormal,
        optimal_values,
    )
    from scrubjay.deciding.bandits.bounds import lai_robbins, proven
    from scrubjay.deciding.bandits.contextual import (
        ContextArms,
        ContextualZooming,
        DiscretisedContexts,
        PerContext,
        SurfaceArms,
    )
    from scrubjay.deciding.bandits.curves import RegretCurve, chart, fit_slope
    from scrubjay.deciding.bandits.doubling import Doubling
    from scrubjay.deciding.bandits.elimination import SuccessiveElimination
    from scrubjay.deciding.bandits.environments import (
        AdversarialTable,
        AgainstCopy,
        IIDArms,
        hard_pair,
        swap_table,
    )
    from scrubjay.deciding.bandits.exp3 import Exp3, Exp3P, Exp4
    from scrubjay.deciding.bandits.experts import Hedge, WeightedMajority
    from scrubjay.deciding.bandits.games import MatrixGame, Played, RegretMatching
    from scrubjay.deciding.bandits.greedy import EpsilonGreedy, ExploreFirst, Greedy, Uniform
    from scrubjay.deciding.bandits.incentives import (
        MyopicUsers,
        PriorArms,
        RepeatedHiddenExploration,
        never_tried_bound,
        obedience_limit,
    )
    from scrubjay.deciding.bandits.knapsack_players import (
        EliminationBwK,
        LagrangeBwK,
        PrimalDualBwK,
        UCB1UntilBroke,
        UcbBwK,
    )
    from scrubjay.deciding.bandits.knapsacks import KnapsackArms, mixture
    from scrubjay.deciding.bandits.lanes import Lanes
    from scrubjay.deciding.bandits.linear import LinearArms, LinTS, LinUCB
    from scrubjay.deciding.bandits.lipschitz import LipschitzArms, UniformGrid, Zooming
    from scrubjay.deciding.bandits.policies import (
        OracleExploreThenExploit,
        linear_policies,
        offline_ips,
    )
    from scrubjay.deciding.bandits.racing import race
    from scrubjay.deciding.bandits.registry import BANDITS, make_bandit
    from scrubjay.deciding.bandits.routing import (
        FTPL,
        Routes,
        RoutingArms,
        SemiBanditFTPL,
        SemiBanditHedge,
    )
    from scrubjay.deciding.bandits.thompson import ThompsonBeta, ThompsonNormal
    from scrubjay.deciding.bandits.types import Bandit, Environment, Setting, SingleBandit
    from scrubjay.deciding.bandits.ucb import KLUCB, UCB1, UCBTuned

_WHERE = {
    "AdversarialTable": "environments",
    "AgainstCopy": "environments",
    "BANDITS": "registry",
    "Bandit": "types",
    "BayesOptimal": "bayes",
    "ContextArms": "contextual",
    "ContextualZooming": "contextual",
    "DiscretisedContexts": "contextual",
    "Doubling": "doubling",
    "EliminationBwK": "knapsack_players",
    "Environment": "types",
    "EpsilonGreedy": "greedy",
    "Exp3": "exp3",
    "Exp3P": "exp3",
    "Exp4": "exp3",
    "ExploreFirst": "greedy",
    "FTPL": "routing",
    "Greedy": "greedy",
    "GreedyBeta": "bayes",
    "GreedyNormal": "bayes",
    "Hedge": "experts",
    "IIDArms": "environments",
    "KLUCB": "ucb",
    "KnapsackArms": "knapsacks",
    "LagrangeBwK": "knapsack_players",
    "Lanes": "lanes",
    "LinTS": "linear",
    "LinUCB": "linear",
    "LinearArms": "linear",
    "LipschitzArms": "lipschitz",
    "MatrixGame": "games",
    "MyopicUsers": "incentives",
    "OracleExploreThenExploit": "policies",
    "PerContext": "contextual",
    "Played": "games",
    "PrimalDualBwK": "knapsack_players",
    "PriorArms": "incentives",
    "RegretCurve": "curves",
    "RegretMatching": "games",
    "RepeatedHiddenExploration": "incentives",
    "Routes": "routing",
    "RoutingArms": "routing",
    "SemiBanditFTPL": "routing",
    "SemiBanditHedge": "routing",
    "Setting": "types",
    "SingleBandit": "types",
    "SuccessiveElimination": "elimination",
    "SurfaceArms": "contextual",
    "ThompsonBeta": "thompson",
    "ThompsonNormal": "thompson",
    "UCB1": "ucb",
    "UCB1UntilBroke": "knapsack_players",
    "UCBTuned": "ucb",
    "UcbBwK": "knapsack_players",
    "Uniform": "greedy",
    "UniformGrid": "lipschitz",
    "WeightedMajority": "experts",
    "Zooming": "lipschitz",
    "chart": "curves",
    "fit_slope": "curves",
    "hard_pair": "environments",
    "lai_robbins": "bounds",
    "linear_policies": "policies",
    "make_bandit": "registry",
    "mixture": "knapsacks",
    "never_tried_bound": "incentives",
    "obedience_limit": "incentives",
    "offline_ips": "policies",
    "optimal_values": "bayes",
    "proven": "bounds",
    "race": "racing",
    "swap_table": "environments",
}

__all__ = [
    "BANDITS",
    "FTPL",
    "KLUCB",
    "UCB1",
    "AdversarialTable",
    "AgainstCopy",
    "Bandit",
    "BayesOptimal",
    "ContextArms",
    "ContextualZooming",
    "DiscretisedContexts",
    "Doubling",
    "EliminationBwK",
    "Environment",
    "EpsilonGreedy",
    "Exp3",
    "Exp3P",
    "Exp4",
    "ExploreFirst",
    "Greedy",
    "GreedyBeta",
    "GreedyNormal",
    "Hedge",
    "IIDArms",
    "KnapsackArms",
    "LagrangeBwK",
    "Lanes",
    "LinTS",
    "LinUCB",
    "LinearArms",
    "LipschitzArms",
    "MatrixGame",
    "MyopicUsers",
    "OracleExploreThenExploit",
    "PerContext",
    "Played",
    "PrimalDualBwK",
    "PriorArms",
    "RegretCurve",
    "RegretMatching",
    "RepeatedHiddenExploration",
    "Routes",
    "RoutingArms",
    "SemiBanditFTPL",
    "SemiBanditHedge",
    "Setting",
    "SingleBandit",
    "SuccessiveElimination",
    "SurfaceArms",
    "ThompsonBeta",
    "ThompsonNormal",
    "UCB1UntilBroke",
    "UCBTuned",
    "UcbBwK",
    "Uniform",
    "UniformGrid",
    "WeightedMajority",
    "Zooming",
    "chart",
    "fit_slope",
    "hard_pair",
    "lai_robbins",
    "linear_policies",
    "make_bandit",
    "mixture",
    "never_tried_bound",
    "obedience_limit",
    "offline_ips",
    "optimal_values",
    "proven",
    "race",
    "swap_table",
]

__getattr__ = lazy(__name__, _WHERE)
