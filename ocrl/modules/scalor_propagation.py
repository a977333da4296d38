"""Propagation of SCALOR: where the objects of the last frame are now."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.distributions import Normal

from ocrl.modules.convolutions import conv_block, narrow
from ocrl.modules.glimpses import GlimpseEncoder
from ocrl.modules.noise import Noise, gaussian
from ocrl.modules.scalor_objects import Anchor, Found, Sizes, Tracks
from ocrl.modules.spatial_transformer import crop


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


def _mlp(in_dim: int, hidden_dim: int, out_dim: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(in_dim, hidden_dim), nn.CELU(), nn.Linear(hidden_dim, out_dim))
