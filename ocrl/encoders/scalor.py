"""SCALOR: objects found in a grid, and followed."""

from __future__ import annotations

import math
from itertools import accumulate
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence
from torch.optim import RMSprop

from ocrl.encoder import Batch, EncoderOutput, ParameterGroup, Reconstruction
from ocrl.encoders.boxes import BoxEncoder, box_masks, check_probabilities, object_tokens
from ocrl.errors import UsageError
from ocrl.modules.convolutions import conv_block, narrow, upsampling_block
from ocrl.modules.distributions import gaussian_log_density
from ocrl.modules.glimpses import SCALOR_LAYERS, GlimpseDecoder, GlimpseEncoder, glimpse_layers
from ocrl.modules.noise import Noise, NoNoise, bernoulli_divergence, gaussian
from ocrl.modules.scalor_cells import (
    Anchor,
    Discovery,
    Found,
    Memory,
    Propagation,
    Sizes,
    Tracks,
)
from ocrl.modules.schedules import Linear
from ocrl.modules.spatial_transformer import place
from ocrl.zoo import register_encoder

TINY = 1e-15


class Frame(NamedTuple):
    """What one frame of videos holds.

    Attributes:
        propagated: objects followed, in their slots; nothing where ``kept`` is 0.
        discovered: what the cells found; nothing where something followed is there already.
        proposed: (B, N, 1), presence of the cells before that rejection.
        explained: (B, N, 1), 1 where what a cell found was there already.
        kept: (B, K, 1), 1 where a slot had an object.
        layers: (B, K + N, 5, H, W): colour times alpha, alpha, importance, each in its place.
        tracks: what the next frame starts from.
        memory: state of the image's features.
    """

    propagated: Found
    discovered: Found
    proposed: Tensor
    explained: Tensor
    kept: Tensor
    layers: Tensor
    tracks: Tracks
    memory: Tensor


