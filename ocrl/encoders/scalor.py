"""SCALOR: objects found in a grid, and followed."""

from __future__ import annotations

import math
from itertools import accumulate

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.optim import RMSprop

from ocrl.encoder import Batch, EncoderOutput, ParameterGroup
from ocrl.encoders.box_trackers import BoxTracker
from ocrl.encoders.boxes import box_masks, object_tokens
from ocrl.encoders.images import Painting
from ocrl.errors import UsageError
from ocrl.modules.distributions import gaussian_log_density
from ocrl.modules.glimpses import SCALOR_LAYERS, GlimpseDecoder, GlimpseEncoder, glimpse_layers
from ocrl.modules.latent_background import LatentBackground
from ocrl.modules.noise import Noise, NoNoise
from ocrl.modules.object_layers import blend, is_explained, strongest, within_bounds
from ocrl.modules.ranges import check_positive, check_probabilities
from ocrl.modules.scalor_discovery import Discovery, Memory
from ocrl.modules.scalor_frame import Frame
from ocrl.modules.scalor_objects import Anchor, Found, Sizes, Tracks, fill_free_slots
from ocrl.modules.scalor_propagation import Propagation
from ocrl.modules.schedules import Linear
from ocrl.modules.spatial_transformer import place
from ocrl.zoo import register_encoder


