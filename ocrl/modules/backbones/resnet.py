"""ResNet-34, as slot encoders train it from scratch."""

from __future__ import annotations

import timm
from torch import Tensor, nn

from ocrl.errors import UsageError
from ocrl.modules.backbones.base import Backbone
from ocrl.modules.position import PositionEmbedding

STRIDE = 8


class ResNetBackbone(Backbone):
    """A ResNet-34 of stride 8 with group norm, then position embeddings (SAVi, arXiv 2111.12594).

    Its stem has no strides, so a 128-pixel frame gives 16x16 tokens. It starts from random weights.

    >>> ResNetBackbone((128, 128)).grid_size
    (16, 16)

    Args:
        image_size: (height, width) of the frames; divisible by 8.
    """

    def __init__(self, image_size: tuple[int, int]) -> None:
        super().__init__(image_size, mean=(0.5,) * 3, std=(0.5,) * 3, frozen=False)
        height, width = self.image_size
        if height % STRIDE or width % STRIDE:
            raise UsageError(
                f"a ResNet of stride {STRIDE} does not fit frames of {height}x{width}: "
                f"choose an image_size divisible by {STRIDE}"
            )
        self.grid_size = (height // STRIDE, width // STRIDE)
        model = timm.create_model("resnet34", norm_layer="groupnorm", num_classes=0, global_pool="")
        self.feature_dim = 512
        model.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
        model.maxpool = nn.Identity()
        self.model = model
        self.position = PositionEmbedding(self.grid_size, self.feature_dim)

    def extract(self, images: Tensor) -> Tensor:
        """Return the features of the last stage, with their positions."""
        tokens: Tensor = self.position(self.model(images).flatten(2).transpose(1, 2))
        return tokens
