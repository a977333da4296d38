"""The contract between encoders, wrappers and policies."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ocrl.errors import UsageError

BOXES, FLOW = "boxes", "flow"
"""Entries that a clip may have besides its frames, see `ocrl.annotations`."""


@dataclass(frozen=True)
class EncoderOutput:
    """What an encoder makes of a batch of frames, or of videos with a further axis T after B.

    Attributes:
        tokens: float (B, K, D), the set of tokens a policy reads.
        masks: float (B, K, h, w), non-negative, summing to one over K: where each token looks.
            None for encoders whose tokens have no place in the image.
        state: float (B, K, D), what the next ``step`` is to be given. None for encoders
            that carry nothing between frames. ``encode_video`` returns the state after the
            last frame, without a time axis.
    """

    tokens: Tensor
    masks: Tensor | None
    state: Tensor | None


class Encoder(nn.Module, ABC):
    """Turns frames into tokens, one frame at a time, with the state in the caller's hands.

    Slot encoders give K slots, a single-vector encoder K = 1, a dense grid K = h * w. One policy
    reads all of them.

    ``step`` is a pure function of its arguments: deterministic in eval mode, and free of the
    decoder. ``encode_video`` equals ``step`` frame by frame.

    Attributes:
        num_tokens: K.
        token_dim: D.
        image_size: (height, width) of the frames it takes.
        asks_for: entries of clips besides ``video`` that it is trained with and segments by, as
            further arguments of ``segment``, ``reconstruct`` and ``losses``.
    """

    asks_for: tuple[str, ...] = ()
    num_tokens: int
    token_dim: int
    image_size: tuple[int, int]

    @property
    def device(self) -> torch.device:
        """Where it encodes: where its parameters are, the CPU if it has none."""
        parameter = next(self.parameters(), None)
        return torch.device("cpu") if parameter is None else parameter.device

    def initial_state(self, batch_size: int) -> Tensor | None:
        """Return the state before a first frame, (B, K, D), or None if nothing is carried."""
        return None

    @abstractmethod
    def step(self, frames: Tensor, state: Tensor | None, is_first: Tensor) -> EncoderOutput:
        """Encode one frame of each of B running videos.

        Args:
            frames: uint8 (B, H, W, 3).
            state: what the last step returned, or ``initial_state(B)``.
            is_first: bool (B,). Rows that are True start afresh, whatever their state holds.

        Returns:
            Tokens (B, K, D), masks (B, K, h, w) or None, state (B, K, D) or None.
        """

    def encode_video(self, videos: Tensor) -> EncoderOutput:
        """Encode videos from their first frame on.

        Args:
            videos: uint8 (B, T, H, W, 3).

        Returns:
            Tokens (B, T, K, D), masks (B, T, K, h, w) or None, and the state after frame T.
        """
        batch_size, num_frames = videos.shape[:2]
        state = self.initial_state(batch_size)
        outputs = []
        for t in range(num_frames):
            is_first = torch.full((batch_size,), t == 0, device=videos.device)
            outputs.append(self.step(videos[:, t], state, is_first))
            state = outputs[-1].state
        masks = [output.masks for output in outputs if output.masks is not None]
        return EncoderOutput(
            tokens=torch.stack([output.tokens for output in outputs], dim=1),
            masks=torch.stack(masks, dim=1) if masks else None,
            state=state,
        )

    def segment(self, videos: Tensor) -> Tensor | None:
        """Return the masks that segmentation is scored by, (B, T, K, h, w), or None.

        By default where the tokens look; encoders whose decoder segments better override it.

        Args:
            videos: uint8 (B, T, H, W, 3).
        """
        return self.encode_video(videos).masks

    def segment_step(self, frames: Tensor, state: Tensor | None, is_first: Tensor) -> EncoderOutput:
        """Encode one frame of each of B running videos: ``step`` with the masks of ``segment``."""
        return self.step(frames, state, is_first)

    def arguments(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return what ``segment`` and ``losses`` are given of a batch of clips, where it encodes.

        Args:
            batch: with ``video`` uint8 (B, T, H, W, 3), and what it asks for.
        """
        entries = {"videos": batch["video"], **{name: batch[name] for name in self.asks_for}}
        return {name: entry.to(self.device) for name, entry in entries.items()}

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
    def losses(self, videos: Tensor) -> dict[str, Tensor]:
        """Return each term of the objective, unweighted scalars, keyed as ``loss_weights``.

        Args:
            videos: uint8 (B, T, H, W, 3), clips to train on.
        """

    def total_loss(self, losses: dict[str, Tensor]) -> Tensor:
        """Return the weighted sum of the terms."""
        terms = [self.loss_weights[name] * value for name, value in losses.items()]
        return torch.stack(terms).sum()
