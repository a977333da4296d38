"""A background told by one latent vector, which changes slowly from frame to frame."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence

from ocrl.errors import UsageError
from ocrl.modules.convolutions import conv_block, narrow, upsampling_block
from ocrl.modules.noise import Noise, gaussian

FACTORS = {32: (4, 4, 2), 64: (4, 4, 4), 128: (4, 4, 2, 4)}
"""By how much each layer of the decoder widens the image, by the image's side."""


class Scenery(NamedTuple):
    """The background of one frame.

    Attributes:
        image: (B, 3, H, W).
        kl: (B,), of its latent vector, in nats.
        state: the vector, and the prior's hidden state: what the next frame needs.
    """

    image: Tensor
    kl: Tensor
    state: tuple[Tensor, Tensor]


class LatentBackground(nn.Module):
    """The background of SCALOR (arXiv 1910.02384, section 2.4).

        image, what objects cover -> z_t;   z_t -> image
        z_1 ~ N(0, 1);   z_t ~ N(z_{t-1} + change_t, .), by a GRU

    Args:
        image_size: (height, width), 32x32, 64x64 or 128x128.
        dim: width of the latent vector.
        hidden_dim: of the GRU behind the prior.
        width: share of the published channels and groups.
    """

    def __init__(
        self, image_size: tuple[int, int], dim: int, hidden_dim: int, width: float
    ) -> None:
        super().__init__()
        if image_size[0] != image_size[1] or image_size[0] not in FACTORS:
            raise UsageError(
                f"SCALOR's background is square, with sides of 32, 64 or 128 pixels, not "
                f"{image_size[0]}x{image_size[1]}: choose an image_size such as [64, 64]"
            )
        self.encoder = _encoder(image_size[0], dim, width)
        self.decoder = _decoder(image_size[0], dim, width)
        self.prior = nn.GRUCell(dim, hidden_dim)
        self.to_prior = nn.Linear(hidden_dim, 2 * dim)

    def forward(
        self,
        images: Tensor,
        alpha: Tensor,
        before: tuple[Tensor, Tensor] | None,
        noise: Noise,
        t: int = 0,
    ) -> Scenery:
        """Explain what objects leave of images.

        Args:
            images: (B, 3, H, W).
            alpha: (B, 1, H, W), what objects cover.
            before: state of the frame before, if there was one.
            noise: by ``background_<t>``.
            t: number of the frame.
        """
        posterior = gaussian(self.encoder(torch.cat([images, 1 - alpha], dim=1)).flatten(1))
        if before is None:
            hidden = images.new_zeros(len(images), self.prior.hidden_size)
            prior = Normal(torch.zeros_like(posterior.mean), 1.0)
        else:
            latent, hidden = before
            hidden = self.prior(latent, hidden)
            change = gaussian(self.to_prior(hidden))
            prior = Normal(latent + change.mean, change.stddev, validate_args=False)
        latent = noise.normal(f"background_{t}", posterior)
        image = self.decoder(latent[..., None, None])
        return Scenery(image, kl_divergence(posterior, prior).sum(1), (latent, hidden))


def _encoder(side: int, dim: int, width: float) -> nn.Sequential:
    halvings = int(math.log2(side // 4))
    dims, groups = [16, 32, 64, 64, 64][:halvings], [4, 8, 8, 8, 8][:halvings]
    layers: list[nn.Module] = []
    before = 4
    for after, group in zip(narrow(dims, width), narrow(groups, width), strict=True):
        layers += conv_block(before, after, 4, 2, padding=1, groups=group)
        before = after
    return nn.Sequential(*layers, nn.Conv2d(before, 2 * dim, 4))


def _decoder(side: int, dim: int, width: float) -> nn.Sequential:
    factors = FACTORS[side]
    dims, groups = [256, 128, 64, 16][-len(factors) :], [16, 16, 8, 4][-len(factors) :]
    before, first_groups = narrow([256, 16], width)
    layers = conv_block(dim, before, 1, groups=first_groups)
    dims, groups = narrow(dims, width), narrow(groups, width)
    for after, group, factor in zip(dims, groups, factors, strict=True):
        layers += upsampling_block(before, after, factor, group)
        layers += conv_block(after, after, 3, padding=1, groups=group)
        before = after
    layers += conv_block(before, before, 3, padding=1, groups=narrow([4], width)[0])
    return nn.Sequential(*layers, nn.Conv2d(before, 3, 3, padding=1), nn.Sigmoid())
