"""Cells of SCALOR: image features that remember, discovery of objects, and their propagation."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.distributions import Normal

from ocrl.modules.cells import cell_indices, grid_of_cells
from ocrl.modules.conv_lstm import ConvLSTMCell
from ocrl.modules.convolutions import LateralConvolutions, conv_block, narrow
from ocrl.modules.glimpses import GlimpseEncoder
from ocrl.modules.noise import Noise, gaussian
from ocrl.modules.spatial_transformer import crop

CELL_SIZE = 16
"""Pixels along a cell's side."""


class Anchor(NamedTuple):
    """Which boxes objects have: their size as a fraction of the image, and height over width.

    Attributes:
        size: in the middle of what is possible.
        size_range: how far a size may be from it.
        ratio: in the middle of what is possible.
        ratio_range: how far a ratio may be from it.
    """

    size: float
    size_range: float
    ratio: float
    ratio_range: float

    def sizes(self, raw: Tensor) -> Tensor:
        """Return (width, height), (..., 2), of unbounded numbers (..., 2)."""
        size, ratio = raw.tanh().chunk(2, dim=-1)
        size = self.size + self.size_range * size
        root = (self.ratio + self.ratio_range * ratio).sqrt()
        return torch.cat([size / root, size * root], dim=-1)


class Sizes(NamedTuple):
    """Widths of SCALOR's layers; the defaults are the published ones.

    Attributes:
        feature_dim: of the image's features.
        mask_dim: of the features of what propagated objects cover.
        hidden_dim: of an object's tracker.
        input_dim: of what the tracker reads.
        crop_hidden_dim: channels of the features around an object.
        crop_dim: of their code.
        where_dim: of the hidden layer before a box.
        depth_dim: of the hidden layer before depth.
        presence_dim: of the hidden layer before presence.
        what_hidden_dim: of the hidden layer before what.
        prior_dim: of the prior's LSTM.
        prior_input_dim: of what that reads.
    """

    feature_dim: int = 64
    mask_dim: int = 32
    hidden_dim: int = 128
    input_dim: int = 128
    crop_hidden_dim: int = 64
    crop_dim: int = 128
    where_dim: int = 128
    depth_dim: int = 128
    presence_dim: int = 64
    what_hidden_dim: int = 64
    prior_dim: int = 64
    prior_input_dim: int = 128


class Tracks(NamedTuple):
    """K slots for objects that are followed, all zeros where a slot is free.

    Attributes:
        presence: (B, K, 1).
        boxes: (B, K, 4), see `ocrl.modules.spatial_transformer`.
        box_noise: (B, K, 4), what a box was made of.
        what: (B, K, D).
        depth: (B, K, 1), smaller is nearer.
        hidden: (B, K, H), of the tracker.
        doubt: (B, K, 1), sum of 1 - presence since it was found.
        prior_hidden: (B, K, P), of the prior's LSTM; so is ``prior_cell``.
        prior_cell: (B, K, P).
    """

    presence: Tensor
    boxes: Tensor
    box_noise: Tensor
    what: Tensor
    depth: Tensor
    hidden: Tensor
    doubt: Tensor
    prior_hidden: Tensor
    prior_cell: Tensor


class Found(NamedTuple):
    """Objects of one frame, propagated (N = K) or discovered (N cells), with their posteriors."""

    logit: Tensor
    presence: Tensor
    boxes: Tensor
    box_noise: Tensor
    what: Tensor
    depth: Tensor
    posteriors: dict[str, Normal]


