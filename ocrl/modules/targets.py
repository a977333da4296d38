"""What an encoder is trained to reconstruct."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from ocrl.errors import UsageError
from ocrl.modules.position import grid_coordinates

# Added to colours in [0, 1] before the logarithm: below it, noise would be told apart.
OFFSET = 0.05
# Standard deviations of the opponent colours of 4x4 patches over frames of the mazes.
RED_GREEN, BLUE_YELLOW = 0.75, 0.5


class Target(nn.Module, ABC):
    """Maps frames and their features to what is reconstructed of them."""

    @abstractmethod
    def forward(self, frames: Tensor, features: Tensor) -> Tensor:
        """Return the target (..., N, F) of uint8 frames (..., H, W, 3)."""

    def to_images(self, target: Tensor) -> Tensor | None:
        """Return a target or its reconstruction (..., N, F) as uint8 images (..., h, w, 3).

        None, as by default, if these are no colours.
        """
        return None


class FeatureTarget(Target):
    """The backbone's own features, without gradient (DINOSAUR, arXiv 2209.14860, section 3.1)."""

    def forward(self, frames: Tensor, features: Tensor) -> Tensor:
        """Return the features (..., N, F) of frames (..., H, W, 3), detached."""
        return features.detach()


class ColourTarget(Target):
    """The mean colour of each patch in [-1, 1] and, if wanted, its place in the image.

    With patches of one pixel this is the image itself.

    >>> frames = torch.full((2, 8, 8, 3), 255, dtype=torch.uint8)
    >>> target = ColourTarget((8, 8), patch_size=4)
    >>> target(frames, frames).shape
    torch.Size([2, 4, 3])

    Args:
        image_size: (height, width) of the frames.
        patch_size: side of a patch; divides both.
        position_spread: standard deviation of the two coordinates over the image. Zero leaves them
            out.

    Attributes:
        dim: width F of the target.
    """

    position: Tensor

    def __init__(
        self, image_size: tuple[int, int], *, patch_size: int, position_spread: float = 0.0
    ) -> None:
        super().__init__()
        height, width = image_size
        if height % patch_size or width % patch_size:
            raise UsageError(
                f"patches of {patch_size} do not divide frames of {height}x{width}: "
                "choose a patch_size that divides both sides"
            )
        self.grid_size = (height // patch_size, width // patch_size)
        self.patch_size = patch_size
        self.dim = 5 if position_spread else 3
        # Coordinates are uniform in (-1, 1): their standard deviation is 1 / sqrt(3).
        position = grid_coordinates(*self.grid_size) * 3**0.5 * position_spread
        self.register_buffer("position", position[:, : 2 if position_spread else 0], False)

    def forward(self, frames: Tensor, features: Tensor) -> Tensor:
        """Return the target (..., N, 3 or 5) of uint8 frames (..., H, W, 3)."""
        pixels = self.encode(frames.flatten(0, -4).float() / 255)
        rows, columns = self.grid_size
        patches = pixels.view(-1, rows, self.patch_size, columns, self.patch_size, 3)
        colours = self.summarise(patches.transpose(2, 3).flatten(3, 4).flatten(1, 2))
        position = self.position.expand(len(colours), -1, -1)
        target = torch.cat([colours, position], dim=-1)
        return torch.unflatten(target, 0, frames.shape[:-3])

    def to_images(self, target: Tensor) -> Tensor:
        """Return a target or its reconstruction (..., N, F) as uint8 images (..., h, w, 3)."""
        colours = self.decode(target[..., :3]).clamp(0, 1)
        return torch.unflatten((colours * 255).round().to(torch.uint8), -2, self.grid_size)

    def summarise(self, patches: Tensor) -> Tensor:
        """Map encoded pixels (B, N, patch_size ** 2, 3) to one colour for each patch (B, N, 3)."""
        return patches.mean(dim=2)

    def encode(self, colours: Tensor) -> Tensor:
        """Map RGB in [0, 1], (..., 3), to what is reconstructed."""
        return colours * 2 - 1

    def decode(self, encoded: Tensor) -> Tensor:
        """Map what was reconstructed, (..., 3), back to RGB."""
        return (encoded + 1) / 2


class OpponentColourTarget(ColourTarget):
    """The median colour of each patch as light, red against green, and blue against yellow.

    Shading and distance multiply all channels of a surface's colour, so they add to every
    logarithm, and the differences of logarithms stay as they are: a wall is one colour in light
    and shade, brick and mortar. That leaves brightness, which may weigh less.

        l = log(RGB + 0.05);  colour = [w mean(l),  l_R - l_G,  l_B - (l_R + l_G) / 2]

    The last two are divided by their spread over the mazes' frames (the log-opponent space of
    Ruderman, Cronin and Chiao 1998). The median of each gives a patch on an edge the colour of its
    larger side, where a mean would be one that nothing has, and slots would be spent on edges.

    >>> target = OpponentColourTarget((8, 8), patch_size=4)
    >>> lit, shaded = torch.tensor([0.8, 0.4, 0.2]), torch.tensor([0.4, 0.2, 0.1])
    >>> (target.encode(lit) - target.encode(shaded)).abs()[1:].max() < 0.3
    tensor(True)

    Args:
        image_size: (height, width) of the frames.
        patch_size: side of a patch; divides both.
        position_spread: standard deviation of the two coordinates over the image. Zero leaves them
            out.
        luminance_weight: w, above 0.
    """

    to_opponent: Tensor
    to_logarithms: Tensor

    def __init__(
        self,
        image_size: tuple[int, int],
        *,
        patch_size: int,
        position_spread: float = 0.0,
        luminance_weight: float = 0.5,
    ) -> None:
        super().__init__(image_size, patch_size=patch_size, position_spread=position_spread)
        axes = torch.tensor([[1 / 3, 1 / 3, 1 / 3], [1.0, -1.0, 0.0], [-0.5, -0.5, 1.0]])
        to_opponent = axes.T * torch.tensor([luminance_weight, 1 / RED_GREEN, 1 / BLUE_YELLOW])
        self.register_buffer("to_opponent", to_opponent, persistent=False)
        self.register_buffer("to_logarithms", torch.linalg.inv(to_opponent), persistent=False)

    def encode(self, colours: Tensor) -> Tensor:
        """Map RGB in [0, 1], (..., 3), to brightness, red-green and blue-yellow."""
        return torch.log(colours + OFFSET) @ self.to_opponent

    def summarise(self, patches: Tensor) -> Tensor:
        """Map encoded pixels (B, N, patch_size ** 2, 3) to their medians (B, N, 3)."""
        return patches.median(dim=2).values

    def decode(self, encoded: Tensor) -> Tensor:
        """Map brightness, red-green and blue-yellow, (..., 3), back to RGB."""
        return torch.exp(encoded @ self.to_logarithms) - OFFSET
