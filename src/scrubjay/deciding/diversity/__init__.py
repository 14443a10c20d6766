"""Quality-diversity: many different solutions, and the good ones among them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scrubjay.core.lazy import lazy

if TYPE_CHECKING:
    from scrubjay.deciding.diversity.autoencoder import Autoencoder
    from scrubjay.deciding.diversity.descriptors import HandMade, LearnedDescriptor
    from scrubjay.deciding.diversity.emitters import CMAEmitter, ElitistEmitter
    from scrubjay.deciding.diversity.environments import GymProblem, PolicyProblem
    from scrubjay.deciding.diversity.methods import MapElites, RandomSearch, make_method
    from scrubjay.deciding.diversity.policy import Policy
    from scrubjay.deciding.diversity.spaces import Grid, fronts, novelty
    from scrubjay.deciding.diversity.stax import Stax
    from scrubjay.deciding.diversity.types import (
        BrokenEnvironment,
        Evaluations,
        Outcome,
        Problem,
        SearchError,
    )
    from scrubjay.deciding.diversity.worlds import Arm, Maze

_WHERE = {
    "Arm": "worlds",
    "Autoencoder": "autoencoder",
    "BrokenEnvironment": "types",
    "CMAEmitter": "emitters",
    "ElitistEmitter": "emitters",
    "Evaluations": "types",
    "Grid": "spaces",
    "GymProblem": "environments",
    "HandMade": "descriptors",
    "LearnedDescriptor": "descriptors",
    "MapElites": "methods",
    "Maze": "worlds",
    "Outcome": "types",
    "Policy": "policy",
    "PolicyProblem": "environments",
    "Problem": "types",
    "RandomSearch": "methods",
    "SearchError": "types",
    "Stax": "stax",
    "fronts": "spaces",
    "make_method": "methods",
    "novelty": "spaces",
}

__all__ = [
    "Arm",
    "Autoencoder",
    "BrokenEnvironment",
    "CMAEmitter",
    "ElitistEmitter",
    "Evaluations",
    "Grid",
    "GymProblem",
    "HandMade",
    "LearnedDescriptor",
    "MapElites",
    "Maze",
    "Outcome",
    "Policy",
    "PolicyProblem",
    "Problem",
    "RandomSearch",
    "SearchError",
    "Stax",
    "fronts",
    "make_method",
    "novelty",
]

__getattr__ = lazy(__name__, _WHERE)
