"""Train the encoder along with the policy: frames in the rollout buffer, slots from frame to frame.

A slot encoder reads a frame with the slots of the frame before it. They are kept in the rollout
buffer beside the frame, as the encoder of that time made them, so that an update encodes each frame
from where the rollout did, and gradients reach back one frame.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
import torch
from gymnasium import spaces
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper, unwrap_vec_wrapper
from stable_baselines3.common.vec_env.base_vec_env import VecEnvObs, VecEnvStepReturn
from torch import Tensor

from ocrl.encoder import Encoder
from ocrl.wrappers.token_space import TOKENS
from ocrl.wrappers.token_stream import TokenStream
from ocrl_agents.vec_env import environment_seeds, set_seeds, stack_observations

FRAME, STATE, IS_FIRST = "frame", "state", "is_first"


class VecFrameObservation(VecEnvWrapper):
    """Shows a policy all that it needs to encode frames itself, with `EncoderExtractor`.

    Observations are a Dict of the frame (1, h, w, 3), resized to the encoder's size, whether it
    begins an episode, the slots before it (K, S) if the encoder carries any, and all entries of the
    environment's observation but the image.

    Args:
        venv: any `VecEnv` whose observation is an RGB image, or a Dict that holds one.
        encoder: the one that is trained; policy and environments share it.
        image_key: which entry of a Dict observation is the image. None: the only one there is.

    Attributes:
        encoder: the encoder.
        stream: what keeps the slots.
    """

    def __init__(self, venv: VecEnv, encoder: Encoder, *, image_key: str | None = None) -> None:
        self.stream = TokenStream(
            encoder, venv.observation_space, venv.num_envs, image_key=image_key
        )
        self.encoder = encoder
        height, width = encoder.image_size
        entries: dict[str, gym.Space[Any]] = {
            # the axis before the height keeps stable-baselines3 from rescaling the image
            FRAME: spaces.Box(0, 255, (1, height, width, 3), np.uint8),
            IS_FIRST: spaces.Box(0, 1, (1,), np.float32),
        }
        if self.stream.state is not None:
            shape = tuple(self.stream.state.shape[1:])
            entries[STATE] = spaces.Box(-np.inf, np.inf, shape, np.float32)
        if isinstance(self.stream.space, spaces.Dict):
            entries |= {k: v for k, v in self.stream.space.spaces.items() if k != TOKENS}
        super().__init__(venv, observation_space=spaces.Dict(entries))

    def reset(self) -> VecEnvObs:
        """Reset all environments."""
        observations = self.venv.reset()
        shown = self._show(observations, None, np.ones(self.num_envs, dtype=np.bool_))
        self.stream.reset(observations)
        return shown

    def step_wait(self) -> VecEnvStepReturn:
        """Show the frames of all environments, and encode them to know the slots of the next."""
        observations, rewards, dones, infos = self.venv.step_wait()
        state = self.stream.state
        ended = np.flatnonzero(dones)
        infos = list(infos)
        if len(ended):
            finals = stack_observations([infos[i]["terminal_observation"] for i in ended])
            before = None if state is None else state[torch.from_numpy(ended)]
            shown = self._show(finals, before, np.zeros(len(ended), dtype=np.bool_))
            for row, i in enumerate(ended):
                final = {key: value[row] for key, value in shown.items()}
                infos[i] = {**infos[i], "terminal_observation": final}
        shown = self._show(observations, state, dones)
        self.stream.step(observations, dones)
        return shown, rewards, dones, infos

    def seed(self, seed: int | None = None) -> Any:
        """Set independent seeds for the next reset."""
        if seed is None:
            return super().seed(seed)
        return set_seeds(self, environment_seeds(seed, self.num_envs))

    def get_state(self) -> dict[str, npt.NDArray[Any]]:
        """Return the slots of each environment."""
        return self.stream.get_state()

    def set_state(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go on with the slots that `get_state` returned."""
        self.stream.set_state(state)

    def _show(
        self, observations: Any, state: Tensor | None, is_first: npt.NDArray[np.bool_]
    ) -> dict[str, npt.NDArray[Any]]:
        frames = self.stream.frames(observations)
        # copies: what is done to them is not to change the encoder or its slots
        shown = {
            FRAME: frames.numpy()[:, None].copy(),
            IS_FIRST: is_first[:, None].astype(np.float32),
        }
        with torch.inference_mode():
            fresh = self.encoder.initial_state(len(frames))
            if fresh is not None:
                first = torch.from_numpy(is_first).to(fresh.device)[:, None, None]
                slots = fresh if state is None else torch.where(first, fresh, state)
                shown[STATE] = slots.to("cpu", torch.float32, copy=True).numpy()
        return {**shown, **self.stream.others(observations)}


class EncoderExtractor(BaseFeaturesExtractor):
    """Encodes frames, then reads the tokens; both are trained.

    The encoder stays in eval mode, because rollout and update have to see the same tokens.

    Args:
        observation_space: of `VecFrameObservation`.
        encoder: the one that those environments use.
        reader: extractor of features from tokens.
        reader_kwargs: its arguments.
    """

    def __init__(
        self,
        observation_space: spaces.Dict,
        encoder: Encoder,
        reader: type[BaseFeaturesExtractor],
        reader_kwargs: dict[str, Any],
    ) -> None:
        shape = (encoder.num_tokens, encoder.token_dim)
        own = {FRAME, STATE, IS_FIRST}
        further = {k: v for k, v in observation_space.spaces.items() if k not in own}
        tokens = spaces.Dict({TOKENS: spaces.Box(-np.inf, np.inf, shape, np.float32), **further})
        read = reader(tokens, **reader_kwargs)
        super().__init__(observation_space, features_dim=read.features_dim)
        self.encoder = encoder.requires_grad_(True)
        self.reader = read
        self._further = list(further)

    def forward(self, observations: dict[str, Tensor]) -> Tensor:
        """Return features (B, dim)."""
        features: Tensor = self.reader(self.encode(observations))
        return features

    def encode(self, observations: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return what the reader reads: tokens, and further entries."""
        frames = observations[FRAME].squeeze(1).to(torch.uint8)
        is_first = observations[IS_FIRST].squeeze(1) > 0
        output = self.encoder.step(frames, observations.get(STATE), is_first)
        return {TOKENS: output.tokens, **{key: observations[key] for key in self._further}}

    def train(self, mode: bool = True) -> EncoderExtractor:
        """Set the mode of all but the encoder."""
        super().train(mode)
        self.encoder.eval()
        return self


def with_encoder(
    venv: VecEnv, reader: type[BaseFeaturesExtractor], reader_kwargs: dict[str, Any]
) -> tuple[type[BaseFeaturesExtractor], dict[str, Any]]:
    """Return the extractor for what the environments show: tokens, or frames to be encoded."""
    frames = unwrap_vec_wrapper(venv, VecFrameObservation)
    if frames is None:
        return reader, reader_kwargs
    return EncoderExtractor, {
        "encoder": frames.encoder,
        "reader": reader,
        "reader_kwargs": reader_kwargs,
    }
