"""A maze to walk through by keyboard, beside its map."""

from __future__ import annotations

import gymnasium
import matplotlib
from omegaconf import DictConfig

from ocrl.errors import UsageError
from ocrl_envs.maze.play import Player
from ocrl_studies.invocation import call
from ocrl_studies.plain import plain


def play(cfg: DictConfig) -> None:
    """Open the window."""
    kwargs = {**plain(cfg.env.kwargs), **plain(cfg.variation)}
    if matplotlib.get_backend().lower() == "agg":
        raise UsageError(
            "there is no window to play in: start it on a screen, with tkinter or "
            "pip install pyqt6; without one, film a policy with  "
            f"{call('record_video')} env={cfg.env.name}"
        )
    score = Player(gymnasium.make(cfg.env.id, render_mode="rgb_array", **kwargs), cfg.seed).run()
    print(f"score of the last episode: {score:g}")
