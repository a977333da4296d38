"""What `space` makes of its arguments; the rest of SPACE is in test_space_parity.py."""

import math

import pytest
import torch

from ocrl.encoders.space import space
from ocrl.encoders.space_objects import Foreground
from ocrl.modules.mixture_background import Background


@pytest.mark.parametrize(("chosen", "behind"), [(0.05, 0.05), (None, 0.2)])
def test_the_background_has_a_deviation_of_its_own(chosen, behind):
    images = torch.rand(2, 3, 32, 32)
    off = images + 0.1  # both draw the image a little too bright
    encoder = space(image_size=(32, 32), num_background=2, sigma=0.2, background_sigma=chosen)
    masks = torch.full((2, 2, 1, 32, 32), 0.5)
    background = Background(masks, torch.stack([off, off], 1), torch.zeros(2))
    for alpha, deviation in ((0.0, behind), (1.0, 0.2)):
        everywhere = torch.full((2, 1, 32, 32), alpha)
        foreground = Foreground(off, everywhere, everywhere[:, None])
        expected = math.exp(-0.5 * (0.1 / deviation) ** 2) / (deviation * math.sqrt(2 * math.pi))
        density = encoder.log_likelihood(images, foreground, background).exp()
        torch.testing.assert_close(density, torch.full_like(density, expected), rtol=1e-3, atol=0)
