"""Reinforcement learning over streams of repeated tasks, from nothing but reward."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scrubjay.core.lazy import lazy

if TYPE_CHECKING:
    from scrubjay.training.rl.dqn import DQN, Learned, Logged, Practice, train_dqn
    from scrubjay.training.rl.explorer import Plan, rivals, train_explorer
    from scrubjay.training.rl.networks import QNetwork, QSpec, build_network
    from scrubjay.training.rl.players import ByBandit, Chance, GreedyQ, Informed
    from scrubjay.training.rl.stretches import Player, Seen, Stretch, play
    from scrubjay.training.rl.trial import Trial, hold_trial, load_agent, save_agent

_WHERE = {
    "dqn": ["DQN", "Learned", "Logged", "Practice", "train_dqn"],
    "explorer": ["Plan", "rivals", "train_explorer"],
    "networks": ["QNetwork", "QSpec", "build_network"],
    "players": ["ByBandit", "Chance", "GreedyQ", "Informed"],
    "stretches": ["Player", "Seen", "Stretch", "play"],
    "trial": ["Trial", "hold_trial", "load_agent", "save_agent"],
}
_HOMES = {name: module for module, names in _WHERE.items() for name in names}

__all__ = [
    "DQN",
    "ByBandit",
    "Chance",
    "GreedyQ",
    "Informed",
    "Learned",
    "Logged",
    "Plan",
    "Player",
    "Practice",
    "QNetwork",
    "QSpec",
    "Seen",
    "Stretch",
    "Trial",
    "build_network",
    "hold_trial",
    "load_agent",
    "play",
    "rivals",
    "save_agent",
    "train_dqn",
    "train_explorer",
]

__getattr__ = lazy(__name__, _HOMES)
