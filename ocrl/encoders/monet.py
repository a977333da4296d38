"""MONet: objects taken off an image one after the other, by attention."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from ocrl.encoder import Batch
from ocrl.encoders.images import ImageEncoder, Painting
from ocrl.errors import UsageError
from ocrl.modules.broadcast import BroadcastConv2d
from ocrl.modules.distributions import (
    categorical_divergence,
    gaussian_divergence,
    gaussian_log_density,
    gaussian_sample,
)
from ocrl.modules.mlp import MLP
from ocrl.modules.position import coordinate_maps
from ocrl.modules.ranges import check_positive
from ocrl.modules.stick_breaking import break_off
from ocrl.modules.unet import UNet
from ocrl.zoo import register_encoder

# Probabilities of masks are raised to it before they are compared.
FLOOR = 1e-5


class MONet(ImageEncoder):
    """Multi-object network (Burgess et al. 2019, arXiv 1901.11390).

        s_1 = 1;   m_k = s_k alpha(x, s_k),   s_k+1 = s_k (1 - alpha(x, s_k));   m_K = s_K
        q(z_k | x, m_k);   z_k -> colours x_k, mask logits l_k

        L = -log sum_k m_k N(x; x_k, sigma_k) + beta sum_k KL(q_k || N(0, 1))
            + gamma KL(m || softmax(l))

    The mixture is one of pixels' channels, and sigma of the first slot is another than that of the
    rest, so that it tends to hold the background; both as in the public code of Dittadi et al.
    (ICML 2022). Tokens are the means of q, in the order in which they were taken; masks are m.

    Args:
        image_size: (height, width), sides of 32, 64 or 128.
        num_slots: K, 2 at least.
        latent_dim: Z.
        unet_dim: channels of the first blocks of the attention's U-Net.
        encoder_dims: channels of the component encoder's four convolutions.
        encoder_hidden: width of its hidden layer.
        decoder_dims: channels of the component decoder's four convolutions.
        sigma_background: of the first slot, in units of the image's [0, 1].
        sigma: of the others.
        beta: weight of the latents' divergence.
        gamma: weight of the masks' divergence.
    """

    sigmas: Tensor

    def __init__(
        self,
        image_size: tuple[int, int],
        num_slots: int,
        latent_dim: int,
        *,
        unet_dim: int,
        encoder_dims: Sequence[int],
        encoder_hidden: int,
        decoder_dims: Sequence[int],
        sigma_background: float,
        sigma: float,
        beta: float,
        gamma: float,
    ) -> None:
        super().__init__()
        if num_slots < 2:
            raise UsageError(
                f"num_slots is {num_slots}: MONet takes objects off a background, choose 2 or more"
            )
        check_positive(latent_dim=latent_dim, sigma=sigma, sigma_background=sigma_background)
        self.image_size = (image_size[0], image_size[1])
        self.num_tokens = num_slots
        self.token_dim = latent_dim
        self.loss_weights = {"likelihood": 1.0, "latents": beta, "masks": gamma}
        sigmas = torch.tensor([sigma_background] + [sigma] * (num_slots - 1))
        self.register_buffer("sigmas", sigmas.view(-1, 1, 1, 1), persistent=False)
        # The two channels are the logits of taking and of leaving a pixel.
        self.attention = UNet(4, 2, image_size=image_size, dim=unet_dim)
        size = image_size
        for _ in encoder_dims:
            size = ((size[0] - 1) // 2, (size[1] - 1) // 2)
        self.encoder = nn.Sequential(
            *_convolutions([4, *encoder_dims], stride=2),
            nn.Flatten(),
            MLP(encoder_dims[-1] * size[0] * size[1], [encoder_hidden], 2 * latent_dim),
        )
        margin = 2 * len(decoder_dims)
        coordinates = coordinate_maps((image_size[0] + margin, image_size[1] + margin))
        self.decoder = nn.Sequential(
            *(BroadcastConv2d(latent_dim, coordinates, decoder_dims[0], 3), nn.ReLU()),
            *_convolutions(decoder_dims, stride=1),
            nn.Conv2d(decoder_dims[-1], 4, 1),
        )

    def attend(self, images: Tensor) -> Tensor:
        """Map images (B, 3, H, W) to the logarithms of masks (B, K, H, W)."""
        log_scope = torch.zeros_like(images[:, :1])
        log_masks = []
        for _ in range(self.num_tokens - 1):
            take, leave = self.attention(torch.cat([images, log_scope], dim=1)).split(1, dim=1)
            log_mask, log_scope = break_off(log_scope, take - leave)
            log_masks.append(log_mask)
        return torch.cat([*log_masks, log_scope], dim=1)

    def posterior(self, images: Tensor, log_masks: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and deviation of the latents, (B, K, Z) each."""
        copies = images.unsqueeze(1).expand(-1, self.num_tokens, -1, -1, -1)
        seen = torch.cat([copies, log_masks.unsqueeze(2)], dim=2)
        mean, log_std = self.encoder(seen.flatten(0, 1)).chunk(2, dim=-1)
        rows = log_masks.shape[:2]
        return torch.unflatten(mean, 0, rows), torch.unflatten(log_std.exp(), 0, rows)

    def decode(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        """Map latents (B, K, Z) to colours (B, K, 3, H, W) and mask logits (B, K, H, W)."""
        painted = torch.unflatten(self.decoder(latents.flatten(0, 1)), 0, latents.shape[:2])
        return painted[:, :, :3].sigmoid(), painted[:, :, 3]

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Map images (B, 3, H, W) to the latents' means (B, K, Z) and masks (B, K, H, W)."""
        log_masks = self.attend(images)
        return self.posterior(images, log_masks)[0], log_masks.exp()

    def paint(self, images: Tensor) -> Painting:
        """Return the latents' means as colours, blended by the masks."""
        means, masks = self.encode(images)
        colours, _ = self.decode(means)
        return Painting((masks.unsqueeze(2) * colours).sum(1), masks)

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the three terms, each summed over an image."""
        images = self.images(batch)
        log_masks = self.attend(images)
        mean, std = self.posterior(images, log_masks)
        colours, mask_logits = self.decode(gaussian_sample(mean, std))
        density = gaussian_log_density(images.unsqueeze(1), colours, self.sigmas)
        likelihood = torch.logsumexp(log_masks.unsqueeze(2) + density, dim=1)
        masks = categorical_divergence(log_masks.exp(), mask_logits.softmax(1), 1, FLOOR)
        return {
            "likelihood": -likelihood.sum((1, 2, 3)).mean(),
            "latents": gaussian_divergence(mean, std).sum((1, 2)).mean(),
            "masks": masks.sum((1, 2)).mean(),
        }


def _convolutions(dims: Sequence[int], stride: int) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for in_dim, out_dim in pairwise(dims):
        layers += [nn.Conv2d(in_dim, out_dim, 3, stride), nn.ReLU(inplace=True)]
    return layers


@register_encoder
def monet(
    *,
    image_size: tuple[int, int] = (64, 64),
    num_slots: int = 6,
    latent_dim: int = 16,
    unet_dim: int = 8,
    encoder_dims: Sequence[int] = (16, 16, 32, 32),
    encoder_hidden: int = 128,
    decoder_dims: Sequence[int] = (16, 16, 16, 16),
    sigma_background: float = 0.06,
    sigma: float = 0.1,
    beta: float = 0.5,
    gamma: float = 0.5,
) -> MONet:
    """Make a MONet, small enough for one core; arguments as `MONet` has them."""
    return MONet(
        image_size,
        num_slots,
        latent_dim,
        unet_dim=unet_dim,
        encoder_dims=encoder_dims,
        encoder_hidden=encoder_hidden,
        decoder_dims=decoder_dims,
        sigma_background=sigma_background,
        sigma=sigma,
        beta=beta,
        gamma=gamma,
    )
