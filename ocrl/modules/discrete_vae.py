"""Discrete variational autoencoder: an image as a grid of codes."""

from __future__ import annotations

from torch import Tensor, nn

from ocrl.errors import UsageError
from ocrl.modules.distributions import draw_categories, gumbel_softmax

PATCH_SIZE = 4
"""Side of the patch that each code stands for."""


class DiscreteVAE(nn.Module):
    """Patches to codes and back (Ramesh et al. 2021, as in SLATE, arXiv 2110.11405, section 3.1).

        image -> logits of codes -> relaxed sample at a temperature -> image

    The squared error trains it, and no prior: the relaxed samples sharpen as the temperature falls.

    >>> import torch
    >>> dvae = DiscreteVAE(vocabulary_size=16, dim=8)
    >>> logits = dvae(torch.rand(2, 3, 32, 32))
    >>> logits.shape, dvae.decode(logits.softmax(1)).shape
    (torch.Size([2, 16, 8, 8]), torch.Size([2, 3, 32, 32]))

    Args:
        vocabulary_size: V.
        dim: channels of the hidden layers; 64 as published.
        normalise: end each hidden layer with a group norm of one group (SLATE) or not (STEVE).
    """

    def __init__(self, vocabulary_size: int, *, dim: int = 64, normalise: bool = True) -> None:
        super().__init__()
        if vocabulary_size < 2:
            raise UsageError(
                f"a vocabulary of {vocabulary_size} says nothing: choose a vocabulary_size of 2 or "
                "more, such as 512"
            )
        self.vocabulary_size = vocabulary_size
        logits = nn.Conv2d(dim, vocabulary_size, 1)
        nn.init.xavier_uniform_(logits.weight)
        nn.init.zeros_(logits.bias)  # type: ignore[arg-type]
        self.encoder = nn.Sequential(
            _layer(3, dim, PATCH_SIZE, PATCH_SIZE, normalise),
            *(_layer(dim, dim, 1, 1, normalise) for _ in range(6)),
            logits,
        )
        colours = nn.Conv2d(dim, 3, 1)
        nn.init.xavier_uniform_(colours.weight)
        nn.init.zeros_(colours.bias)  # type: ignore[arg-type]
        self.decoder = nn.Sequential(
            _layer(vocabulary_size, dim, 1, 1, normalise),
            *_doubling(dim, normalise),
            *_doubling(dim, normalise),
            colours,
        )

    def forward(self, images: Tensor) -> Tensor:
        """Map images (B, 3, H, W) in [0, 1] to logits of codes (B, V, H / 4, W / 4)."""
        logits: Tensor = self.encoder(images)
        return logits

    def codes(self, images: Tensor) -> Tensor:
        """Return the likeliest code of each patch, integers (B, N), row by row."""
        codes: Tensor = self.encoder(images).argmax(1)
        return codes.flatten(1)

    def sample(self, logits: Tensor, temperature: Tensor) -> tuple[Tensor, Tensor]:
        """Draw twice: a relaxed sample to decode, and codes to be predicted.

        Args:
            logits: (B, V, h, w), unnormalised.
            temperature: of the relaxed sample.

        Returns:
            Probabilities (B, V, h, w), and integers (B, h w) without gradient.
        """
        relaxed = gumbel_softmax(logits, temperature, dim=1)
        return relaxed, draw_categories(logits, dim=1).flatten(1)

    def decode(self, codes: Tensor) -> Tensor:
        """Map codes, relaxed or one-hot (B, V, h, w), to images (B, 3, 4 h, 4 w), not clamped."""
        images: Tensor = self.decoder(codes)
        return images


def _layer(
    in_dim: int, out_dim: int, kernel_size: int, stride: int, normalise: bool
) -> nn.Sequential:
    padding = kernel_size // 2 if stride == 1 else 0
    conv = nn.Conv2d(in_dim, out_dim, kernel_size, stride, padding, bias=not normalise)
    nn.init.kaiming_uniform_(conv.weight, nonlinearity="relu")
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    norm = [nn.GroupNorm(1, out_dim)] if normalise else []
    return nn.Sequential(conv, *norm, nn.ReLU())


def _doubling(dim: int, normalise: bool) -> list[nn.Module]:
    return [
        _layer(dim, dim, 3, 1, normalise),
        _layer(dim, dim, 1, 1, normalise),
        _layer(dim, dim, 1, 1, normalise),
        _layer(dim, 4 * dim, 1, 1, normalise),
        nn.PixelShuffle(2),
    ]


def code_grid(image_size: tuple[int, int]) -> tuple[int, int]:
    """Return the (height, width) of the grid of an image's codes.

    >>> code_grid((64, 96))
    (16, 24)

    Raises:
        UsageError: patches do not fit the image.
    """
    height, width = image_size
    if height % PATCH_SIZE or width % PATCH_SIZE:
        raise UsageError(
            f"patches of {PATCH_SIZE} do not divide images of {height}x{width}: choose an "
            f"image_size divisible by {PATCH_SIZE}"
        )
    return height // PATCH_SIZE, width // PATCH_SIZE
