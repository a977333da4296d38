"""Positions: where each token of another encoder looks, told beside what it sees there."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from ocrl.encoder import Batch, Encoder, EncoderOutput
from ocrl.encoders.wrapper import EncoderWrapper
from ocrl.errors import UsageError
from ocrl.modules.position import cell_centres

POSITION_DIM = 5
"""So many numbers say where a token looks."""


class TokenPositions(EncoderWrapper):
    """Appends centroid, extent and area of a token's mask to the token.

    A token that is all zeros holds nothing, and stays all zeros.

    Args:
        encoder: whose tokens have masks.
    """

    def __init__(self, encoder: Encoder) -> None:
        super().__init__(encoder)
        self.token_dim = encoder.token_dim + POSITION_DIM
        self.has_decoder_masks = encoder.has_decoder_masks

    def step(self, frames: Tensor, state: Tensor | None, is_first: Tensor) -> EncoderOutput:
        """Encode frames (B, H, W, 3) as the encoder does, with positions.

        Raises:
            UsageError: if its tokens have no masks.
        """
        return self._with_positions(self.encoder.step(frames, state, is_first))

    def encode_video(self, videos: Tensor, state: Tensor | None = None) -> EncoderOutput:
        """Encode videos (B, T, H, W, 3) in the encoder's own way, with positions."""
        return self._with_positions(self.encoder.encode_video(videos, state))

    def segment(self, batch: Batch) -> Tensor | None:
        """Return the encoder's own segmentation."""
        return self.encoder.segment(batch)

    def segment_step(self, frames: Tensor, state: Tensor | None, is_first: Tensor) -> EncoderOutput:
        """Encode frames as ``step``, with the masks of the encoder's own segmentation."""
        masks = self.encoder.segment_step(frames, state, is_first).masks
        return dataclasses.replace(self.step(frames, state, is_first), masks=masks)

    def _with_positions(self, output: EncoderOutput) -> EncoderOutput:
        if output.masks is None:
            raise UsageError(
                f"the tokens of {type(self.encoder).__name__} have no masks, and so no positions: "
                "choose another encoder, or positions=false"
            )
        tokens = output.tokens
        is_full = (tokens != 0).any(-1, keepdim=True)
        places = is_full * positions(output.masks.narrow(-3, 0, self.num_tokens))
        return dataclasses.replace(output, tokens=torch.cat([tokens, places.to(tokens)], dim=-1))


def positions(masks: Tensor) -> Tensor:
    """Return centroid (x, y), extent (x, y) and area of masks; zeros of an empty one.

    Width and height of the image are 2, from -1 to 1, for the centroid and for the extent, a
    standard deviation; the area is a share of the image.

    >>> positions(torch.tensor([[0.0, 0.0, 1.0, 1.0]])).tolist()
    [0.5, 0.0, 0.25, 0.0, 0.5]

    Args:
        masks: (..., h, w), non-negative.

    Returns:
        Float (..., 5).
    """
    masks = masks.float()
    mass = masks.sum((-2, -1))
    x, width = _moments(masks.sum(-2), mass)
    y, height = _moments(masks.sum(-1), mass)
    area = mass / (masks.shape[-2] * masks.shape[-1])
    return torch.stack([x, y, width, height, area], dim=-1)


def _moments(profile: Tensor, mass: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation of places along an axis, of weights (..., n)."""
    weights = profile / mass.clamp_min(torch.finfo(mass.dtype).tiny).unsqueeze(-1)
    places = cell_centres(profile.shape[-1]).to(profile.device)
    mean = (weights * places).sum(-1, keepdim=True)
    # not the mean square less the squared mean: that cancels where a mask is small
    variance = (weights * (places - mean) ** 2).sum(-1)
    # the slope of a root at zero is infinite
    return mean.squeeze(-1), torch.where(variance > 0, variance, 1).sqrt() * (variance > 0)
