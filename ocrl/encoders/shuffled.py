"""A control: the numbers of another encoder's slots, but not those of one object together."""

from __future__ import annotations

import torch
from torch import Tensor

from ocrl.encoder import Encoder, EncoderOutput
from ocrl.encoders.wrapper import EncoderWrapper
from ocrl.errors import UsageError


class ShuffledSlots(EncoderWrapper):
    """Permutes slots in each coordinate on its own, always in the same way.

    A token then holds pieces of many slots. Nothing of what the encoder knows is lost, only that
    it comes object by object: an agent that does as well does not need objects. Whole slots in
    another order would be the same set to a policy, and a new order of the coordinates at every
    step would lose knowledge too. What is carried between frames is not shuffled.

    Args:
        encoder: the one whose slots are shuffled.
        seed: of the permutations.

    Raises:
        UsageError: if the encoder has a single token.
    """

    permutation: Tensor

    def __init__(self, encoder: Encoder, seed: int = 0) -> None:
        super().__init__(encoder)
        if encoder.num_tokens < 2:
            raise UsageError(
                f"{type(encoder).__name__} has a single token, there is nothing to shuffle: "
                "choose an encoder with slots"
            )
        generator = torch.Generator().manual_seed(seed)
        order = torch.rand(self.num_tokens, self.token_dim, generator=generator).argsort(0)
        self.register_buffer("permutation", order, persistent=False)

    def step(self, frames: Tensor, state: Tensor | None, is_first: Tensor) -> EncoderOutput:
        """Encode frames (B, H, W, 3) and shuffle the tokens, which have no place any more."""
        output = self.encoder.step(frames, state, is_first)
        order = self.permutation.expand(len(frames), -1, -1)
        return EncoderOutput(output.tokens.gather(1, order), masks=None, state=output.state)
