"""A mixture of pixels against sums over slots."""

from __future__ import annotations

import torch
from torch.distributions import TransformedDistribution, Uniform
from torch.distributions.transforms import AffineTransform, SigmoidTransform

from ocrl.modules.pixel_mixture import PixelMixture

SCALE = 0.3


def test_densities_gains_and_shares_are_those_of_sums_over_slots():
    draw = torch.Generator().manual_seed(0)
    images = torch.rand(2, 3, 1, 2, generator=draw, dtype=torch.float64)
    colours = torch.randn(2, 3, 3, 1, 2, generator=draw, dtype=torch.float64)
    logits = torch.randn(2, 3, 1, 1, 2, generator=draw, dtype=torch.float64)
    mixture = PixelMixture.of(images, colours, logits, SCALE)
    for row in range(2):
        for pixel in range(2):
            masks = logits[row, :, 0, 0, pixel].exp()
            densities = []
            for slot in range(3):
                mean = colours[row, slot, :, 0, pixel]
                uniform = Uniform(torch.zeros_like(mean), torch.ones_like(mean))
                to_logistic = [SigmoidTransform().inv, AffineTransform(mean, SCALE)]
                logistic = TransformedDistribution(uniform, to_logistic)
                densities.append(logistic.log_prob(images[row, :, 0, pixel]).sum().exp())
            density = torch.stack(densities)
            whole = (masks * density).sum() / masks.sum()
            at = (row, slice(None), 0, 0, pixel)
            torch.testing.assert_close(mixture.likelihood[at], whole.log()[None])
            torch.testing.assert_close(
                mixture.responsibilities[at], density / (density.sum() + 1e-6)
            )
            for slot in range(3):
                rest = [k for k in range(3) if k != slot]
                without = (masks[rest] * density[rest]).sum() / masks[rest].sum()
                gain = mixture.gains[row, slot, 0, 0, pixel]
                torch.testing.assert_close(gain, (whole / without).log())
            blended = (masks[:, None] * colours[row, :, :, 0, pixel]).sum(0) / masks.sum()
            torch.testing.assert_close(mixture.image[row, :, 0, pixel], blended)