class Memory(nn.Module):
    """Features of each cell of a frame, in the light of the frames before.

    Args:
        image_size: (height, width), multiples of 16.
        feature_dim: channels of the features.
        width: share of the published channels and groups.
    """

    def __init__(self, image_size: tuple[int, int], feature_dim: int, width: float) -> None:
        super().__init__()
        self.grid_size = grid_of_cells(image_size, CELL_SIZE)
        self.dim = feature_dim
        layers = _pyramid(3, [16, 16, 32, 32, 64, 64, 64], [2, 1, 2, 1, 2, 1, 2], width)
        last, groups, lateral_groups = narrow([64, 16, 8], width)
        self.layers = nn.Sequential(*layers, *conv_block(last, feature_dim, 1, groups=groups))
        self.lateral = LateralConvolutions(feature_dim, feature_dim, lateral_groups)
        self.lstm = nn.ModuleList(
            ConvLSTMCell(feature_dim, feature_dim, self.grid_size) for _ in range(2)
        )

    def forward(self, images: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return features (B, dim, rows, columns) of images and the next state.

        Args:
            images: (B, 3, H, W).
            state: (B, 4, dim, rows, columns): h and c of both layers; zeros at first.
        """
        features = self.lateral(self.layers(images))
        states = []
        for i, cell in enumerate(self.lstm):
            features, memory = cell(features, (state[:, 2 * i], state[:, 2 * i + 1]))
            states += [features, memory]
        return features, torch.stack(states, dim=1)


class Discovery(nn.Module):
    """What each cell finds, told what propagated objects cover already.

    Args:
        grid_size: (rows, columns).
        sizes: widths of the layers.
        anchor: which boxes objects have.
        width: share of the published channels and groups.
    """

    cells: Tensor

    def __init__(
        self, grid_size: tuple[int, int], sizes: Sizes, anchor: Anchor, width: float
    ) -> None:
        super().__init__()
        self.grid_size = grid_size
        self.anchor = anchor
        self.register_buffer("cells", cell_indices(grid_size), persistent=False)
        layers = _pyramid(1, [16, 32, 32, 64, 64, 64], [2, 2, 1, 2, 1, 2], width)
        last, mask_groups, groups = narrow([64, 8, 16], width)
        dim = sizes.feature_dim
        self.mask_encoder = nn.Sequential(
            *layers, *conv_block(last, sizes.mask_dim, 1, groups=mask_groups)
        )
        self.layers = nn.Sequential(
            *conv_block(dim + sizes.mask_dim, dim, 1, groups=groups),
            *conv_block(dim, dim, 1, groups=groups),
        )
        self.to_box = nn.Conv2d(dim, 8, 1)
        self.to_presence = nn.Conv2d(dim, 1, 1)
        self.to_depth = nn.Conv2d(dim, 2, 1)

    def forward(
        self,
        images: Tensor,
        features: Tensor,
        covered: Tensor,
        encoder: GlimpseEncoder,
        noise: Noise,
        temperature: float,
        t: int,
    ) -> Found:
        """Look at every cell; ``covered`` (B, 1, H, W) is what propagated objects cover."""
        cells = self.layers(torch.cat([features, self.mask_encoder(covered)], dim=1))
        logit = 8.8 * torch.tanh(_by_cell(self.to_presence(cells)))
        presence = noise.relaxed_bernoulli(f"discovery_presence_{t}", logit, temperature)
        depths = gaussian(_by_cell(self.to_depth(cells)))
        depth = noise.normal(f"discovery_depth_{t}", depths)
        boxes = gaussian(_by_cell(self.to_box(cells)))
        raw = noise.normal(f"discovery_box_{t}", boxes)
        sides = raw.new_tensor(self.grid_size[::-1])
        centre = 2 / sides * (self.cells + 0.5 + raw[..., 2:].tanh()) - 1
        box = torch.cat([self.anchor.sizes(raw[..., :2]), centre], dim=-1)
        whats = encoder(crop(images, box, encoder.size))
        what = noise.normal(f"discovery_what_{t}", whats)
        posteriors = {"box": boxes, "what": whats, "depth": depths}
        return Found(logit, presence, box, torch.zeros_like(box), what, depth, posteriors)


class Propagation(nn.Module):
    """Where the objects of the last frame are now, and what would be expected of them.

    Args:
        grid_size: (rows, columns) of the image's features.
        what_dim: width of an object's code.
        sizes: widths of the layers.
        anchor: which boxes objects have.
        width: share of the published channels and groups.
    """

    def __init__(
        self,
        grid_size: tuple[int, int],
        what_dim: int,
        sizes: Sizes,
        anchor: Anchor,
        width: float,
    ) -> None:
        super().__init__()
        self.anchor = anchor
        self.crop_size = (grid_size[0] // 2, grid_size[1] // 2)
        hidden, crop_dim, box = sizes.hidden_dim, sizes.crop_dim, 4
        gate_dim, groups = narrow([64, 8], width)
        self.to_box = _mlp(hidden + what_dim + 2 * box + crop_dim, sizes.where_dim, 2 * box)
        self.to_depth = _mlp(hidden + what_dim + crop_dim, sizes.depth_dim, 2)
        self.to_what = _mlp(hidden, sizes.what_hidden_dim, 2 * what_dim)
        self.to_gates = _mlp(hidden + crop_dim, gate_dim, 2)
        self.to_presence = _mlp(hidden + 2 * box + what_dim, sizes.presence_dim, 1)
        self.to_input = nn.Linear(2 * box + 1 + what_dim + crop_dim, sizes.input_dim)
        self.tracker = nn.GRUCell(sizes.input_dim, hidden)
        self.crop_layers = nn.Sequential(
            *conv_block(sizes.feature_dim, sizes.crop_hidden_dim, 1, groups=groups)
        )
        crop_cells = self.crop_size[0] * self.crop_size[1]
        self.to_crop = nn.Linear(sizes.crop_hidden_dim * crop_cells, crop_dim)
        self.to_prior_input = nn.Linear(what_dim + 2 * box + 2, sizes.prior_input_dim)
        self.prior = nn.LSTMCell(sizes.prior_input_dim, sizes.prior_dim)
        self.to_prior_what = nn.Linear(sizes.prior_dim, 2 * what_dim)
        self.to_prior_box = nn.Linear(sizes.prior_dim, 2 * box)
        self.to_prior_depth = nn.Linear(sizes.prior_dim, 2)
        self.to_prior_presence = nn.Linear(sizes.prior_dim, 1)

    def forward(
        self,
        images: Tensor,
        features: Tensor,
        tracks: Tracks,
        encoder: GlimpseEncoder,
        noise: Noise,
        temperature: float,
        t: int,
    ) -> tuple[Found, Tensor]:
        """Return where each slot's object is now, and the next hidden state of its tracker."""
        around = torch.full_like(tracks.boxes[..., :2], 0.5)
        around = torch.cat([around, tracks.boxes[..., 2:].detach()], dim=-1)
        crops = self.crop_layers(crop(features, around, self.crop_size).flatten(0, 1))
        seen = torch.unflatten(self.to_crop(crops.flatten(1)), 0, around.shape[:2])
        before = [tracks.boxes, tracks.presence, tracks.what, tracks.box_noise, seen]
        read = self.to_input(torch.cat(before, dim=-1))
        hidden = self.tracker(read.flatten(0, 1), tracks.hidden.flatten(0, 1)).view_as(
            tracks.hidden
        )
        state = [hidden, tracks.what, tracks.boxes, tracks.box_noise, seen]
        mean, deviation = self.to_box(torch.cat(state, dim=-1)).chunk(2, dim=-1)
        boxes = gaussian(torch.cat([mean, deviation - 2], dim=-1))
        raw = noise.normal(f"propagation_box_{t}", boxes)
        centre = tracks.boxes[..., 2:] + 0.2 * raw[..., 2:].tanh()
        box = torch.cat([self.anchor.sizes(raw[..., :2]), centre.clamp(-1.05, 1.05)], dim=-1)
        whats = self.what(encoder(crop(images, box, encoder.size)), hidden, seen)
        what = noise.normal(f"propagation_what_{t}", whats)
        depths = gaussian(self.to_depth(torch.cat([hidden, what, seen], dim=-1)))
        depth = noise.normal(f"propagation_depth_{t}", depths)
        logit = self.to_presence(torch.cat([hidden, box, raw, what], dim=-1))
        logit = 8.8 * torch.tanh(logit + 2)
        presence = noise.relaxed_bernoulli(f"propagation_presence_{t}", logit, temperature)
        posteriors = {"box": boxes, "what": whats, "depth": depths}
        return Found(logit, presence, box, raw, what, depth, posteriors), hidden

    def what(self, seen_now: Normal, hidden: Tensor, seen: Tensor) -> Normal:
        """Return what an object is, by gates between what is seen of it and what was tracked."""
        tracked = gaussian(self.to_what(hidden))
        forget, take = self.to_gates(torch.cat([hidden, seen], dim=-1)).sigmoid().chunk(2, dim=-1)
        mean = take * seen_now.mean + forget * tracked.mean
        deviation = nn.functional.softplus(take * seen_now.stddev + forget * tracked.stddev)
        return Normal(mean, deviation, validate_args=False)

    def expect(self, tracks: Tracks) -> tuple[dict[str, Normal], Tensor, tuple[Tensor, Tensor]]:
        """Return priors by name, the prior probability of presence, and the prior's next state."""
        parts = [tracks.what, tracks.boxes, tracks.box_noise, tracks.depth, tracks.presence]
        read = self.to_prior_input(torch.cat(parts, dim=-1)).flatten(0, 1)
        state = self.prior(
            read, (tracks.prior_hidden.flatten(0, 1), tracks.prior_cell.flatten(0, 1))
        )
        hidden, cell = (torch.unflatten(x, 0, tracks.presence.shape[:2]) for x in state)
        priors = {
            "box": gaussian(self.to_prior_box(hidden)),
            "what": gaussian(self.to_prior_what(hidden)),
            "depth": gaussian(self.to_prior_depth(hidden)),
        }
        return priors, torch.sigmoid(self.to_prior_presence(hidden) + 5), (hidden, cell)


def _by_cell(maps: Tensor) -> Tensor:
    """Return maps (B, D, rows, columns) cell by cell, (B, N, D)."""
    return maps.flatten(2).mT


def _mlp(in_dim: int, hidden_dim: int, out_dim: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(in_dim, hidden_dim), nn.CELU(), nn.Linear(hidden_dim, out_dim))


def _pyramid(in_dim: int, dims: list[int], strides: list[int], width: float) -> list[nn.Module]:
    """Return convolutions, of 4x4 where they stride, with groups of 4 channels at first, then 8."""
    layers: list[nn.Module] = []
    groups = narrow([4 if dim == 16 else 8 for dim in dims], width)
    for dim, stride, group in zip(narrow(dims, width), strides, groups, strict=True):
        layers += conv_block(in_dim, dim, 4 if stride == 2 else 3, stride, padding=1, groups=group)
        in_dim = dim
    return layers
