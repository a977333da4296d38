"""An environment with RGB observations, seen as tokens."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from gymnasium.utils import RecordConstructorArgs

from ocrl.encoder import Encoder
from ocrl.wrappers.token_stream import TokenStream, batch_of_one


class SlotObservation(gym.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """Replaces the RGB observation of one environment by an encoder's tokens.

    The observation becomes a Box (K, D). In a Dict observation the image is replaced by the key
    `tokens`, and all other keys pass through. With an encoder given by path, `env.spec` makes
    the wrapped environment again, also from JSON. Many environments at once are several times
    faster in `VectorSlotObservation`.

    Args:
        env: an environment whose observation is an RGB image, Box (H, W, 3) uint8 of any size,
            or a Dict that holds one. Frames are resized with antialiasing to the encoder's size.
        encoder: an encoder, or the path of a checkpoint. It is switched to eval mode.
        image_key: which entry of a Dict observation is the image. None: the only one there is.
        dtype: "float32", or "float16" to store dense grids in half the memory.
        device: where to encode. None: where the encoder is.

    Raises:
        UsageError: if the observation holds no RGB image.
    """

    def __init__(
        self,
        env: gym.Env[Any, Any],
        encoder: Encoder | str | Path,
        *,
        image_key: str | None = None,
        dtype: str = "float32",
        device: str | None = None,
    ) -> None:
        RecordConstructorArgs.__init__(
            self,
            encoder=encoder if isinstance(encoder, Encoder) else str(encoder),
            image_key=image_key,
            dtype=dtype,
            device=device,
            _disable_deepcopy=True,
        )
        gym.Wrapper.__init__(self, env)
        self._stream = TokenStream(
            encoder, env.observation_space, 1, image_key=image_key, dtype=dtype, device=device
        )
        self._has_ended = np.zeros(1, dtype=np.bool_)
        self.observation_space = self._stream.space

    @property
    def last_masks(self) -> npt.NDArray[np.float32] | None:
        """Where each token looked in the last frame, (K, h, w); None for tokens without a place."""
        masks = self._stream.last_masks
        return None if masks is None else masks[0]

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Reset the environment and encode its first frame with fresh slots."""
        observation, info = self.env.reset(seed=seed, options=options)
        self._has_ended[:] = False
        return _first(self._stream.reset(batch_of_one(observation))), info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Step the environment and encode its frame with the slots of this episode."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        # the frame after an episode's last one is a first frame, if the environment resets itself
        tokens, _ = self._stream.step(batch_of_one(observation), self._has_ended)
        self._has_ended = np.array([terminated or truncated])
        return _first(tokens), reward, terminated, truncated, info

    def get_state(self) -> dict[str, npt.NDArray[Any]]:
        """Return the slots, and whose episodes have ended; the environment's own is asked of it."""
        return {**self._stream.get_state(), "has_ended": self._has_ended.copy()}

    def set_state(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go on from what `get_state` returned.

        Raises:
            UsageError: it is the state of others.
        """
        self._stream.set_state(state)
        self._has_ended[:] = state["has_ended"]


def _first(observations: Any) -> Any:
    if isinstance(observations, dict):
        return {key: value[0] for key, value in observations.items()}
    return observations[0]
