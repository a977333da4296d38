"""Any Gymnasium environment with an RGB observation, seen as tokens.

    >>> import gymnasium as gym
    >>> env = SlotObservation(gym.make("CarRacing-v3"), "runs/encoder")     # doctest: +SKIP
    >>> tokens, info = env.reset(seed=0)                                    # doctest: +SKIP

One environment, or many with one batched forward pass: `VectorSlotObservation`. Both keep the
slots of each environment from frame to frame, give the last frame of an episode to the slots that
saw that episode, and start the next episode afresh.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from gymnasium.utils import RecordConstructorArgs
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper
from gymnasium.vector.utils import batch_space

from ocrl.encoder import Encoder
from ocrl.errors import UsageError
from ocrl.token_stream import TokenStream, batch_of_one


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


class VectorSlotObservation(VectorWrapper[Any, Any, Any, Any, Any]):
    """Replaces the RGB observations of a vector environment by an encoder's tokens.

    One forward pass encodes the frames of all environments. All autoreset modes are right:

    - same step: `infos["final_obs"]` is encoded with the slots of the episode that ended, the
      returned observation with fresh ones;
    - next step: the last frame of an episode is encoded with its slots, and the step after it
      starts afresh;
    - disabled: `reset(options={"reset_mask": mask})` renews the chosen environments, and the
      others keep their slots.

    Args:
        envs: a vector environment whose single observation is an RGB image, Box (H, W, 3)
            uint8 of any size, or a Dict that holds one.
        encoder: an encoder, or the path of a checkpoint. It is switched to eval mode.
        image_key: which entry of a Dict observation is the image. None: the only one there is.
        dtype: "float32", or "float16" to store dense grids in half the memory.
        device: where to encode. None: where the encoder is.

    Raises:
        UsageError: if the observation holds no RGB image, or the environment does not say how it
            resets itself.
    """

    def __init__(
        self,
        envs: VectorEnv[Any, Any, Any],
        encoder: Encoder | str | Path,
        *,
        image_key: str | None = None,
        dtype: str = "float32",
        device: str | None = None,
    ) -> None:
        super().__init__(envs)
        if "autoreset_mode" not in envs.metadata:
            raise UsageError(
                f"{envs} does not say when it resets ended episodes, which decides whose slots a "
                "frame belongs to: set its metadata['autoreset_mode'] to an AutoresetMode"
            )
        self._autoreset_mode = AutoresetMode(envs.metadata["autoreset_mode"])
        self._stream = TokenStream(
            encoder,
            envs.single_observation_space,
            envs.num_envs,
            image_key=image_key,
            dtype=dtype,
            device=device,
        )
        self._has_ended = np.zeros(envs.num_envs, dtype=np.bool_)
        self.single_observation_space = self._stream.space
        self.observation_space = batch_space(self._stream.space, envs.num_envs)

    @property
    def last_masks(self) -> npt.NDArray[np.float32] | None:
        """Where each token looked in the last frames, (N, K, h, w), or None."""
        return self._stream.last_masks

    def reset(
        self, *, seed: Any = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Reset all environments, or those in `options["reset_mask"]`, with fresh slots."""
        # read before env.reset, which removes it from the options
        mask = (options or {}).get("reset_mask")
        observations, infos = self.env.reset(seed=seed, options=options)
        self._has_ended[slice(None) if mask is None else mask] = False
        return self._stream.reset(observations, mask), infos

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Step all environments and encode their frames, each with the slots of its episode."""
        observations, rewards, terminations, truncations, infos = self.env.step(actions)
        just_ended = np.logical_or(terminations, truncations)
        final_observations: Mapping[int, Any] = {}
        if self._autoreset_mode is AutoresetMode.SAME_STEP:
            is_first = just_ended
            if "final_obs" in infos:
                rows = np.flatnonzero(infos["_final_obs"])
                final_observations = {int(row): infos["final_obs"][row] for row in rows}
        else:
            is_first, self._has_ended = self._has_ended, just_ended
        tokens, final_tokens = self._stream.step(observations, is_first, final_observations)
        if final_tokens:
            final_obs = np.full(self.num_envs, None, dtype=object)
            for row, final in final_tokens.items():
                final_obs[row] = final
            infos = {**infos, "final_obs": final_obs}
        return tokens, rewards, terminations, truncations, infos


def _first(observations: Any) -> Any:
    if isinstance(observations, dict):
        return {key: value[0] for key, value in observations.items()}
    return observations[0]
