"""Observation spaces: which entry is the image, and what they are with tokens in its place."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np

from ocrl.encoder import Encoder
from ocrl.errors import UsageError
from ocrl.rgb import check_rgb, is_rgb

TOKENS = "tokens"
"""The key of the tokens in a Dict observation."""


def find_image(space: gym.Space[Any], image_key: str | None) -> str | None:
    """Return the key of the image in a Dict observation, None if the observation is the image.

    Args:
        space: of a single environment.
        image_key: which entry is the image. None: the only one there is.

    Raises:
        UsageError: there is no image, or none that an encoder takes, or more than one.
    """
    if not isinstance(space, gym.spaces.Dict):
        if image_key is not None:
            raise UsageError(
                f"image_key={image_key!r} needs a Dict observation, this one is {space}: leave "
                "image_key out"
            )
        check_rgb(space)
        return None
    if image_key is None:
        images = [key for key, entry in space.items() if is_rgb(entry)]
        if len(images) != 1:
            raise UsageError(
                f"the observation has {len(images)} RGB images (Box (H, W, 3) uint8) among its "
                f"keys {list(space)}, one is expected: name it with image_key"
            )
        image_key = images[0]
    if image_key not in space.spaces:
        raise UsageError(f"no {image_key!r} in the observation: image_key is one of {list(space)}")
    if image_key != TOKENS and TOKENS in space.spaces:
        raise UsageError(f"the observation already has a key {TOKENS!r}: rename or remove it")
    check_rgb(space[image_key])
    return image_key


def token_space(
    space: gym.Space[Any], image_key: str | None, encoder: Encoder, dtype: str
) -> gym.Space[Any]:
    """Return a space with tokens in place of the image.

    Args:
        space: of a single environment.
        image_key: what `find_image` returns.
        encoder: whose tokens they are.
        dtype: "float32" or "float16".
    """
    shape = (encoder.num_tokens, encoder.token_dim)
    tokens = gym.spaces.Box(-np.inf, np.inf, shape, dtype=np.dtype(dtype).type)
    if image_key is None or not isinstance(space, gym.spaces.Dict):
        return tokens
    others = {key: entry for key, entry in space.items() if key != image_key}
    return gym.spaces.Dict({TOKENS: tokens, **others})
