"""SPAIR: a grid of objects in boxes, each cell told what its neighbours found."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence

from ocrl.encoder import Batch
from ocrl.encoders.boxes import FrameBoxEncoder, box_masks, object_tokens
from ocrl.encoders.images import Painting
from ocrl.errors import UsageError
from ocrl.modules.cells import grid_of_cells
from ocrl.modules.count_prior import count_prior
from ocrl.modules.mlp import MLP
from ocrl.modules.noise import Noise, NoNoise, bernoulli_divergence, stack
from ocrl.modules.ranges import check_positive
from ocrl.modules.spair_cells import Cells, Head, bounded_gaussian, cell_padding, make_backbone
from ocrl.modules.spatial_transformer import crop, place
from ocrl.zoo import register_encoder

NEIGHBOURS = ((-1, -1), (-1, 0), (-1, 1), (0, -1))
"""(row, column) of the cells that a cell is told of, which come before it."""


class Spair(FrameBoxEncoder):
    """Spatially invariant attend, infer, repeat (SPAIR, Crawford and Pineau, AAAI 2019).

        image -> features of each cell; cell after cell, row by row:
        features, earlier neighbours -> box -> glimpse -> what -> depth -> presence
        image = sum_i importance_i alpha_i colour_i / sum_i importance_i,   nearer ones weigh more

    A cross-entropy reconstructs; a prior over the number of objects, annealed from free to dear,
    says how many there are. Frames are images of their own, on black: there is no background.

    Args:
        image_size: (height, width), multiples of the cell's side.
        channels: of the images, 3 or 1.
        strides: of the backbone's convolutions with 4x4 kernels; their product is a cell's side.
        backbone_dims: of these convolutions and of the 1x1 ones after them.
        feature_dim: width of a cell's features.
        passed_dim: width of what each head passes on to the next.
        what_dim: width of an object's code.
        head_dims: hidden layers of the heads.
        encoder_dims: hidden layers from a glimpse to its code.
        decoder_dims: hidden layers from a code to its glimpse.
        glimpse_size: pixels along a glimpse's side.
        anchor: pixels along the side of the largest box.
        size_prior: mean and deviation of the logit of a box's size.
        count_decay: training steps in which the odds of a further object fall to a tenth.
        cut_steps: training steps in which no gradient flows into box, depth and presence.
        sampled_presence_kl: charge presences as if their relaxed samples were probabilities, as the
            PyTorch port does, in place of the probabilities themselves.
    """

    size_mean: Tensor

    def __init__(
        self,
        image_size: tuple[int, int],
        *,
        channels: int = 3,
        strides: Sequence[int],
        backbone_dims: Sequence[int],
        feature_dim: int,
        passed_dim: int,
        what_dim: int,
        head_dims: Sequence[int],
        encoder_dims: Sequence[int],
        decoder_dims: Sequence[int],
        glimpse_size: int,
        anchor: int,
        size_prior: tuple[float, float],
        count_decay: int,
        cut_steps: int,
        sampled_presence_kl: bool = False,
    ) -> None:
        self.cell_size = math.prod(strides)
        self.grid_size = grid_of_cells(image_size, self.cell_size)
        if not self.cell_size <= 2 * anchor:
            raise UsageError(
                f"boxes of at most {anchor} pixels do not reach across cells of {self.cell_size}: "
                f"choose an anchor of {self.cell_size} or more"
            )
        check_positive(
            what_dim=what_dim,
            glimpse_size=glimpse_size,
            count_decay=count_decay,
            deviation_of_sizes=size_prior[1],
        )
        super().__init__(image_size, self.grid_size[0] * self.grid_size[1], 6 + what_dim)
        self.channels = channels
        self.glimpse_size = (glimpse_size, glimpse_size)
        self.anchor = anchor
        self.count_decay = count_decay
        self.cut_steps = cut_steps
        self.sampled_presence_kl = sampled_presence_kl
        latent_dim = 6 + what_dim
        self.edge = nn.Parameter(torch.zeros(latent_dim))
        self.backbone = make_backbone(channels, strides, backbone_dims, feature_dim)
        self.padding = cell_padding(strides)
        read_dim = feature_dim + len(NEIGHBOURS) * latent_dim
        self.box_head = Head(read_dim, head_dims, 8, passed_dim)
        pixels = channels * glimpse_size**2
        self.what_encoder = MLP(pixels, encoder_dims, 2 * what_dim)
        self.depth_head = Head(read_dim + passed_dim + 4 + what_dim, head_dims, 2, passed_dim)
        self.presence_head = MLP(read_dim + passed_dim + 5 + what_dim, head_dims, 1)
        self.decoder = MLP(what_dim, decoder_dims, (channels + 1) * glimpse_size**2)
        self.box_prior = ((0.0, 1.0), (0.0, 1.0), size_prior, size_prior)
        terms = ("reconstruction", "kl_box", "kl_what", "kl_depth", "kl_presence")
        self.loss_weights = dict.fromkeys(terms, 1.0)

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Map images (B, C, H, W) to a token for each cell, and to where their boxes are."""
        cells = self.infer(images, NoNoise())
        probability = cells.presence_logit.sigmoid()
        tokens = object_tokens(probability, cells.boxes, cells.depth, cells.what)
        return tokens, box_masks(probability, cells.boxes, self.mask_size)

    def infer(self, images: Tensor, noise: Noise, *, cut: bool = False) -> Cells:
        """Return what each cell of images (B, C, H, W) holds.

        Args:
            images: with ``channels`` channels, in [0, 1].
            noise: by ``box_i``, ``what_i``, ``depth_i`` and ``presence_i`` of cell i.
            cut: let no gradient flow into box, depth and presence.
        """
        features = self.backbone(F.pad(images, self.padding)).flatten(2).mT
        edge = self.edge.expand(len(images), -1)
        found: dict[tuple[int, int], Tensor] = {}
        cells = []
        for i in range(self.num_tokens):
            row, column = divmod(i, self.grid_size[1])
            before = [found.get((row + y, column + x), edge) for y, x in NEIGHBOURS]
            read = [features[:, i], *before]
            box_logits, passed = self.box_head(*read)
            box_logits = _detached(box_logits) if cut else box_logits
            y, x, height, width = noise.normal(f"box_{i}", box_logits).sigmoid().unbind(1)
            box = torch.stack([2 * x - 0.5, 2 * y - 0.5, width, height], dim=1)
            boxes = self.in_image(box, row, column)
            glimpse = crop(images, boxes.unsqueeze(1), self.glimpse_size, padding="border")
            whats = bounded_gaussian(self.what_encoder(glimpse.flatten(1)))
            what = noise.normal(f"what_{i}", whats)
            depth_logits, passed = self.depth_head(*read, passed, box, what)
            depth_logits = _detached(depth_logits) if cut else depth_logits
            depth = 4 * noise.normal(f"depth_{i}", depth_logits).sigmoid()
            logit = self.presence_head(torch.cat([*read, passed, box, what, depth], dim=1))
            logit = logit.clamp(-10, 10)
            logit = logit.detach() if cut else logit
            presence = noise.relaxed_bernoulli(f"presence_{i}", logit, temperature=1.0)
            found[row, column] = torch.cat([box, what, depth, presence], dim=1)
            cells.append(
                Cells(logit, presence, boxes, depth, what, box_logits, whats, depth_logits)
            )
        return stack(cells)

    def in_image(self, box: Tensor, row: int, column: int) -> Tensor:
        """Return boxes as the spatial transformer takes them, (B, 4).

        Args:
            box: (x, y, width, height), (B, 4): the centre in cells from a cell's upper left corner,
                the size as a fraction of the anchor.
            row: of that cell.
            column: of that cell.
        """
        sides = box.new_tensor(self.image_size[::-1])
        centre = (box[:, :2] + box.new_tensor([column, row])) * self.cell_size / sides
        return torch.cat([box[:, 2:] * self.anchor / sides, 2 * centre - 1], dim=1)

    def draw(self, cells: Cells) -> tuple[Tensor, Tensor]:
        """Return alphas times relative importance (B, N, 1, H, W), and the image (B, C, H, W)."""
        shape = (*self.glimpse_size, self.channels + 1)
        logits = torch.unflatten(self.decoder(cells.what), 2, shape).movedim(-1, 2)
        colour = torch.sigmoid(2 * logits[:, :, :-1])
        alpha = torch.sigmoid(0.1 * logits[:, :, -1:] + 5) * cells.presence[..., None, None]
        importance = (alpha * cells.depth[..., None, None]).clamp_min(0.01)
        layers = torch.cat([colour, alpha, importance], dim=2)
        placed = place(layers, cells.boxes, self.image_size)
        total = placed[:, :, -1:].sum(dim=1, keepdim=True) + 1e-9
        shares = placed[:, :, -1:] / total * placed[:, :, -2:-1]
        return shares, (shares * placed[:, :, :-2]).sum(dim=1).clamp(0, 1)

    def objective(self, images: Tensor, noise: Noise, step: int) -> dict[str, Tensor]:
        """Return each term of the negative evidence lower bound of images (B, C, H, W), (B,)."""
        cells = self.infer(images, noise, cut=step < self.cut_steps)
        _, drawn = self.draw(cells)
        error = F.binary_cross_entropy(drawn, images, reduction="none")
        log_odds = math.log(1e6 * 0.1 ** (step / self.count_decay) + 0.0125)
        prior = count_prior(cells.presence.squeeze(2), log_odds)
        charged = cells.presence if self.sampled_presence_kl else cells.presence_logit.sigmoid()
        kl_presence = bernoulli_divergence(charged.squeeze(2), prior, 1e-9)
        means, deviations = images.new_tensor(self.box_prior).unbind(1)
        kls = {
            "kl_box": kl_divergence(cells.box_logits, Normal(means, deviations)),
            "kl_what": kl_divergence(cells.whats, Normal(0.0, 1.0)),
            "kl_depth": kl_divergence(cells.depth_logits, Normal(0.0, 1.0)),
        }
        return {
            "reconstruction": error.sum((1, 2, 3)),
            **{name: (kl * cells.presence).sum((1, 2)) for name, kl in kls.items()},
            "kl_presence": kl_presence.sum(1),
        }

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return each term of the negative evidence lower bound, mean over frames."""
        terms = self.objective(self.images(batch), Noise(), self.count_step())
        return {name: term.mean() for name, term in terms.items()}

    def paint(self, images: Tensor) -> Painting:
        """Draw what images (B, C, H, W) hold, without noise; the last mask is the background."""
        shares, drawn = self.draw(self.infer(images, NoNoise()))
        covered = shares.squeeze(2)
        masks = torch.cat([covered, 1 - covered.sum(1, keepdim=True)], dim=1)
        return Painting(drawn, masks.clamp(0, 1))


def _detached(normal: Normal) -> Normal:
    return Normal(normal.mean.detach(), normal.stddev.detach(), validate_args=False)


@register_encoder
def spair(
    *,
    image_size: tuple[int, int] = (64, 64),
    cell_size: int = 16,
    width: int = 64,
    what_dim: int = 16,
    glimpse_size: int = 14,
    anchor: int = 48,
    size_prior: tuple[float, float] = (-2.197, 0.5),
    count_decay: int = 1000,
    cut_steps: int = 1000,
) -> Spair:
    """Make a small SPAIR; with cell_size=12, width=128 and what_dim=50 the published one.

    Args:
        image_size: (height, width), multiples of the cell's side.
        cell_size: pixels along a cell's side: 8, 12 or 16.
        width: of the backbone.
        what_dim: width of an object's code.
        glimpse_size: pixels along a glimpse's side.
        anchor: pixels along the side of the largest box.
        size_prior: mean and deviation of the logit of a box's size.
        count_decay: training steps in which the odds of a further object fall to a tenth.
        cut_steps: training steps in which no gradient flows into box, depth and presence.
    """
    height, breadth = image_size
    mean, deviation = size_prior
    if cell_size not in (8, 12, 16):
        raise UsageError(f"cells have sides of 8, 12 or 16 pixels, not {cell_size}: choose one")
    return Spair(
        (height, breadth),
        strides=(cell_size // 4, 2, 2),
        backbone_dims=(width,) * 6,
        feature_dim=100,
        passed_dim=100,
        what_dim=what_dim,
        head_dims=(100, 100),
        encoder_dims=(2 * width, width),
        decoder_dims=(width, 2 * width),
        glimpse_size=glimpse_size,
        anchor=anchor,
        size_prior=(mean, deviation),
        count_decay=count_decay,
        cut_steps=cut_steps,
    )
