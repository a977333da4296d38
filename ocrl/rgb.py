"""What encoders look at: RGB frames, and what to do where an environment shows something else."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces

from ocrl.errors import UsageError


def is_rgb(space: spaces.Space[Any]) -> bool:
    """Say whether a space is that of RGB frames, Box (H, W, 3) uint8.

    >>> is_rgb(spaces.Box(0, 255, (64, 64, 3), np.uint8))
    True
    """
    return (
        isinstance(space, spaces.Box)
        and space.dtype == np.uint8
        and len(space.shape) == 3
        and space.shape[-1] == 3
    )


def check_rgb(space: spaces.Space[Any]) -> None:
    """Raise UsageError, with what to do, unless a space is that of RGB frames."""
    if is_rgb(space):
        return
    shape = space.shape or ()
    if not isinstance(space, spaces.Box) or len(shape) < 2:
        advice = "make it show an image, by env.render_observation=true or AddRenderObservation"
    elif len(shape) == 2 or shape[-1] == 1:
        advice = "it is grayscale, leave out the grayscale wrapper"
    elif len(shape) == 4 or (shape[-1] % 3 == 0 and shape[-1] > 3):
        advice = "frames are stacked, leave the stacking out: slots carry the past themselves"
    elif shape[0] == 3:
        advice = "the channels come first, move them last"
    elif space.dtype != np.uint8:
        advice = "convert the frames to uint8 in 0..255"
    else:
        advice = "give it three channels"
    shown = " ".join(str(space).split())
    raise UsageError(f"encoders take RGB frames, Box (H, W, 3) uint8, got {shown}: {advice}")
