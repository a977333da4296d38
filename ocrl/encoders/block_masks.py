"""The first baseline of every slot encoder: masks that are fixed blocks."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ocrl.encoder import Encoder, EncoderOutput
from ocrl.errors import UsageError


def block_masks(num_slots: int, num_columns: int, size: tuple[int, int]) -> Tensor:
    """Cut an image into columns of blocks, as evenly as it goes.

    The *Block Masks* baseline of DINOSAUR (Seitzer et al., 2023, appendix).

    Args:
        num_slots: number of blocks K.
        num_columns: number of columns; each holds K / num_columns blocks, rounded.
        size: (H, W).

    Returns:
        float32 (K, H, W), 0 or 1.

    Raises:
        UsageError: more columns than blocks.

    Example:
        >>> block_masks(3, 2, (2, 4)).argmax(0)
        tensor([[0, 0, 2, 2], [1, 1, 2, 2]])
    """
    if not 1 <= num_columns <= num_slots:
        raise UsageError(
            f"num_columns is between 1 and num_slots = {num_slots}, got {num_columns}: "
            "each column holds a block at least"
        )
    ids = np.zeros(size, dtype=np.int64)
    columns = np.array_split(np.arange(size[1]), num_columns)
    for column, slots in zip(
        columns, np.array_split(np.arange(num_slots), num_columns), strict=True
    ):
        rows = np.array_split(np.arange(size[0]), len(slots))
        for slot, row in zip(slots, rows, strict=True):
            ids[np.ix_(row, column)] = slot
    return F.one_hot(torch.from_numpy(ids), num_slots).permute(2, 0, 1).float()


class BlockMasks(Encoder):
    """Masks that are the same columns of blocks in every frame; tokens are their mean colours.

    Args:
        num_slots: number of blocks K.
        num_columns: number of columns.
        image_size: (height, width) of the frames.

    Example:
        >>> output = BlockMasks().encode_video(torch.zeros(1, 2, 64, 64, 3, dtype=torch.uint8))
        >>> output.tokens.shape, output.masks.shape
        (torch.Size([1, 2, 7, 3]), torch.Size([1, 2, 7, 64, 64]))
    """

    masks: Tensor

    def __init__(
        self, num_slots: int = 7, num_columns: int = 3, image_size: tuple[int, int] = (64, 64)
    ) -> None:
        super().__init__()
        self.num_tokens = num_slots
        self.token_dim = 3
        self.image_size = (image_size[0], image_size[1])
        masks = block_masks(num_slots, num_columns, self.image_size)
        self.register_buffer("masks", masks, persistent=False)

    def step(self, frames: Tensor, state: Tensor | None, is_first: Tensor) -> EncoderOutput:
        """Return the mean colour of each block and the fixed masks."""
        self.check_frames(frames)
        sizes = self.masks.sum((1, 2)).clamp(min=1)
        colours = torch.einsum("khw,bhwc->bkc", self.masks, frames.float() / 255) / sizes[:, None]
        return EncoderOutput(colours, self.masks.expand(len(frames), -1, -1, -1), None)
