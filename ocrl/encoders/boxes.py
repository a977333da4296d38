"""What encoders share whose slots are boxes: tokens, masks, the training step."""

from __future__ import annotations

import torch
from torch import Tensor

from ocrl.encoder import Batch, EncoderOutput, TrainableEncoder
from ocrl.encoders.images import ImageEncoder
from ocrl.modules.pixels import frames_of, images_of


class BoxEncoder(TrainableEncoder):
    """An encoder whose slots are objects with a presence, a box, and a code of what they are.

    Boxes are (width, height, x, y), as fractions of the image, centres in [-1, 1], see
    `ocrl.modules.spatial_transformer`. A token is

        [presence, width, height, x, y, ...]      with the centre in [0, 1], or all zeros

    where no object is. Masks have one entry more than there are tokens: the last is the background.

    Attributes:
        step_count: int64 (), how many training steps came before; schedules follow it.
    """

    mask_size = (16, 16)
    step_count: Tensor

    def __init__(self, image_size: tuple[int, int], num_tokens: int, token_dim: int) -> None:
        super().__init__()
        self.image_size = (image_size[0], image_size[1])
        self.num_tokens = num_tokens
        self.token_dim = token_dim
        self.register_buffer("step_count", torch.tensor(0))

    def count_step(self) -> int:
        """Return how many training steps came before, and in train mode count this one."""
        step = int(self.step_count)
        if self.training:
            self.step_count += 1
        return step

    def read(self, frames: Tensor) -> Tensor:
        """Return frames (..., H, W, 3) as float images (N, 3, H, W) in [0, 1]."""
        self.check_frames(frames)
        return images_of(frames.flatten(0, -4))

    def to_images(self, values: Tensor) -> Tensor:
        """Return a reconstruction or its target (..., H * W, 3) as uint8 (..., H, W, 3)."""
        return frames_of(values, self.image_size)


class FrameBoxEncoder(BoxEncoder, ImageEncoder):
    """A `BoxEncoder` for which every frame is an image of its own.

    The masks that it paints, of its tokens and of the background, are better than its boxes.
    """

    has_decoder_masks = True

    def segment(self, batch: Batch) -> Tensor:
        """Return the masks of what is painted, (B, T, K + background, H, W)."""
        masks = self.paint(self.images(batch)).masks
        return torch.unflatten(masks, 0, batch["video"].shape[:2])

    def segment_step(self, frames: Tensor, state: Tensor | None, is_first: Tensor) -> EncoderOutput:
        """Encode one frame of each of B running videos, with the masks of what is painted."""
        masks = self.paint(self.read(frames)).masks
        return EncoderOutput(self.step(frames, state, is_first).tokens, masks, None)


def object_tokens(presence: Tensor, boxes: Tensor, *codes: Tensor) -> Tensor:
    """Return what a policy reads of objects, zeros where none is.

    >>> presence, box = torch.tensor([[[0.9], [0.2]]]), torch.tensor([0.5, 0.25, 0.0, -0.5])
    >>> object_tokens(presence, box.expand(1, 2, 4), torch.ones(1, 2, 1))
    tensor([[[0.9000, 0.5000, 0.2500, 0.5000, 0.2500, 1.0000],
             [0.0000, 0.0000, 0.0000, 0.0000, 0.0000, 0.0000]]])

    Args:
        presence: (..., K, 1), probabilities; an object is there above 0.5.
        boxes: (..., K, 4), as the spatial transformer takes them.
        *codes: (..., K, D) each.

    Returns:
        (..., K, 5 + the codes' widths).
    """
    size, centre = boxes.chunk(2, dim=-1)
    tokens = torch.cat([presence, size, (centre + 1) / 2, *codes], dim=-1)
    return torch.where(presence > 0.5, tokens, 0.0)


def box_masks(presence: Tensor, boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Return where boxes are, softly at their edges, and last where none is.

    Boxes that overlap share a pixel, see `layer_masks`.

    >>> masks = box_masks(torch.tensor([[[1.0]]]), torch.tensor([[[0.5, 1.0, -0.5, 0.0]]]), (1, 4))
    >>> masks[0, :, 0]
    tensor([[1., 1., 0., 0.],
            [0., 0., 1., 1.]])

    Args:
        presence: (B, K, 1).
        boxes: (B, K, 4), as the spatial transformer takes them.
        size: (h, w).

    Returns:
        (B, K + 1, h, w), summing to one over K + 1.
    """
    inside = []
    for axis, length in ((1, size[0]), (0, size[1])):
        steps = torch.arange(length, dtype=boxes.dtype, device=boxes.device)
        distance = ((2 * steps + 1) / length - 1 - boxes[..., 2 + axis, None]).abs()
        inside.append(((boxes[..., axis, None] - distance) * length / 2 + 0.5).clamp(0, 1))
    return layer_masks(presence.unsqueeze(-1) * inside[0].unsqueeze(-1) * inside[1].unsqueeze(-2))


def layer_masks(alphas: Tensor) -> Tensor:
    """Return how much of each pixel objects have that may overlap, and what they leave.

        mask_0 = prod_k (1 - alpha_k),   mask_k = (1 - mask_0) alpha_k / sum_j alpha_j

    >>> layer_masks(torch.tensor([0.5, 0.5]).view(1, 2, 1, 1)).flatten()
    tensor([0.3750, 0.3750, 0.2500])

    Args:
        alphas: (B, K, h, w), in [0, 1].

    Returns:
        (B, K + 1, h, w), summing to one over K + 1; mask_0 is the last.
    """
    background = (1 - alphas).prod(dim=1, keepdim=True)
    total = alphas.sum(dim=1, keepdim=True).clamp_min(torch.finfo(alphas.dtype).tiny)
    return torch.cat([alphas / total * (1 - background), background], dim=1)
