"""SPACE's foreground: where the cells of a grid have something, what it is, and who is seen."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.distributions import Normal

from ocrl.encoders.boxes import FrameBoxEncoder, box_masks, object_tokens
from ocrl.modules.cells import CellEncoder
from ocrl.modules.glimpses import SPACE_LAYERS, GlimpseDecoder, GlimpseEncoder, glimpse_layers
from ocrl.modules.noise import Noise, NoNoise, gaussian
from ocrl.modules.spatial_transformer import crop, place


class Cells(NamedTuple):
    """Latent variables of K = G * G cells: distributions, and samples of them.

    Attributes:
        presence_logit: (B, K, 1).
        presence: (B, K, 1), in (0, 1).
        boxes: (B, K, 4), see `ocrl.modules.spatial_transformer`.
        samples: depth (B, K, 1), scale (B, K, 2), shift (B, K, 2), perhaps what (B, K, D).
        posteriors: of each of these.
    """

    presence_logit: Tensor
    presence: Tensor
    boxes: Tensor
    samples: dict[str, Tensor]
    posteriors: dict[str, Normal]


class Foreground(NamedTuple):
    """All cells drawn into one image.

    Attributes:
        image: (B, 3, H, W).
        alpha: (B, 1, H, W), what is foreground.
        importance: (B, K, 1, H, W), summing to one over K.
    """

    image: Tensor
    alpha: Tensor
    importance: Tensor


class SpaceObjects(FrameBoxEncoder):
    """Objects in the cells of a grid (SPACE, arXiv 2001.02407, section 2.1).

        image -> each cell's presence, depth, scale, shift -> box -> glimpse -> what
        what -> colour, alpha -> placed, nearer cells over farther ones -> foreground

    It finds and draws them; what that costs, and what is behind, is `ocrl.encoders.space.Space`'s.

    Args:
        image_size: (height, width), equal and a multiple of 32.
        cell_size: pixels along a cell's side: 8, 16 or 32.
        what_dim: width of an object's code.
        glimpse_size: pixels along a glimpse's side: 32, or 16.
        feature_dim: channels of the features before the lateral convolutions.
        width: share of the published channels and groups.
    """

    def __init__(
        self,
        image_size: tuple[int, int],
        *,
        cell_size: int,
        what_dim: int,
        glimpse_size: int,
        feature_dim: int,
        width: float,
    ) -> None:
        cells = CellEncoder(image_size, cell_size, feature_dim, width)
        super().__init__(image_size, cells.grid_size[0] * cells.grid_size[1], 6 + what_dim)
        self.cells = cells
        heads = {"scale": 4, "shift": 4, "presence": 1, "depth": 2}
        self.heads = nn.ModuleDict(
            {name: nn.Conv2d(cells.out_dim, dim, 1) for name, dim in heads.items()}
        )
        layers = glimpse_layers(SPACE_LAYERS, glimpse_size)
        self.what_encoder = GlimpseEncoder(what_dim, layers.encoder, width)
        self.decoder = GlimpseDecoder(what_dim, layers.decoder, width)

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Map images (B, 3, H, W) to a token for each cell, and to where their boxes are.

        Glimpses are taken of what is there alone: the tokens of empty cells are zeros.
        """
        cells = self.locate(images, NoNoise(), 1.0)
        there = cells.presence.squeeze(-1) > 0.5
        what = images.new_zeros(*there.shape, self.token_dim - 6)
        if there.any():
            # Those of each image first, in their order, so that images need not be copied for them.
            first = (~there).int().argsort(dim=1, stable=True)[:, : there.sum(1).max()]
            boxes = cells.boxes.gather(1, first.unsqueeze(-1).expand(-1, -1, 4))
            glimpses = crop(images, boxes, self.what_encoder.size)
            codes = self.what_encoder(glimpses[there.gather(1, first)]).mean
            what[there] = codes.to(what.dtype)
        tokens = object_tokens(cells.presence, cells.boxes, cells.samples["depth"], what)
        return tokens, box_masks(cells.presence, cells.boxes, self.mask_size)

    def locate(self, images: Tensor, noise: Noise, temperature: float) -> Cells:
        """Return where each cell of images (B, 3, H, W) has something, but not yet what."""
        features = self.cells(images)
        raw = {name: head(features).flatten(2).mT for name, head in self.heads.items()}
        logit = 8.8 * torch.tanh(raw.pop("presence"))
        posteriors = {name: gaussian(raw[name]) for name in ("depth", "scale", "shift")}
        presence = noise.relaxed_bernoulli("presence", logit, temperature)
        samples = {name: noise.normal(name, posterior) for name, posterior in posteriors.items()}
        boxes = torch.cat(
            [samples["scale"].sigmoid(), self.cells.centres(samples["shift"].tanh())], dim=-1
        )
        return Cells(logit, presence, boxes, samples, posteriors)

    def infer(self, images: Tensor, noise: Noise, temperature: float) -> Cells:
        """Return where each cell of images (B, 3, H, W) has something, and what."""
        cells = self.locate(images, noise, temperature)
        what = self.what_encoder(crop(images, cells.boxes, self.what_encoder.size))
        return cells._replace(
            samples={**cells.samples, "what": noise.normal("what", what)},
            posteriors={**cells.posteriors, "what": what},
        )

    def draw(self, cells: Cells) -> Foreground:
        """Draw all cells into one image: a softmax over cells decides who is seen."""
        colour, alpha = self.decoder(cells.samples["what"])
        alpha = alpha * cells.presence[..., None, None]
        nearness = torch.sigmoid(-cells.samples["depth"])[..., None, None]
        placed = place(torch.cat([alpha * colour, alpha], dim=2), cells.boxes, self.image_size)
        importance = (100 * nearness * placed[:, :, 3:]).softmax(dim=1)
        image, opacity = (importance * placed).sum(dim=1).tensor_split([3], dim=1)
        return Foreground(image, opacity, importance)
