"""What encoders share that follow objects in boxes from frame to frame."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from collections.abc import Iterator
from typing import Generic, TypeVar

import torch
from torch import Tensor

from ocrl.encoder import Batch, EncoderOutput, Reconstruction
from ocrl.encoders.boxes import BoxEncoder
from ocrl.encoders.images import Painting
from ocrl.modules.pixels import pixels_of

F = TypeVar("F")
"""What an encoder makes of one frame."""


class BoxTracker(BoxEncoder, Generic[F]):
    """A `BoxEncoder` whose slots keep their objects.

    It says how to go on by a frame, what of it is put out, and how to paint it.
    """

    has_decoder_masks = True

    @abstractmethod
    def initial_state(self, batch_size: int) -> Tensor:
        """Return the state without any object, (B, K, S)."""

    @abstractmethod
    def advance(self, frames: Tensor, state: Tensor) -> F:
        """Go on by one frame (B, H, W, 3) from a state (B, K, S), without noise."""

    @abstractmethod
    def output(self, frame: F) -> EncoderOutput:
        """Return tokens, where boxes are, and the next state."""

    @abstractmethod
    def paint(self, frames: Tensor, frame: F) -> Painting:
        """Draw what is followed; the last mask is the background."""

    def step(self, frames: Tensor, state: Tensor | None, is_first: Tensor) -> EncoderOutput:
        """Encode one frame of each of B running videos, see `ocrl.Encoder.step`."""
        return self.output(self._go_on(frames, state, is_first))

    def segment_step(self, frames: Tensor, state: Tensor | None, is_first: Tensor) -> EncoderOutput:
        """Encode one frame of each of B running videos, with masks of what is drawn."""
        frame = self._go_on(frames, state, is_first)
        return dataclasses.replace(self.output(frame), masks=self.paint(frames, frame).masks)

    def segment(self, batch: Batch) -> Tensor:
        """Return masks of what is drawn, (B, T, K + 1, H, W); the last is the background."""
        return torch.stack([painting.masks for painting in self._paintings(batch)], dim=1)

    def reconstruct(self, batch: Batch) -> Reconstruction:
        """Draw what is followed."""
        videos = batch["video"]
        images, masks = (
            torch.stack(part, dim=1) for part in zip(*self._paintings(batch), strict=True)
        )
        target = torch.unflatten(self.read(videos), 0, videos.shape[:2])
        return Reconstruction(pixels_of(images), pixels_of(target), masks)

    def _go_on(self, frames: Tensor, state: Tensor | None, is_first: Tensor) -> F:
        first = self.initial_state(len(frames))
        state = first if state is None else torch.where(is_first[:, None, None], first, state)
        return self.advance(frames, state)

    def _paintings(self, batch: Batch) -> Iterator[Painting]:
        state: Tensor | None = self.initial_state(len(batch["video"]))
        for frames in batch["video"].unbind(1):
            assert state is not None
            frame = self.advance(frames, state)
            yield self.paint(frames, frame)
            state = self.output(frame).state
