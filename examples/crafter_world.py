"""Crafter behind Gymnasium: what a world with the old interface of gym needs, in one file.

    pip install crafter
    python scripts/pretrain_slots.py env=custom env.id=examples.crafter_world:Crafter-v0

The old interface has `reset()` without a seed, and a `step` that says neither whether an episode
ended by itself or was cut. For another such world, change what is called `game`.
"""

from typing import Any, ClassVar

import crafter
import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray


class Crafter(gym.Env[NDArray[np.uint8], np.integer]):
    """Survive, and make things: a reward for each that is new in an episode, and for health.

    Args:
        size: of a frame, which shows 9 x 9 cells; the two lowest rows are the inventory.
        length: steps after which an episode is cut.
        render_mode: what Gymnasium asks for.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["rgb_array"], "render_fps": 10}

    def __init__(self, size: int = 64, length: int = 10_000, render_mode: str | None = None):
        self.size, self.length, self.render_mode = size, length, render_mode
        self.observation_space = spaces.Box(0, 255, (size, size, 3), np.uint8)
        self.action_space = spaces.Discrete(len(crafter.constants.actions))
        self.game: crafter.Env

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.uint8], dict[str, Any]]:
        """Begin an episode in a world of its own, which a game takes from its seed."""
        super().reset(seed=seed, options=options)
        world = int(self.np_random.integers(2**31))
        self.game = crafter.Env(size=(self.size, self.size), length=self.length, seed=world)
        return self.game.reset(), {}

    def step(
        self, action: np.integer
    ) -> tuple[NDArray[np.uint8], float, bool, bool, dict[str, Any]]:
        """Act; what the game tells besides is left out, since all of it would be copied."""
        frame, reward, done, info = self.game.step(int(action))
        died = info["discount"] == 0
        return frame, float(reward), died, bool(done) and not died, {}

    def render(self) -> NDArray[np.uint8]:
        """Return the frame."""
        return self.game.render()


gym.register("Crafter-v0", entry_point=Crafter)
