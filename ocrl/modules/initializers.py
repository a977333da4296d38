"""Where slots start on the first frame."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from ocrl.errors import UsageError
from ocrl.modules.mlp import MLP


class Initializer(nn.Module, ABC):
    """Gives the slots of a first frame.

    Attributes:
        num_slots: K.
        slot_dim: D.
    """

    def __init__(self, num_slots: int, slot_dim: int) -> None:
        super().__init__()
        if num_slots < 1:
            raise UsageError(f"num_slots is {num_slots}: an encoder needs at least one slot")
        self.num_slots = num_slots
        self.slot_dim = slot_dim

    @abstractmethod
    def forward(self, batch_size: int) -> Tensor:
        """Return slots (batch_size, K, D)."""


class LearnedInitializer(Initializer):
    """One learned vector per slot, the same for every video (SlotContrast, section 3.2).

    >>> LearnedInitializer(num_slots=7, slot_dim=64)(2).shape
    torch.Size([2, 7, 64])
    """

    def __init__(self, num_slots: int, slot_dim: int) -> None:
        super().__init__(num_slots, slot_dim)
        self.slots = nn.Parameter(torch.randn(1, num_slots, slot_dim) * slot_dim**-0.5)

    def forward(self, batch_size: int) -> Tensor:
        """Return the learned slots, the same for all."""
        return self.slots.expand(batch_size, -1, -1)


class BoxInitializer(Initializer):
    """Slots from the boxes of a first frame: which objects to follow (SAVi, arXiv 2111.12594).

    Args:
        num_slots: K.
        slot_dim: D.
        hidden_dim: width of the hidden layer.
    """

    def __init__(self, num_slots: int, slot_dim: int, hidden_dim: int = 256) -> None:
        super().__init__(num_slots, slot_dim)
        self.mlp = MLP(4, [hidden_dim], slot_dim)

    def forward(self, batch_size: int) -> Tensor:
        """Raise UsageError: there are no slots without boxes."""
        raise UsageError(
            "this encoder follows the objects in boxes that it is given on a first frame, and was "
            "given none: give boxes=[[top, left, bottom, right], ...] in [0, 1], start with "
            "encoder.first_state({'boxes': boxes}), or take one that finds objects by itself"
        )

    def from_boxes(self, boxes: Tensor) -> Tensor:
        """Map boxes (B, K, 4) to slots (B, K, D).

        Args:
            boxes: (top, left, bottom, right) in [0, 1]; zeros for slots without an object.

        Raises:
            UsageError: there are more or fewer boxes than slots.
        """
        if boxes.shape[1:] != (self.num_slots, 4):
            raise UsageError(
                f"boxes are {tuple(boxes.shape)}, expected (B, {self.num_slots}, 4): one for "
                "each slot, zeros where there is no object"
            )
        slots: Tensor = self.mlp(boxes)
        return slots


class RandomInitializer(Initializer):
    """Samples of one learned Gaussian (Slot Attention, section 2.1; DINOSAUR, VideoSAUR).

    Noise is fresh in training. In eval mode it is one fixed draw, kept with the weights, so that
    an encoder stays a function of its frames.

    >>> initializer = RandomInitializer(num_slots=7, slot_dim=64).eval()
    >>> torch.equal(initializer(2), initializer(2))
    True
    """

    eval_noise: Tensor

    def __init__(self, num_slots: int, slot_dim: int) -> None:
        super().__init__(num_slots, slot_dim)
        self.mean = nn.Parameter(torch.zeros(1, 1, slot_dim))
        self.log_std = nn.Parameter(torch.full((1, 1, slot_dim), slot_dim**-0.5).log())
        generator = torch.Generator().manual_seed(0)
        noise = torch.randn(1, num_slots, slot_dim, generator=generator)
        self.register_buffer("eval_noise", noise)

    def noise(self, batch_size: int) -> Tensor:
        """Return standard normal noise (batch_size, K, D)."""
        shape = (batch_size, self.num_slots, self.slot_dim)
        return torch.randn(shape, device=self.mean.device) if self.training else self.eval_noise

    def forward(self, batch_size: int) -> Tensor:
        """Return slots drawn around the learned mean; the same ones always in eval mode."""
        slots = self.mean + self.log_std.exp() * self.noise(batch_size)
        return slots.expand(batch_size, -1, -1)
