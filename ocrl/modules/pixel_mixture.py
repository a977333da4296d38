"""Pixels as a mixture of slots, each of which has a colour for it and a share of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ocrl.modules.distributions import logistic_log_density


@dataclass(frozen=True)
class PixelMixture:
    """Log-densities of images under slots that paint them together.

        log p(pixel) = log sum_k m_k p_k,   m = softmax(l),   p_k = prod over channels of Logistic

    Attributes:
        colours: (B, K, 3, H, W).
        mask_logits: (B, K, 1, H, W), l.
        densities: (B, K, 1, H, W), log p_k.
        likelihood: (B, 1, 1, H, W), log p.
    """

    colours: Tensor
    mask_logits: Tensor
    densities: Tensor
    likelihood: Tensor

    @classmethod
    def of(cls, images: Tensor, colours: Tensor, mask_logits: Tensor, scale: float) -> PixelMixture:
        """Compare images (B, 3, H, W) with what slots paint; ``scale`` is of the logistic."""
        densities = logistic_log_density(images.unsqueeze(1), colours, scale)
        densities = densities.sum(2, keepdim=True)
        likelihood = (mask_logits.log_softmax(1) + densities).logsumexp(1, keepdim=True)
        return cls(colours, mask_logits, densities, likelihood)

    @property
    def masks(self) -> Tensor:
        """(B, K, 1, H, W), summing to one over K."""
        return self.mask_logits.softmax(1)

    @property
    def image(self) -> Tensor:
        """(B, 3, H, W), colours blended by masks."""
        return (self.masks * self.colours).sum(1)

    @property
    def responsibilities(self) -> Tensor:
        """(B, K, 1, H, W), p_k / (sum_j p_j + 1e-6): whose colours fit, whatever the masks."""
        density = self.densities.exp()
        return density / (density.sum(1, keepdim=True) + 1e-6)

    @property
    def gains(self) -> Tensor:
        """(B, K, 1, H, W), how much likelier a pixel is with a slot than without it.

        log p(x) - log p(x | masks of the others, made to sum to one)
        """
        log_masks = self.mask_logits.log_softmax(1)
        own = torch.eye(log_masks.shape[1], dtype=torch.bool, device=log_masks.device)
        own = own[:, :, None, None, None]
        weighted = (log_masks + self.densities).unsqueeze(1).masked_fill(own, -math.inf)
        others = log_masks.unsqueeze(1).masked_fill(own, -math.inf)
        return self.likelihood - (weighted.logsumexp(2) - others.logsumexp(2))

    def detach(self) -> PixelMixture:
        """Return the same without gradient."""
        parts = (self.colours, self.mask_logits, self.densities, self.likelihood)
        return PixelMixture(*(part.detach() for part in parts))
