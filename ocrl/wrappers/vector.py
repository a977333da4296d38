"""A vector environment with RGB observations, seen as tokens."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper
from gymnasium.vector.utils import batch_space

from ocrl.encoder import Encoder
from ocrl.errors import UsageError
from ocrl.wrappers.token_stream import TokenStream


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
