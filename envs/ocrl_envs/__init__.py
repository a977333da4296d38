"""Worlds: mazes, and scenes of moving things, behind the Gymnasium interface."""

from __future__ import annotations

import gymnasium

from ocrl_envs.errors import UsageError

__all__ = ["UsageError"]

gymnasium.register(
    id="ocrl/NavMaze-v0",
    entry_point="ocrl_envs.maze.env:MazeEnv",
    vector_entry_point="ocrl_envs.maze.vector:MazeVectorEnv",
)
gymnasium.register(
    id="ocrl/DeepMindLab-v0",
    entry_point="ocrl_envs.dmlab:DeepMindLabEnv",
    vector_entry_point="ocrl_envs.dmlab:make_vector_env",
    nondeterministic=True,
)