class Scalor(BoxEncoder):
    """Scalable object-oriented sequential representations (SCALOR, arXiv 1910.02384).

        last objects -> propagation -> what they cover -> discovery -> rejection of what is covered
        -> objects now: those still present, and those newly found with a presence above 0.7
        image = sum_k w_k alpha_k colour_k + (1 - A) background,   w nearer ones weigh more

    An object keeps its slot as long as it is followed; the slot of one that vanished is free for
    the next that is found. Objects without a free slot are drawn, but not followed.

    Args:
        image_size: (height, width), 64x64 or 128x128.
        num_slots: K, most objects that are followed.
        what_dim: width of an object's code.
        glimpse_size: pixels along a glimpse's side: 32, or 16.
        sizes: widths of the layers.
        anchor: which boxes objects have.
        width: share of the published channels and groups.
        background_dim: width of the background's latent.
        background_hidden_dim: of the GRU behind the background's prior.
        presence_prior: probability that a cell has a new object, over the training steps.
        sigma: standard deviation of a pixel.
        detached_steps: training steps in which no gradient flows from frame to frame.
    """

    has_decoder_masks = True

    def __init__(
        self,
        image_size: tuple[int, int],
        *,
        num_slots: int,
        what_dim: int,
        glimpse_size: int = 32,
        sizes: Sizes,
        anchor: Anchor,
        width: float,
        background_dim: int,
        background_hidden_dim: int,
        presence_prior: Linear,
        sigma: float,
        detached_steps: int,
    ) -> None:
        check_probabilities("presence_prior", presence_prior.first, presence_prior.last)
        if num_slots < 1:
            raise UsageError(f"SCALOR follows 1 object or more, not {num_slots}: try 16 slots")
        if image_size[0] != image_size[1] or image_size[0] % 64:
            raise UsageError(
                f"SCALOR's background is square, with sides that are multiples of 64, not "
                f"{image_size[0]}x{image_size[1]}: choose an image_size such as [64, 64]"
            )
        super().__init__(image_size, num_slots, 6 + what_dim)
        self.sizes = sizes
        self.what_dim = what_dim
        self.memory = Memory(image_size, sizes.feature_dim, width)
        layers = glimpse_layers(SCALOR_LAYERS, glimpse_size)
        self.what_encoder = GlimpseEncoder(what_dim, layers.encoder, width)
        self.glimpse_decoder = GlimpseDecoder(what_dim, layers.decoder, width)
        grid_size = self.memory.grid_size
        self.propagation = Propagation(grid_size, what_dim, sizes, anchor, width)
        self.discovery = Discovery(grid_size, sizes, anchor, width)
        self.background_encoder = _background_encoder(image_size, background_dim, width)
        self.decoder = _background_decoder(image_size, background_dim, width)
        self.background_prior = nn.GRUCell(background_dim, background_hidden_dim)
        self.to_background_prior = nn.Linear(background_hidden_dim, 2 * background_dim)
        self.presence_prior = presence_prior
        self.sigma = sigma
        self.detached_steps = detached_steps
        terms = ("reconstruction", "kl_what", "kl_box", "kl_depth", "kl_presence", "kl_background")
        self.loss_weights = dict.fromkeys(terms, 1.0)

    def initial_state(self, batch_size: int) -> Tensor:
        """Return zeros: no object is followed, and nothing is remembered."""
        widths = sum(self._widths())
        remembered = -(-4 * self.sizes.feature_dim * self._num_cells() // self.num_tokens)
        return torch.zeros(batch_size, self.num_tokens, widths + remembered, device=self.device)

    def step(self, frames: Tensor, state: Tensor | None, is_first: Tensor) -> EncoderOutput:
        """Encode one frame of each of B running videos, see `ocrl.Encoder.step`."""
        frame = self._advance(frames, state, is_first)
        masks = box_masks(frame.tracks.presence, frame.tracks.boxes, self.mask_size)
        return EncoderOutput(self.tokens(frame.tracks), masks, self.pack(frame))

    def _advance(self, frames: Tensor, state: Tensor | None, is_first: Tensor) -> Frame:
        images = self.read(frames)
        state = self.initial_state(len(frames)) if state is None else state
        state = state.masked_fill(is_first[:, None, None], 0.0)
        return self.frame(images, *self.unpack(state), NoNoise(), temperature=0.5)

    def tokens(self, tracks: Tracks) -> Tensor:
        """Return [presence, box, depth, what] of each slot, zeros where it is free."""
        return object_tokens(tracks.presence, tracks.boxes, tracks.depth, tracks.what)

    def pack(self, frame: Frame) -> Tensor:
        """Return tracks and memory as one state (B, K, S)."""
        tracks = torch.cat(frame.tracks[:-2], dim=-1)
        memory = frame.memory.flatten(1)
        padded = F.pad(memory, (0, -memory.shape[1] % self.num_tokens))
        return torch.cat([tracks, torch.unflatten(padded, 1, (self.num_tokens, -1))], dim=-1)

    def unpack(self, state: Tensor) -> tuple[Tracks, Tensor]:
        """Return what ``pack`` packed; the prior's own state is not part of it."""
        ends = list(accumulate(self._widths()))
        *parts, rest = state.tensor_split(ends, dim=-1)
        prior = state.new_zeros(*state.shape[:2], self.sizes.prior_dim)
        grid = (4, self.sizes.feature_dim, *self.memory.grid_size)
        memory = torch.unflatten(rest.flatten(1)[:, : math.prod(grid)], 1, grid)
        return Tracks(*(*parts, prior, prior)), memory

    def _widths(self) -> list[int]:
        return [1, 4, 4, self.what_dim, 1, self.sizes.hidden_dim, 1]

    def _num_cells(self) -> int:
        return self.memory.grid_size[0] * self.memory.grid_size[1]

    def frame(
        self,
        images: Tensor,
        tracks: Tracks,
        memory: Tensor,
        noise: Noise,
        temperature: float,
        t: int = 0,
    ) -> Frame:
        """Propagate, discover, reject, and say what is followed from here on.

        Args:
            images: (B, 3, H, W) in [0, 1].
            tracks: objects of the frame before.
            memory: state of the image's features.
            noise: by ``propagation_<part>_<t>`` and ``discovery_<part>_<t>``.
            temperature: of the relaxed presence.
            t: number of the frame.
        """
        features, memory = self.memory(images, memory)
        kept = (tracks.presence != 0).float()
        arguments = (self.what_encoder, noise, temperature, t)
        moved, hidden = self.propagation(images, features, tracks, *arguments)
        doubt = tracks.doubt + (1 - moved.presence) * kept
        moved = moved._replace(presence=moved.presence * (doubt < 0.6) * kept)
        followed = self.draw(moved) * moved.presence[..., None, None]
        covered = _within_bounds(followed[:, :, 3:4].sum(1)).detach()
        found = self.discovery(images, features, covered, *arguments)
        proposed = found.presence
        cells = self.draw(found)
        explained = self.is_explained(cells[:, :, 3:4], covered)
        presence = proposed * (1 - explained)
        if self.training:
            presence = _strongest(presence, self.num_tokens - kept.sum((1, 2)).long())
        found = found._replace(presence=presence)
        layers = torch.cat([followed, cells * presence[..., None, None]], dim=1)
        # `fill_free_slots` empties the slots of objects that are no longer there.
        parts = (moved.presence, moved.boxes, moved.box_noise, moved.what, moved.depth, hidden)
        tracks = Tracks(*(*parts, doubt, tracks.prior_hidden, tracks.prior_cell))
        tracks = fill_free_slots(tracks, found)
        return Frame(moved, found, proposed, explained, kept, layers, tracks, memory)

    def draw(self, found: Found | Tracks) -> Tensor:
        """Return objects in their places, (B, N, 5, H, W), as if all were present.

        The channels are colour times alpha, alpha, and importance.
        """
        colour, alpha = self.glimpse_decoder(found.what)
        nearness = torch.sigmoid(-found.depth)[..., None, None]
        layers = torch.cat([alpha * colour, alpha, alpha * nearness], dim=2)
        return place(layers, found.boxes, self.image_size)

    def is_explained(self, alphas: Tensor, covered: Tensor) -> Tensor:
        """Return 1 for cells whose object what is followed covers by 30 % or more, (B, N, 1)."""
        proposed = (alphas > 0.3).float()
        shared = (proposed * (covered > 0.1).float().unsqueeze(1)).sum((2, 3, 4))
        share = shared / (proposed.sum((2, 3, 4)) + TINY)
        return (share >= 0.3).float().unsqueeze(-1)

    def objective(self, videos: Tensor, noise: Noise, step: int) -> dict[str, Tensor]:
        """Return each term of the negative evidence lower bound of videos (B, T, 3, H, W), (B,).

        Each is a mean over frames.
        """
        batch_size, num_frames = videos.shape[:2]
        tracks, memory = self.unpack(self.initial_state(batch_size))
        temperature = max(0.5 ** ((step - 1) / 20_000), 0.5)
        prior_presence = self.presence_prior.at(step)
        background = None
        sums: dict[str, Tensor] = {}
        for t in range(num_frames):
            priors, prior_probability, prior_state = self.propagation.expect(tracks)
            frame = self.frame(videos[:, t], tracks, memory, noise, temperature, t)
            shares, alpha = blend(frame.layers)
            picture, kl, background = self.explain_background(
                videos[:, t], alpha, background, noise, t
            )
            drawn = (shares * frame.layers[:, :, :3]).sum(1) + (1 - alpha) * picture
            likelihood = gaussian_log_density(videos[:, t], drawn, self.sigma)
            terms = {"reconstruction": -likelihood.sum((1, 2, 3)), "kl_background": kl}
            terms |= self.divergences(frame, priors, prior_probability, prior_presence)
            sums = {name: sums.get(name, 0.0) + term for name, term in terms.items()}
            tracks, memory = self.with_prior_state(frame, prior_state), frame.memory
            if step < self.detached_steps:
                tracks = Tracks(*(part.detach() for part in tracks))
        return {name: total / num_frames for name, total in sums.items()}

    def divergences(
        self,
        frame: Frame,
        priors: dict[str, Normal],
        prior_probability: Tensor,
        prior_presence: float,
    ) -> dict[str, Tensor]:
        """Return the divergences of propagated and discovered objects from their priors, (B,)."""
        moved, found = frame.propagated, frame.discovered
        new = prior_presence * (1 - frame.explained) + 1e-8 * frame.explained
        presence = bernoulli_divergence(moved.logit.sigmoid(), prior_probability) * frame.kept
        terms = {
            "kl_presence": presence.sum((1, 2))
            + bernoulli_divergence(found.logit.sigmoid(), new).sum((1, 2))
        }
        for name, prior in priors.items():
            followed = kl_divergence(moved.posteriors[name], prior) * moved.presence
            discovered = kl_divergence(found.posteriors[name], Normal(0.0, 1.0)) * frame.proposed
            terms[f"kl_{name}"] = followed.sum((1, 2)) + discovered.sum((1, 2))
        return terms

    def explain_background(
        self,
        images: Tensor,
        alpha: Tensor,
        before: tuple[Tensor, Tensor] | None,
        noise: Noise,
        t: int,
    ) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor]]:
        """Return a background (B, 3, H, W), its divergence (B,), and what the next one needs.

        Args:
            images: (B, 3, H, W).
            alpha: (B, 1, H, W), what objects cover.
            before: latent and the prior's hidden state of the frame before, if there was one.
            noise: by ``background_<t>``.
            t: number of the frame.
        """
        seen = torch.cat([images, 1 - alpha], dim=1)
        posterior = gaussian(self.background_encoder(seen).flatten(1))
        if before is None:
            hidden = images.new_zeros(len(images), self.background_prior.hidden_size)
            prior = Normal(torch.zeros_like(posterior.mean), 1.0)
        else:
            latent, hidden = before
            hidden = self.background_prior(latent, hidden)
            change = gaussian(self.to_background_prior(hidden))
            prior = Normal(latent + change.mean, change.stddev, validate_args=False)
        latent = noise.normal(f"background_{t}", posterior)
        picture = self.decoder(latent[..., None, None])
        return picture, kl_divergence(posterior, prior).sum(1), (latent, hidden)

    def with_prior_state(self, frame: Frame, state: tuple[Tensor, Tensor]) -> Tracks:
        """Return the tracks of a frame with the prior's state, which new objects start at zero."""
        old = (frame.tracks.hidden != 0).any(-1, keepdim=True)
        hidden, cell = (torch.where(old, part, 0.0) for part in state)
        return frame.tracks._replace(prior_hidden=hidden, prior_cell=cell)

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return each term of the negative evidence lower bound, mean over frames."""
        video = batch["video"]
        videos = torch.unflatten(self.read(video), 0, video.shape[:2])
        terms = self.objective(videos, Noise(), self.count_step())
        return {name: term.mean() for name, term in terms.items()}

    def parameter_groups(self) -> list[ParameterGroup]:
        """Return everything, which RMSprop trains."""
        return [group._replace(optimizer=RMSprop) for group in super().parameter_groups()]

    def segment_step(self, frames: Tensor, state: Tensor | None, is_first: Tensor) -> EncoderOutput:
        """Encode one frame of each of B running videos, with masks of what is drawn."""
        frame = self._advance(frames, state, is_first)
        masks, _, _ = self.draw_tracks(frame.tracks)
        return EncoderOutput(self.tokens(frame.tracks), masks, self.pack(frame))

    def draw_tracks(self, tracks: Tracks) -> tuple[Tensor, Tensor, Tensor]:
        """Return masks (B, K + 1, H, W), the drawing (B, 3, H, W) and alpha (B, 1, H, W)."""
        layers = self.draw(tracks) * tracks.presence[..., None, None]
        shares, alpha = blend(layers)
        masks = torch.cat([shares * alpha.unsqueeze(1), 1 - alpha.unsqueeze(1)], dim=1).squeeze(2)
        masks = masks / masks.sum(1, keepdim=True)
        return masks, (shares * layers[:, :, :3]).sum(1), alpha

    def segment(self, batch: Batch) -> Tensor:
        """Return masks of what is drawn, (B, T, K + 1, H, W); the last is the background."""
        return self._decode(batch["video"])[0]

    def reconstruct(self, batch: Batch) -> Reconstruction:
        """Draw what is followed in front of the background."""
        masks, drawn = self._decode(batch["video"])
        target = torch.unflatten(self.read(batch["video"]), 0, masks.shape[:2])
        return Reconstruction(drawn.flatten(3).mT, target.flatten(3).mT, masks)

    def _decode(self, videos: Tensor) -> tuple[Tensor, Tensor]:
        state = self.initial_state(len(videos))
        masks, pictures = [], []
        for t, frames in enumerate(videos.unbind(1)):
            frame = self._advance(frames, state, torch.full((len(videos),), t == 0))
            mask, drawn, alpha = self.draw_tracks(frame.tracks)
            picture, _, _ = self.explain_background(self.read(frames), alpha, None, NoNoise(), t)
            masks.append(mask)
            pictures.append(drawn + (1 - alpha) * picture)
            state = self.pack(frame)
        return torch.stack(masks, dim=1), torch.stack(pictures, dim=1)


def fill_free_slots(tracks: Tracks, found: Found, threshold: float = 0.7) -> Tracks:
    """Put newly found objects, in the order of their cells, into the slots that are free.

    Args:
        tracks: slots; those with a presence of 0 are free, and are emptied.
        found: of all cells; objects with a presence above ``threshold`` are followed.
        threshold: see there.
    """
    free = tracks.presence.squeeze(-1) <= 0
    accepted = found.presence.squeeze(-1) > threshold
    slots = (~free).int().argsort(dim=1, stable=True)
    cells = (~accepted).int().argsort(dim=1, stable=True)
    number = min(slots.shape[1], cells.shape[1])
    slots, cells = slots[:, :number], cells[:, :number]
    fits = (free.gather(1, slots) & accepted.gather(1, cells)).unsqueeze(-1)
    new = (found.presence, found.boxes, found.box_noise, found.what, found.depth)
    parts = []
    for i, part in enumerate(tracks):
        emptied = torch.where(free.unsqueeze(-1), 0.0, part)
        index = slots.unsqueeze(-1).expand(-1, -1, part.shape[-1])
        coming = emptied.gather(1, index)
        if i < len(new):
            from_cells = new[i].gather(1, cells.unsqueeze(-1).expand(-1, -1, part.shape[-1]))
            coming = torch.where(fits, from_cells, coming)
        parts.append(emptied.scatter(1, index, coming))
    return Tracks(*parts)


def blend(layers: Tensor) -> tuple[Tensor, Tensor]:
    """Return each object's share (B, N, 1, H, W), and what all cover together (B, 1, H, W)."""
    importance = layers[:, :, 4:]
    shares = importance / (importance.sum(dim=1, keepdim=True) + TINY)
    return shares, _within_bounds(layers[:, :, 3:4].sum(dim=1))


