"""Information acquisition: hiring agents for what they can find out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scrubjay.core.lazy import lazy

if TYPE_CHECKING:
    from scrubjay.deciding.information.allocation import SearchAllocator, SearchPlan, plan_search
    from scrubjay.deciding.information.deviations import (
        Check,
        Deviation,
        best_response,
        check_mechanism,
        pure_equilibria,
        value_under,
    )
    from scrubjay.deciding.information.hiring import HiringInstance, Infeasible
    from scrubjay.deciding.information.instances import (
        auditor,
        overlapping_sources,
        random_instance,
        two_workers,
    )
    from scrubjay.deciding.information.mechanism import (
        Mechanism,
        best_product_mechanism,
        best_profile_mechanism,
        optimal_mechanism,
    )
    from scrubjay.deciding.information.online import ExploreCommitPrincipal, OnlineRun
    from scrubjay.deciding.information.scoring import expected_score, scores
    from scrubjay.deciding.information.strict import robustify, strict_rules, with_rules

_WHERE = {
    "Check": "deviations",
    "Deviation": "deviations",
    "ExploreCommitPrincipal": "online",
    "HiringInstance": "hiring",
    "Infeasible": "hiring",
    "Mechanism": "mechanism",
    "OnlineRun": "online",
    "SearchAllocator": "allocation",
    "SearchPlan": "allocation",
    "auditor": "instances",
    "best_product_mechanism": "mechanism",
    "best_profile_mechanism": "mechanism",
    "best_response": "deviations",
    "check_mechanism": "deviations",
    "expected_score": "scoring",
    "optimal_mechanism": "mechanism",
    "overlapping_sources": "instances",
    "plan_search": "allocation",
    "pure_equilibria": "deviations",
    "random_instance": "instances",
    "robustify": "strict",
    "scores": "scoring",
    "strict_rules": "strict",
    "two_workers": "instances",
    "value_under": "deviations",
    "with_rules": "strict",
}

__all__ = [
    "Check",
    "Deviation",
    "ExploreCommitPrincipal",
    "HiringInstance",
    "Infeasible",
    "Mechanism",
    "OnlineRun",
    "SearchAllocator",
    "SearchPlan",
    "auditor",
    "best_product_mechanism",
    "best_profile_mechanism",
    "best_response",
    "check_mechanism",
    "expected_score",
    "optimal_mechanism",
    "overlapping_sources",
    "plan_search",
    "pure_equilibria",
    "random_instance",
    "robustify",
    "scores",
    "strict_rules",
    "two_workers",
    "value_under",
    "with_rules",
]

__getattr__ = lazy(__name__, _WHERE)
