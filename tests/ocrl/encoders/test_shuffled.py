"""Shuffled slots keep every number and every memory, but not objects."""

import pytest
import torch

from ocrl.encoder import Encoder, EncoderOutput
from ocrl.encoders.shuffled import ShuffledSlots
from ocrl.errors import UsageError


class Counting(Encoder):
    """Token k has the numbers 100 t + 10 k + d, t frames after the first."""

    image_size = (8, 8)

    def __init__(self, num_tokens=5, token_dim=4):
        super().__init__()
        self.num_tokens, self.token_dim = num_tokens, token_dim

    def initial_state(self, batch_size):
        return torch.zeros(batch_size, self.num_tokens, self.token_dim)

    def step(self, frames, state, is_first):
        state = torch.where(is_first[:, None, None], self.initial_state(len(frames)), state + 100)
        k, d = torch.arange(self.num_tokens), torch.arange(self.token_dim)
        masks = torch.ones(len(frames), self.num_tokens, 1, 1) / self.num_tokens
        return EncoderOutput(state + 10 * k[:, None] + d, masks, state)


def test_numbers_stay_in_their_coordinate_but_leave_their_slot():
    videos = torch.zeros(2, 3, 8, 8, 3, dtype=torch.uint8)
    plain = Counting().encode_video(videos).tokens
    shuffled = ShuffledSlots(Counting()).encode_video(videos)
    assert shuffled.masks is None
    assert not torch.equal(plain, shuffled.tokens)
    torch.testing.assert_close(plain.sort(dim=2).values, shuffled.tokens.sort(dim=2).values)
    slots = (shuffled.tokens[0, 0] // 10 % 10).long()
    assert max(len(set(token)) for token in slots.tolist()) > 1
    # in the same way in every frame
    torch.testing.assert_close(
        shuffled.tokens[:, 2] - shuffled.tokens[:, 1], plain[:, 2] - plain[:, 1]
    )


def test_seed_chooses_the_permutation():
    same, other = ShuffledSlots(Counting()), ShuffledSlots(Counting(), seed=1)
    assert torch.equal(same.permutation, ShuffledSlots(Counting()).permutation)
    assert not torch.equal(same.permutation, other.permutation)


def test_a_single_token_is_refused():
    with pytest.raises(UsageError, match="nothing to shuffle"):
        ShuffledSlots(Counting(num_tokens=1))
