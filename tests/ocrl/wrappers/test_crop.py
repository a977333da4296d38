"""A crop shows the pixels that were asked for, and refuses what is not there."""

import gymnasium as gym
import numpy as np
import pytest

from ocrl.errors import UsageError
from ocrl.wrappers.crop import CropObservation

FRAME = np.arange(6 * 8 * 3, dtype=np.uint8).reshape(6, 8, 3)


class Still(gym.Env):
    observation_space = gym.spaces.Box(0, 255, FRAME.shape, np.uint8)
    action_space = gym.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        return FRAME, {}


def test_pixels_are_those_asked_for():
    env = CropObservation(Still(), rows=(2, 5), columns=(1, 3))
    frame, _ = env.reset()
    assert (frame == [[FRAME[r, c] for c in (1, 2)] for r in (2, 3, 4)]).all()
    assert frame in env.observation_space
    assert CropObservation(Still()).reset()[0].shape == FRAME.shape


@pytest.mark.parametrize("part", [{"rows": (2, 7)}, {"columns": (4, 4)}, {"rows": (-1, 3)}])
def test_parts_that_are_not_there_are_refused(part):
    with pytest.raises(UsageError, match="not within frames of 6 x 8"):
        CropObservation(Still(), **part)


def test_what_is_no_image_is_refused():
    with pytest.raises(UsageError, match="only images"):
        CropObservation(gym.make("CartPole-v1"))
