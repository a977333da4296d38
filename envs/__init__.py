"""Worlds: mazes, and scenes of moving things, behind the Gymnasium interface."""

from __future__ import annotations

import gymnasium

from envs.errors import UsageError

__all__ = ["UsageError"]

gymnasium.register(
    id="ocrl/NavMaze-v0",
    entry_point="envs.maze.env:MazeEnv",
    vector_entry_point="envs.maze.vector:MazeVectorEnv",
)
gymnasium.register(
    id="ocrl/DeepMindLab-v0",
    entry_point="envs.dmlab:DeepMindLabEnv",
    vector_entry_point="envs.dmlab:make_vector_env",
    nondeterministic=True,
)
