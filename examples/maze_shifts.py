"""One level under each shift: what the agent sees first, and the map below.

    python examples/maze_shifts.py docs/images/maze_shifts.png

For a level and a seed of your own, add them: `nav_maze_2 5`.
"""

import sys

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from ocrl.visualization import image_grid, save_image
from ocrl.visualization.titles import with_title
from ocrl_envs.maze.task.shifts import SHIFTS

SCALE = 4
"""Pixels of a rendered picture that become one, each way."""


def first_sight(level: str, shift: str | None, seed: int) -> NDArray[np.uint8]:
    """Return the view and the map at an episode's start, one below the other, uint8 (H, W, 3)."""
    env = gym.make("ocrl_envs:ocrl/NavMaze-v0", level=level, shift=shift, render_mode="rgb_array")
    env.reset(seed=seed)
    picture = np.asarray(env.render())
    env.close()
    height, width = picture.shape[0] // SCALE, picture.shape[1] // SCALE
    small = picture.reshape(height, SCALE, width, SCALE, 3).mean((1, 3)).astype(np.uint8)
    view, plan = np.split(small, 2, axis=1)
    margin = height // 6
    return np.concatenate([view, plan[margin:-margin]])


def main(path: str, level: str = "nav_maze_1", seed: str = "13") -> None:
    """Draw no shift and all others side by side."""
    columns = {shift or "none": first_sight(level, shift, int(seed)) for shift in (None, *SHIFTS)}
    save_image(path, image_grid([[with_title(c[None], n)[0] for n, c in columns.items()]]))


if __name__ == "__main__":
    main(*sys.argv[1:])