class Scalor(BoxTracker[Frame]):
    """Scalable object-oriented sequential representations (SCALOR, arXiv 1910.02384).

        last objects -> propagation -> what they cover -> discovery -> rejection of what is covered
        -> objects now: those still present, and those newly found with a presence above 0.7
        image = sum_k w_k alpha_k colour_k + (1 - A) background,   w nearer ones weigh more

    An object keeps its slot as long as it is followed; the slot of one that vanished is free for
    the next that is found. Objects without a free slot are drawn, but not followed.

    Args:
        image_size: (height, width), 32x32, 64x64 or 128x128.
        num_slots: K, most objects that are followed.
        cell_size: pixels along a cell's side: 16 as published, or 8.
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
        background_steps: training steps after which objects are drawn; until then, the background.
    """

    def __init__(
        self,
        image_size: tuple[int, int],
        *,
        num_slots: int,
        cell_size: int = 16,
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
        background_steps: int,
    ) -> None:
        check_probabilities("presence_prior", presence_prior.first, presence_prior.last)
        check_positive(
            what_dim=what_dim,
            smallest_object=anchor.size - anchor.size_range,
            smallest_ratio=anchor.ratio - anchor.ratio_range,
            sigma=sigma,
        )
        if num_slots < 1:
            raise UsageError(f"SCALOR follows 1 object or more, not {num_slots}: try 16 slots")
        super().__init__(image_size, num_slots, 6 + what_dim)
        self.background = LatentBackground(
            (image_size[0], image_size[1]), background_dim, background_hidden_dim, width
        )
        self.sizes = sizes
        self.what_dim = what_dim
        self.memory = Memory(image_size, sizes.feature_dim, width, cell_size)
        layers = glimpse_layers(SCALOR_LAYERS, glimpse_size)
        self.what_encoder = GlimpseEncoder(what_dim, layers.encoder, width)
        self.glimpse_decoder = GlimpseDecoder(what_dim, layers.decoder, width)
        grid_size = self.memory.grid_size
        self.propagation = Propagation(grid_size, what_dim, sizes, anchor, width)
        self.discovery = Discovery(grid_size, sizes, anchor, width, cell_size)
        self.presence_prior = presence_prior
        self.sigma = sigma
        self.detached_steps = detached_steps
        self.background_steps = background_steps
        terms = ("reconstruction", "kl_what", "kl_box", "kl_depth", "kl_presence", "kl_background")
        self.loss_weights = dict.fromkeys(terms, 1.0)

    def initial_state(self, batch_size: int) -> Tensor:
        """Return zeros: no object is followed, and nothing is remembered."""
        widths = sum(self._widths())
        cells = math.prod(self.memory.grid_size)
        remembered = -(-4 * self.sizes.feature_dim * cells // self.num_tokens)
        return torch.zeros(batch_size, self.num_tokens, widths + remembered, device=self.device)

    def advance(self, frames: Tensor, state: Tensor) -> Frame:
        """Go on by one frame (B, H, W, 3), without noise."""
        return self.frame(self.read(frames), *self.unpack(state), NoNoise(), temperature=0.5)

    def output(self, frame: Frame) -> EncoderOutput:
        """Return [presence, box, depth, what] of each slot, zeros where it is free."""
        tracks = frame.tracks
        tokens = object_tokens(tracks.presence, tracks.boxes, tracks.depth, tracks.what)
        masks = box_masks(tracks.presence, tracks.boxes, self.mask_size)
        return EncoderOutput(tokens, masks, self.pack(frame))

    def paint(self, frames: Tensor, frame: Frame) -> Painting:
        """Draw what is followed in front of the background, as a first frame has it."""
        layers = self.draw(frame.tracks) * frame.tracks.presence[..., None, None]
        shares, alpha = blend(layers)
        scenery = self.background(self.read(frames), alpha, None, NoNoise())
        image = (shares * layers[:, :, :3]).sum(1) + (1 - alpha) * scenery.image
        masks = torch.cat([shares * alpha.unsqueeze(1), 1 - alpha.unsqueeze(1)], dim=1).squeeze(2)
        return Painting(image, masks / masks.sum(1, keepdim=True))

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
        covered = within_bounds(followed[:, :, 3:4].sum(1)).detach()
        found = self.discovery(images, features, covered, *arguments)
        proposed = found.presence
        cells = self.draw(found)
        explained = is_explained(cells[:, :, 3:4], covered)
        presence = proposed * (1 - explained)
        if self.training:
            presence = strongest(presence, self.num_tokens - kept.sum((1, 2)).long())
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

    def objective(self, videos: Tensor, noise: Noise, step: int) -> dict[str, Tensor]:
        """Return each term of the negative bound per frame, (B,), of videos (B, T, 3, H, W)."""
        batch_size, num_frames = videos.shape[:2]
        tracks, memory = self.unpack(self.initial_state(batch_size))
        temperature = max(0.5 ** ((step - 1) / 20_000), 0.5)
        prior_presence = self.presence_prior.at(step)
        before = None
        sums: dict[str, Tensor] = {}
        for t in range(num_frames):
            priors, prior_probability, prior_state = self.propagation.expect(tracks)
            frame = self.frame(videos[:, t], tracks, memory, noise, temperature, t)
            layers = frame.layers * (step >= self.background_steps)
            shares, alpha = blend(layers)
            scenery = self.background(videos[:, t], alpha, before, noise, t)
            drawn = (shares * layers[:, :, :3]).sum(1) + (1 - alpha) * scenery.image
            likelihood = gaussian_log_density(videos[:, t], drawn, self.sigma)
            terms = {"reconstruction": -likelihood.sum((1, 2, 3)), "kl_background": scenery.kl}
            terms |= frame.divergences(priors, prior_probability, prior_presence)
            sums = {name: sums.get(name, 0.0) + term for name, term in terms.items()}
            tracks, memory = frame.with_prior_state(prior_state), frame.memory
            before = scenery.state
            if step < self.detached_steps:
                tracks = Tracks(*(part.detach() for part in tracks))
        return {name: total / num_frames for name, total in sums.items()}

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return each term of the negative evidence lower bound, mean over frames."""
        video = batch["video"]
        videos = torch.unflatten(self.read(video), 0, video.shape[:2])
        terms = self.objective(videos, Noise(), self.count_step())
        return {name: term.mean() for name, term in terms.items()}

    def parameter_groups(self) -> list[ParameterGroup]:
        """Return everything, which RMSprop trains."""
        return [group._replace(optimizer=RMSprop) for group in super().parameter_groups()]


@register_encoder
def scalor(
    *,
    image_size: tuple[int, int] = (64, 64),
    num_slots: int = 16,
    cell_size: int = 16,
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
    background_steps: int = 0,
) -> Scalor:
    """Make a SCALOR of a quarter of the published width, set as its author advises for sprites.

    Args:
        image_size: (height, width), 32x32, 64x64 or 128x128.
        num_slots: most objects that are followed.
        cell_size: pixels along the side of a cell, in which one object can appear: 16 or 8.
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
        background_steps: training steps after which objects are drawn.
    """
    height, breadth = image_size
    sizes = Sizes(*(max(8, round(dim * width)) for dim in Sizes()))
    return Scalor(
        (height, breadth),
        num_slots=num_slots,
        cell_size=cell_size,
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
        background_steps=background_steps,
    )
