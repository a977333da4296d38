"""A part of the frame: what an encoder is shown is larger, where all that matters is there."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from ocrl.errors import UsageError

Frame = NDArray[np.uint8]


class CropObservation(gym.ObservationWrapper[Frame, Any, Frame]):
    """Shows rows and columns of an environment's frames.

    Example:
        >>> from gymnasium.wrappers import AddRenderObservation
        >>> env = AddRenderObservation(gym.make("CartPole-v1", render_mode="rgb_array"))
        >>> CropObservation(env, rows=(150, 350)).observation_space.shape
        (200, 600, 3)

    Args:
        env: with an image uint8 (H, W, 3) as its observation.
        rows: the first, and the one after the last; None: all.
        columns: likewise.

    Raises:
        UsageError: the observation is no image, or does not have these rows and columns.
    """

    def __init__(
        self,
        env: gym.Env[Frame, Any],
        rows: tuple[int, int] | None = None,
        columns: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(env)
        space = env.observation_space
        if not isinstance(space, gym.spaces.Box) or len(space.shape) != 3:
            raise UsageError(f"only images can be cropped, the observation is {space}")
        height, width = space.shape[:2]
        top, bottom = rows or (0, height)
        left, right = columns or (0, width)
        if not (0 <= top < bottom <= height and 0 <= left < right <= width):
            raise UsageError(
                f"rows={rows} columns={columns} are not within frames of {height} x {width}: give "
                "the first and the one after the last"
            )
        self.part = (slice(top, bottom), slice(left, right))
        self.observation_space = gym.spaces.Box(
            space.low[self.part], space.high[self.part], dtype=np.uint8
        )

    def observation(self, observation: Frame) -> Frame:
        """Return the part of a frame."""
        return observation[self.part]