def _within_bounds(alpha: Tensor) -> Tensor:
    """Clamp to (0, 1); the gradient is that of what is clamped."""
    return alpha + (alpha.clamp(TINY, 1 - TINY) - alpha).detach()


def _strongest(presence: Tensor, limits: Tensor) -> Tensor:
    """Keep the presences (B, N, 1) above the one after ``limits`` (B,) of them, and no other."""
    ordered = F.pad(presence.squeeze(-1).sort(dim=1, descending=True).values, (0, 1), value=-1.0)
    threshold = ordered.gather(1, limits.clamp_max(presence.shape[1]).unsqueeze(1))
    return presence * (presence > threshold.unsqueeze(-1))


def _background_encoder(image_size: tuple[int, int], dim: int, width: float) -> nn.Sequential:
    dims, groups = [16, 32, 64, 64], [4, 8, 8, 8]
    if image_size[0] > 64:
        dims, groups = [*dims, 64], [*groups, 8]
    layers: list[nn.Module] = []
    before = 4
    for after, group in zip(narrow(dims, width), narrow(groups, width), strict=True):
        layers += conv_block(before, after, 4, 2, padding=1, groups=group)
        before = after
    return nn.Sequential(*layers, nn.Conv2d(before, 2 * dim, 4))


def _background_decoder(image_size: tuple[int, int], dim: int, width: float) -> nn.Sequential:
    dims, groups, factors = [128, 64, 16], [16, 8, 4], [4, 4, 4]
    if image_size[0] > 64:
        dims, groups, factors = [256, *dims], [16, *groups], [4, 4, 2, 4]
    before, first_groups = narrow([256, 16], width)
    layers = conv_block(dim, before, 1, groups=first_groups)
    dims, groups = narrow(dims, width), narrow(groups, width)
    for after, group, factor in zip(dims, groups, factors, strict=True):
        layers += upsampling_block(before, after, factor, group)
        layers += conv_block(after, after, 3, padding=1, groups=group)
        before = after
    layers += conv_block(before, before, 3, padding=1, groups=narrow([4], width)[0])
    return nn.Sequential(*layers, nn.Conv2d(before, 3, 3, padding=1), nn.Sigmoid())


