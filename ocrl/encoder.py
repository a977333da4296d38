"""The contract between encoders, wrappers and policies."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import chain
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from ocrl.errors import UsageError

Batch = Mapping[str, Tensor]
"""Clips: ``video`` uint8 (B, T, H, W, 3), what an encoder ``asks_for``, and further entries."""

BOXES, FLOW = "boxes", "flow"
"""Entries that a batch may have besides its video, see `ocrl.data.annotations`."""


@dataclass(frozen=True)
class EncoderOutput:
    """What an encoder makes of a batch of frames, or of videos with a further axis T after B.

    Attributes:
        tokens: float (B, K, D), the set of tokens a policy reads.
        masks: float (B, K, h, w), non-negative, summing to one over K: where each token looks.
            Encoders whose tokens are objects alone have one mask more, the last: the background.
            None for encoders whose tokens have no place in the image.
        state: float (B, K, S), what the next ``step`` is to be given. None for encoders
            that carry nothing between frames. ``encode_video`` returns the state after the
            last frame, without a time axis.
    """

    tokens: Tensor
    masks: Tensor | None
    state: Tensor | None


class Reconstruction(NamedTuple):
    """Videos as their tokens explain them.

    Attributes:
        reconstruction: float (B, T, N, F).
        target: float (B, T, N, F), what was to be reconstructed.
        masks: float (B, T, K, h, w), summing to one over K: which token explains what. None where
            all tokens explain everything together.
    """

    reconstruction: Tensor
    target: Tensor
    masks: Tensor | None = None


class FrozenFeatures(NamedTuple):
    """What training does not change: the same for a frame in every step.

    Attributes:
        network: all that the features depend on besides the frames.
        compute: videos uint8 (B, T, H, W, 3) to features (B, T, ...) by name.
    """

    network: nn.Module
    compute: Callable[[Tensor], dict[str, Tensor]]


class ParameterGroup(NamedTuple):
    """Parameters that learn alike.

    Attributes:
        parameters: of them, those that require gradients.
        rate: learning rate, in units of the run's.
        constant: whether the rate stays as it is, without warm-up and decay.
        optimizer: class of the optimiser.
        options: what it takes besides, such as ``{"betas": (0.95, 0.999)}``.
    """

    parameters: list[nn.Parameter]
    rate: float = 1.0
    constant: bool = False
    optimizer: type[Optimizer] = Adam
    options: Mapping[str, Any] = MappingProxyType({})


class Encoder(nn.Module, ABC):
    """Turns frames into tokens, one frame at a time, with the state in the caller's hands.

    Slot encoders give K slots, a single-vector encoder K = 1, a dense grid K = h * w. One policy
    reads all of them.

    ``step`` is a pure function of its arguments: deterministic in eval mode, and free of the
    decoder. ``encode_video`` equals ``step`` frame by frame.

    An encoder of one's own defines ``step`` and the three sizes. The rest has defaults: override
    ``segment`` and ``reconstruct`` where a decoder says more than the tokens' masks do,
    ``first_state`` where an encoder is told what to look for.

    Attributes:
        num_tokens: K.
        token_dim: D.
        image_size: (height, width) of the frames it takes.
        asks_for: entries of a batch besides ``video`` that it is trained with and segments by.
        has_decoder_masks: whether ``segment`` gives other masks than where the tokens look.
        config: what builds it: ``_target_`` and plain arguments. Set by `ocrl.create_encoder`; None
            for an encoder that was built otherwise.
    """

    asks_for: tuple[str, ...] = ()
    has_decoder_masks: bool = False
    config: Mapping[str, Any] | None = None
    num_tokens: int
    token_dim: int
    image_size: tuple[int, int]

    @property
    def device(self) -> torch.device:
        """Where it encodes: where its parameters and buffers are, the CPU if it has none."""
        tensor = next(chain(self.parameters(), self.buffers()), None)
        return torch.device("cpu") if tensor is None else tensor.device

    def initial_state(self, batch_size: int) -> Tensor | None:
        """Return the state before a first frame, (B, K, S), or None if nothing is carried."""
        return None

    def first_state(self, batch: Batch) -> Tensor | None:
        """Return the state (B, K, S) that a batch tells its videos to start from.

        None, as by default: they start from ``initial_state``, told nothing.
        """
        return None

    @abstractmethod
    def step(self, frames: Tensor, state: Tensor | None, is_first: Tensor) -> EncoderOutput:
        """Encode one frame of each of B running videos.

        Args:
            frames: uint8 (B, H, W, 3).
            state: what the last step returned, ``first_state(batch)`` or ``initial_state(B)``.
            is_first: bool (B,). Rows that are True start afresh, whatever their state holds.

        Returns:
            Tokens (B, K, D), masks (B, K, h, w) or None, state (B, K, S) or None.
        """

    def encode_video(self, videos: Tensor, state: Tensor | None = None) -> EncoderOutput:
        """Encode videos.

        Args:
            videos: uint8 (B, T, H, W, 3).
            state: (B, K, S) to go on from, as ``first_state`` or a step before returned it. None:
                the videos start afresh.

        Returns:
            Tokens (B, T, K, D), masks (B, T, K, h, w) or None, and the state after frame T.
        """
        batch_size, num_frames = videos.shape[:2]
        afresh = state is None
        state = self.initial_state(batch_size) if afresh else state
        outputs = []
        for t in range(num_frames):
            is_first = torch.full((batch_size,), afresh and t == 0, device=videos.device)
            outputs.append(self.step(videos[:, t], state, is_first))
            state = outputs[-1].state
        masks = [output.masks for output in outputs if output.masks is not None]
        return EncoderOutput(
            tokens=torch.stack([output.tokens for output in outputs], dim=1),
            masks=torch.stack(masks, dim=1) if masks else None,
            state=state,
        )

    def segment(self, batch: Batch) -> Tensor | None:
        """Return the masks that segmentation is scored by, (B, T, K, h, w), or None.

        By default where the tokens look; encoders whose decoder segments better override it.
        """
        return self.encode_video(batch["video"], self.first_state(batch)).masks

    def segment_step(self, frames: Tensor, state: Tensor | None, is_first: Tensor) -> EncoderOutput:
        """Encode one frame of each of B running videos: ``step`` with the masks of ``segment``."""
        return self.step(frames, state, is_first)

    def reconstruct(self, batch: Batch) -> Reconstruction | None:
        """Decode what the tokens hold, for pictures and scores; None without a decoder."""
        return None

    def to_images(self, values: Tensor) -> Tensor | None:
        """Return a reconstruction or its target (..., N, F) as uint8 images (..., h, w, 3).

        None, as by default, if these are no colours.
        """
        return None

    def to_device(self, batch: Batch) -> dict[str, Tensor]:
        """Return a batch where it encodes."""
        return {name: entry.to(self.device) for name, entry in batch.items()}

    def check_frames(self, frames: Tensor) -> None:
        """Raise UsageError unless ``frames`` is uint8 (..., H, W, 3) of this encoder's size."""
        expected = (*self.image_size, 3)
        if frames.dtype != torch.uint8 or tuple(frames.shape[-3:]) != expected:
            raise UsageError(
                f"{type(self).__name__} takes uint8 frames (..., {expected[0]}, {expected[1]}, 3), "
                f"got {str(frames.dtype).removeprefix('torch.')} {tuple(frames.shape)}: "
                "resize the frames, or build the encoder with another image_size"
            )


class TrainableEncoder(Encoder):
    """An encoder that can be pretrained on videos: it knows its own objective.

    Attributes:
        loss_weights: weight of each term that ``losses`` returns; their weighted sum is minimised.
    """

    loss_weights: dict[str, float]

    @abstractmethod
    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return each term of the objective, unweighted scalars, keyed as ``loss_weights``.

        Args:
            batch: clips to train on. Where it holds what ``frozen_features`` computes of them, by
                the same names, that is taken in place of computing it.
        """

    def total_loss(self, losses: Mapping[str, Tensor]) -> Tensor:
        """Return the weighted sum of the terms."""
        terms = [self.loss_weights[name] * value for name, value in losses.items()]
        return torch.stack(terms).sum()

    def parameter_groups(self) -> list[ParameterGroup]:
        """Return all that is trained, how fast and by which optimiser: by default all alike."""
        return [ParameterGroup([p for p in self.parameters() if p.requires_grad])]

    def frozen_features(self) -> FrozenFeatures | None:
        """Return what of ``losses`` training does not change, to be computed once and cached.

        None, as by default: training changes all of it.
        """
        return None
