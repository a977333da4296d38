"""Background as a mixture of a few parts, each with a mask and an image of its own."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.distributions import kl_divergence

from ocrl.errors import UsageError
from ocrl.modules.broadcast import BroadcastConv2d
from ocrl.modules.convolutions import conv_block, narrow, upsampling_block
from ocrl.modules.noise import Noise, gaussian
from ocrl.modules.position import coordinate_maps
from ocrl.modules.stick_breaking import stick_breaking

FLOOR = 1e-4
"""Least deviation of the background's latent variables."""


class Background(NamedTuple):
    """An image's background.

    Attributes:
        masks: (B, K, 1, H, W), summing to one over K.
        images: (B, K, 3, H, W), one for each part, in (0, 1).
        kl: (B,), of all its latent variables, in nats.
    """

    masks: Tensor
    images: Tensor
    kl: Tensor


class MixtureBackground(nn.Module):
    """The background of SPACE (arXiv 2001.02407, section 2.2), after GENESIS (arXiv 1907.13052).

        image -> h;  mask_k ~ q(. | h, mask_<k);  component_k ~ q(. | image, mask_k)
        masks by stick breaking, images by spatial broadcast

    Against priors mask_k ~ p(. | mask_<k) and component_k ~ p(. | mask_k).

    Args:
        image_size: (height, width), equal and a multiple of 32.
        num_parts: K, 2 or more.
        mask_dim: width of a mask's latent.
        component_dim: width of a component's latent.
        image_dim: width of the image's code.
        hidden_dim: width of both LSTMs.
        prior_hidden_dim: width of the MLP behind the components' prior.
        width: share of the published channels.
    """

    def __init__(
        self,
        image_size: tuple[int, int],
        num_parts: int,
        *,
        mask_dim: int = 32,
        component_dim: int = 32,
        image_dim: int = 64,
        hidden_dim: int = 64,
        prior_hidden_dim: int = 64,
        width: float = 1.0,
    ) -> None:
        super().__init__()
        if image_size[0] != image_size[1] or image_size[0] % 32:
            raise UsageError(
                f"a mixture background is square, with sides that are multiples of 32, not "
                f"{image_size[0]}x{image_size[1]}: choose an image_size such as [64, 64]"
            )
        if num_parts < 2:
            raise UsageError(
                f"a mixture background has 2 parts or more, not {num_parts}: "
                "give num_background another value"
            )
        self.image_size = image_size
        self.num_parts = num_parts
        features = (image_size[0] // 16) * (image_size[1] // 16)
        dims = narrow([64, 64, 64, 64], width)
        self.image_encoder = nn.Sequential(
            *_strided(3, dims), nn.Flatten(), nn.Linear(dims[-1] * features, image_dim), nn.ELU()
        )
        self.first_state = nn.ParameterList(torch.zeros(hidden_dim) for _ in range(2))
        self.first_mask = nn.Parameter(torch.zeros(mask_dim))
        self.mask_lstm = nn.LSTMCell(mask_dim + image_dim, hidden_dim)
        self.to_mask = nn.Linear(hidden_dim, 2 * mask_dim)
        self.prior_first_state = nn.ParameterList(torch.zeros(hidden_dim) for _ in range(2))
        self.prior_lstm = nn.LSTMCell(mask_dim, hidden_dim)
        self.to_prior_mask = nn.Linear(hidden_dim, 2 * mask_dim)
        self.mask_decoder = nn.Sequential(*_mask_layers(mask_dim, image_size[0] // 32, width))
        dims = narrow([32, 32, 64, 64], width)
        self.component_encoder = nn.Sequential(
            *_strided(4, dims), nn.Flatten(), nn.Linear(dims[-1] * features, 2 * component_dim)
        )
        self.component_decoder = BroadcastImages(component_dim, image_size, width)
        self.to_prior_component = nn.Sequential(
            nn.Linear(mask_dim, prior_hidden_dim),
            nn.ELU(),
            nn.Linear(prior_hidden_dim, prior_hidden_dim),
            nn.ELU(),
            nn.Linear(prior_hidden_dim, 2 * component_dim),
        )

    def forward(self, images: Tensor, noise: Noise) -> Background:
        """Explain images (B, 3, H, W), in [0, 1]."""
        latents, kl = self.infer_masks(images, noise)
        logits = self.mask_decoder(latents.flatten(0, 1)[..., None, None])
        logits = torch.unflatten(logits, 0, (len(images), self.num_parts))
        masks = stick_breaking(logits[:, :-1]).exp()
        seen = images.unsqueeze(1).expand(-1, self.num_parts, -1, -1, -1)
        inputs = torch.cat([(masks + 1e-5).log(), seen], dim=2)
        components = gaussian(self.component_encoder(inputs.flatten(0, 1)), floor=FLOOR)
        prior = gaussian(self.to_prior_component(latents.flatten(0, 1)), floor=FLOOR)
        pictures = self.component_decoder(noise.normal("component", components))
        kl = kl + kl_divergence(components, prior).view(len(images), -1).sum(1)
        return Background(masks, torch.unflatten(pictures, 0, (len(images), -1)), kl)

    def infer_masks(self, images: Tensor, noise: Noise) -> tuple[Tensor, Tensor]:
        """Return mask latents (B, K, mask_dim) of images, and their divergence (B,)."""
        code = self.image_encoder(images)
        batch_size = len(images)
        mask = self.first_mask.expand(batch_size, -1)
        hidden, cell = (first.expand(batch_size, -1) for first in self.first_state)
        prior_hidden, prior_cell = (x.expand(batch_size, -1) for x in self.prior_first_state)
        masks, kls = [], []
        for k in range(self.num_parts):
            hidden, cell = self.mask_lstm(torch.cat([mask, code], dim=1), (hidden, cell))
            posterior = gaussian(self.to_mask(hidden), floor=FLOOR)
            prior = gaussian(self.to_prior_mask(prior_hidden), floor=FLOOR)
            mask = noise.normal(f"mask_{k}", posterior)
            prior_hidden, prior_cell = self.prior_lstm(mask, (prior_hidden, prior_cell))
            masks.append(mask)
            kls.append(kl_divergence(posterior, prior).sum(1))
        return torch.stack(masks, dim=1), torch.stack(kls).sum(0)


class BroadcastImages(nn.Module):
    """Codes to images by spatial broadcast, with unpadded convolutions (arXiv 1901.07017).

    Args:
        in_dim: width of a code.
        image_size: (height, width).
        width: share of the published channels.
    """

    def __init__(self, in_dim: int, image_size: tuple[int, int], width: float = 1.0) -> None:
        super().__init__()
        columns_and_rows = coordinate_maps((image_size[0] + 8, image_size[1] + 8)).flip(0)
        dims = narrow([32, 32, 32, 32], width)
        layers: list[nn.Module] = []
        for before, after in pairwise(dims):
            layers += [nn.BatchNorm2d(before), nn.ELU(), nn.Conv2d(before, after, 3)]
        self.layers = nn.Sequential(
            BroadcastConv2d(in_dim, columns_and_rows, dims[0], 3),
            *layers,
            *(nn.BatchNorm2d(dims[-1]), nn.ELU()),
            *(nn.Conv2d(dims[-1], 3, 1), nn.Sigmoid()),
        )

    def forward(self, codes: Tensor) -> Tensor:
        """Map (B, in_dim) to (B, 3, H, W), in (0, 1)."""
        images: Tensor = self.layers(codes)
        return images


def _strided(in_dim: int, dims: list[int]) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for before, after in pairwise([in_dim, *dims]):
        layers += [nn.Conv2d(before, after, 3, 2, 1), nn.BatchNorm2d(after), nn.ELU()]
    return layers


def _mask_layers(mask_dim: int, last_factor: int, width: float) -> list[nn.Module]:
    first, *dims = narrow([256, 256, 128, 64, 16], width)
    first_groups, *groups = narrow([16, 16, 16, 8, 4], width)
    layers = conv_block(mask_dim, first, 1, groups=first_groups)
    for before, dim, group, factor in zip(
        [first, *dims], dims, groups, (4, 2, 4, last_factor), strict=False
    ):
        layers += upsampling_block(before, dim, factor, group)
        layers += conv_block(dim, dim, 3, padding=1, groups=group)
    layers += conv_block(dims[-1], dims[-1], 3, padding=1, groups=groups[-1])
    return [*layers, nn.Conv2d(dims[-1], 1, 3, padding=1)]