@register_encoder
def scalor(
    *,
    image_size: tuple[int, int] = (64, 64),
    num_slots: int = 16,
    what_dim: int = 8,
    glimpse_size: int = 16,
    width: float = 0.25,
    background_dim: int = 10,
    object_size: float = 0.25,
    size_range: float = 0.12,
    object_ratio: float = 1.0,
    ratio_range: float = 0.5,
    presence_prior: tuple[float, float] = (0.1, 1e-4),
    prior_steps: int = 500,
    sigma: float = 0.2,
    detached_steps: int = 30_000,
) -> Scalor:
    """Make a SCALOR of a quarter of the published width, set as its author advises for sprites.

    Args:
        image_size: (height, width), 64x64 or 128x128.
        num_slots: most objects that are followed.
        what_dim: width of an object's code.
        glimpse_size: pixels along a glimpse's side: 32, or 16.
        width: share of the published widths and groups.
        background_dim: width of the background's latent.
        object_size: size of a box as a fraction of the image.
        size_range: how far a box may be from that.
        object_ratio: height of a box over its width.
        ratio_range: how far a box may be from that.
        presence_prior: probability of a new object in a cell, at first and after ``prior_steps``.
        prior_steps: see there.
        sigma: standard deviation of a pixel.
        detached_steps: training steps in which no gradient flows from frame to frame.
    """
    height, breadth = image_size
    sizes = Sizes(*(max(8, round(dim * width)) for dim in Sizes()))
    return Scalor(
        (height, breadth),
        num_slots=num_slots,
        what_dim=what_dim,
        glimpse_size=glimpse_size,
        sizes=sizes,
        anchor=Anchor(object_size, size_range, object_ratio, ratio_range),
        width=width,
        background_dim=background_dim,
        background_hidden_dim=max(8, round(32 * width)),
        presence_prior=Linear(*presence_prior, 0, prior_steps),
        sigma=sigma,
        detached_steps=detached_steps,
    )
