"""Reinforcement learning over streams of repeated tasks, from nothing but reward."""
