"""The core of every wrapper: frames of N running environments in, tokens out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ocrl.checkpoints import load_encoder
from ocrl.data.clips import resize
from ocrl.encoder import Encoder, EncoderOutput
from ocrl.errors import UsageError
from ocrl.wrappers.precision import choose_precision
from ocrl.wrappers.token_space import TOKENS, find_image, token_space

SLOTS = "slots"
"""The name of what the encoder carries, in the state of a stream."""

_DTYPES = {"float32": torch.float32, "float16": torch.float16}


class TokenStream:
    """Encodes what N environments show, and keeps the slots of each between frames.

    Observations are batched as Gymnasium and stable-baselines3 batch them: an array (N, H, W, 3),
    or a dictionary of arrays. All of them go through the encoder in one batch, under
    `torch.inference_mode`.

    Args:
        encoder: an encoder, or the path of a checkpoint. It is switched to eval mode.
        observation_space: of a single environment.
        num_envs: N.
        image_key: which entry of a Dict observation is the image. None: the only one there is.
        dtype: of the tokens, "float32" or "float16".
        device: where to encode. None: where the encoder is.
        precision: to encode in, "float32", "bfloat16", or "auto": bfloat16 where the device has it.
            What is carried from frame to frame is float32 in any case.

    Attributes:
        space: the observation space of a single environment with tokens in place of the image.
        precision: "float32" or "bfloat16".
    """

    def __init__(
        self,
        encoder: Encoder | str | Path,
        observation_space: gym.Space[Any],
        num_envs: int,
        *,
        image_key: str | None = None,
        dtype: str = "float32",
        device: str | None = None,
        precision: str = "float32",
    ) -> None:
        if dtype not in _DTYPES:
            raise UsageError(f"tokens can be float32 or float16, not {dtype!r}: choose one of them")
        self.image_key = find_image(observation_space, image_key)
        if not isinstance(encoder, Encoder):
            encoder = load_encoder(encoder)
        self.encoder = encoder.eval() if device is None else encoder.to(device).eval()
        self.precision = choose_precision(precision, encoder.device)
        self._dtype = _DTYPES[dtype]
        self.num_envs = num_envs
        self.space = token_space(observation_space, self.image_key, encoder, dtype)
        self._last: EncoderOutput | None = None
        self._frames: Tensor | None = None

    @property
    def state(self) -> Tensor | None:
        """The slots of each environment, (N, K, D); None if the encoder carries nothing."""
        if self._last is not None:
            return self._last.state
        with torch.inference_mode():
            return self.encoder.initial_state(self.num_envs)

    @property
    def last_masks(self) -> npt.NDArray[np.float32] | None:
        """Where each token looked in the last frames, (N, K, h, w), or None."""
        if self._last is None or self._last.masks is None:
            return None
        return self._last.masks.to("cpu", torch.float32, copy=True).numpy()

    @property
    def last_frames(self) -> npt.NDArray[np.uint8] | None:
        """What the encoder saw last, uint8 (N, h, w, 3)."""
        return None if self._frames is None else self._frames.numpy().copy()

    def reset(self, observations: Any, mask: npt.NDArray[np.bool_] | None = None) -> Any:
        """Encode first frames with fresh slots.

        Args:
            observations: of N environments.
            mask: bool (N,), the environments that were reset; the others keep their slots and
                tokens. None: all.

        Returns:
            The observations with tokens (N, K, D) in place of the images.
        """
        self._frames = frames = self.frames(observations)
        with torch.inference_mode():
            if mask is None or self._last is None:
                state = self.encoder.initial_state(self.num_envs)
                is_first = np.ones(self.num_envs, dtype=np.bool_)
                self._last = self._encode(frames, state, is_first)
            else:
                state = self.encoder.initial_state(int(mask.sum()))
                is_first = np.ones(int(mask.sum()), dtype=np.bool_)
                rows = torch.from_numpy(mask)
                fresh = self._encode(frames[rows], state, is_first)
                self._last = _replace_rows(self._last, rows, fresh)
        return self._with_tokens(observations, self._to_numpy(self._last.tokens))

    def step(
        self,
        observations: Any,
        is_first: npt.NDArray[np.bool_],
        final_observations: Mapping[int, Any] | None = None,
    ) -> tuple[Any, dict[int, Any]]:
        """Encode the next frames, each with the slots of its episode.

        Args:
            observations: of N environments.
            is_first: bool (N,), the environments whose frame begins an episode.
            final_observations: what environments showed at the end of the episode that came before
                that first frame, by index. They are encoded with the slots of the old episode, and
                leave no trace in the new one.

        Returns:
            The observations and the final observations, with tokens in place of the images.
        """
        if self._last is None:
            raise UsageError("step was called before reset: reset the environment first")
        finals = final_observations or {}
        self._frames = frames = self.frames(observations)
        state = self._last.state
        if finals:
            rows = list(finals)
            last_frames = [self.frames(batch_of_one(final)) for final in finals.values()]
            frames = torch.cat([frames, *last_frames])
            is_first = np.concatenate([is_first, np.zeros(len(rows), dtype=np.bool_)])
            state = None if state is None else torch.cat([state, state[rows]])
        with torch.inference_mode():
            output = self._encode(frames, state, is_first)
            self._last = _rows(output, self.num_envs)
            tokens = self._to_numpy(output.tokens)
        final_tokens = {
            row: self._with_tokens(final, tokens[self.num_envs + i])
            for i, (row, final) in enumerate(finals.items())
        }
        return self._with_tokens(observations, tokens[: self.num_envs]), final_tokens

    def get_state(self) -> dict[str, npt.NDArray[Any]]:
        """Return the tokens and slots of each environment, float32; nothing before a reset."""
        last = self._last
        kept = {} if last is None else {TOKENS: last.tokens, SLOTS: last.state}
        return {
            k: tensor.detach().cpu().numpy().copy()
            for k, tensor in kept.items()
            if tensor is not None
        }

    def set_state(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go on with the tokens and slots that `get_state` returned.

        Raises:
            UsageError: they are those of another encoder, or of another number of environments.
        """
        with torch.inference_mode():
            slots = self.encoder.initial_state(self.num_envs)
        expected: dict[str, tuple[int, ...]] = {
            TOKENS: (self.num_envs, self.encoder.num_tokens, self.encoder.token_dim)
        }
        if slots is not None:
            expected[SLOTS] = tuple(slots.shape)
        found = {name: state[name].shape for name in (TOKENS, SLOTS) if name in state}
        if found != expected:
            raise UsageError(
                f"the encoder's state has the shapes {found}, here it has {expected}: go on with "
                "the same encoder in as many environments"
            )
        kept = {name: torch.tensor(state[name], device=self.encoder.device) for name in expected}
        self._last = EncoderOutput(kept[TOKENS], None, kept.get(SLOTS))

    def frames(self, observations: Any) -> Tensor:
        """Return the frames in observations, uint8 (B, h, w, 3), of the encoder's size."""
        images = observations if self.image_key is None else observations[self.image_key]
        # torch takes only arrays it may write to
        pixels = torch.from_numpy(np.require(images, requirements=["C", "W"]))
        return resize(pixels, self.encoder.image_size)

    def others(self, observations: Any) -> dict[str, Any]:
        """Return all entries of observations but the image."""
        if self.image_key is None:
            return {}
        return {key: value for key, value in observations.items() if key != self.image_key}

    def _encode(
        self, frames: Tensor, state: Tensor | None, is_first: npt.NDArray[np.bool_]
    ) -> EncoderOutput:
        device = self.encoder.device
        first = torch.from_numpy(is_first).to(device)
        is_half = self.precision == "bfloat16"
        with torch.autocast(device.type, torch.bfloat16, enabled=is_half):
            output = self.encoder.step(frames.to(device), state, first)
        carried = None if output.state is None else output.state.float()
        return EncoderOutput(output.tokens.float(), output.masks, carried)

    def _to_numpy(self, tokens: Tensor) -> npt.NDArray[Any]:
        # a copy: slots may be the tokens, and what is done to these is not to change them
        array = tokens.to("cpu", self._dtype, copy=True).numpy()
        if not np.isfinite(array).all():
            raise UsageError(
                f"{type(self.encoder).__name__} made tokens that are NaN or infinite (as "
                f"{self._dtype}): check its training, or use dtype='float32'"
            )
        return array

    def _with_tokens(self, observation: Any, tokens: npt.NDArray[Any]) -> Any:
        if self.image_key is None:
            return tokens
        return {TOKENS: tokens, **self.others(observation)}


def batch_of_one(observation: Any) -> Any:
    """Add the axis over environments to a single observation."""
    if isinstance(observation, dict):
        return {key: np.asarray(value)[None] for key, value in observation.items()}
    return np.asarray(observation)[None]


def _rows(output: EncoderOutput, count: int) -> EncoderOutput:
    return EncoderOutput(
        tokens=output.tokens[:count],
        masks=None if output.masks is None else output.masks[:count],
        state=None if output.state is None else output.state[:count],
    )


def _replace_rows(old: EncoderOutput, mask: Tensor, new: EncoderOutput) -> EncoderOutput:
    def replace(into: Tensor, rows: Tensor) -> Tensor:
        into = into.clone()
        into[mask.to(into.device)] = rows
        return into

    return EncoderOutput(
        tokens=replace(old.tokens, new.tokens),
        masks=None if old.masks is None or new.masks is None else replace(old.masks, new.masks),
        state=None if old.state is None or new.state is None else replace(old.state, new.state),
    )
