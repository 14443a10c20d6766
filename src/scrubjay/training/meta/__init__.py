"""Learning how to learn: objectives that are found by search, for agents that are tables."""

from typing import TYPE_CHECKING

from scrubjay.core.lazy import lazy

if TYPE_CHECKING:
    from scrubjay.training.meta.actor_critic import ActorCritic
    from scrubjay.training.meta.bandits import BanditScore, Pulling, Tasks, pull_lives
    from scrubjay.training.meta.drift import ClipDrift, DriftNet, LearnedDrift, clip_width
    from scrubjay.training.meta.es import OpenES
    from scrubjay.training.meta.lifetimes import Experience, GridScore, live
    from scrubjay.training.meta.meta_gradient import MetaGradient, Unroll
    from scrubjay.training.meta.objectives import LearnedPolicyGradient, LPGNet
    from scrubjay.training.meta.saved import Objective
    from scrubjay.training.meta.search import evolve

_WHERE = {
    "actor_critic": ["ActorCritic"],
    "bandits": ["BanditScore", "Pulling", "Tasks", "pull_lives"],
    "drift": ["ClipDrift", "DriftNet", "LearnedDrift", "clip_width"],
    "es": ["OpenES"],
    "lifetimes": ["Experience", "GridScore", "live"],
    "meta_gradient": ["MetaGradient", "Unroll"],
    "objectives": ["LPGNet", "LearnedPolicyGradient"],
    "saved": ["Objective"],
    "search": ["evolve"],
}

__all__ = [
    "ActorCritic",
    "BanditScore",
    "ClipDrift",
    "DriftNet",
    "Experience",
    "GridScore",
    "LPGNet",
    "LearnedDrift",
    "LearnedPolicyGradient",
    "MetaGradient",
    "Objective",
    "OpenES",
    "Pulling",
    "Tasks",
    "Unroll",
    "clip_width",
    "evolve",
    "live",
    "pull_lives",
]

__getattr__ = lazy(__name__, {name: module for module, names in _WHERE.items() for name in names})
