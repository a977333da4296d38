"""Agents: a policy over tokens, trained with PPO in any Gymnasium environment."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ocrl.extras import check_module

if TYPE_CHECKING:
    from ocrl_agents.expgen import ExpGen
    from ocrl_agents.player import Agent, load_agent

__all__ = ["Agent", "ExpGen", "load_agent"]

check_module("stable_baselines3")

if not TYPE_CHECKING:  # so that a name that does not exist is found by type checkers

    def __getattr__(name: str) -> Any:
        # imported when asked for, so that what is not used costs nothing
        if name in __all__:
            module = "expgen" if name == "ExpGen" else "player"
            return getattr(importlib.import_module(f"ocrl_agents.{module}"), name)
        if name == "hub":
            return importlib.import_module("ocrl_agents.hub")
        raise AttributeError(f"module 'ocrl_agents' has no attribute {name!r}")
