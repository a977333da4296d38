"""SQAIR: objects one after the other, frame after frame."""

from __future__ import annotations

import torch
from timm.optim.rmsprop_tf import RMSpropTF
from torch import Tensor, nn

from ocrl.encoder import Batch, EncoderOutput, ParameterGroup
from ocrl.encoders.box_trackers import BoxTracker
from ocrl.encoders.boxes import box_masks, layer_masks, object_tokens
from ocrl.encoders.images import Painting
from ocrl.errors import UsageError
from ocrl.modules.distributions import gaussian_log_density
from ocrl.modules.noise import Noise, NoNoise
from ocrl.modules.pixels import grey
from ocrl.modules.ranges import check_positive
from ocrl.modules.score_function import (
    importance_weighted_bound,
    learning_signal,
    score_function,
)
from ocrl.modules.spatial_transformer import place
from ocrl.modules.sqair_discovery import Discovery, log_posterior_number
from ocrl.modules.sqair_frame import Frame
from ocrl.modules.sqair_objects import (
    GlimpseCoder,
    Objects,
    assign_slots,
    boxes_of,
    pack,
    pick,
    present_first,
    unpack,
)
from ocrl.modules.sqair_propagation import Propagation, PropagationPrior
from ocrl.modules.sqair_recurrence import elu_mlp
from ocrl.zoo import register_encoder


class Sqair(BoxTracker[Frame]):
    """Sequential attend, infer, repeat (SQAIR, arXiv 1806.01794).

        objects of the last frame -> propagation, one after the other -> those that stay
        image, those that stay -> discovery, one after the other -> those that are new
        image = sum_k presence_k placed(decoder(what_k), where_k) + mean image where something is

    trained by an importance-weighted bound of several particles, with VIMCO for presences. Frames
    are read in grey; there is no depth. A token keeps its place as long as its object is there.

    Args:
        image_size: (height, width).
        num_slots: K, most objects of a frame.
        glimpse: pixels along a glimpse's side.
        what_dim: width of an object's code.
        dims: hidden layers of encoders, decoder and where.
        presence_dims: hidden layers before presence.
        hidden_dim: of the networks that go from object to object.
        temporal_dim: of the GRU that follows an object.
        prior_dim: of the prior's GRU.
        mask_dim: of the hidden layer before a glimpse's mask.
        where_hidden_dim: of the hidden layer before a glimpse's shift.
        where_prior_dim: of the hidden layer of the prior of where new objects are.
        number_prior_dim: of the hidden layer of the prior of how many there are.
        num_particles: samples of a video in training, 2 or more.
        sigma: standard deviation of a pixel where something is drawn.
        background_sigma: of the others.
        prior_presence_bias: of the prior logit that an object stays.
    """

    def __init__(
        self,
        image_size: tuple[int, int],
        *,
        num_slots: int,
        glimpse: int,
        what_dim: int,
        dims: tuple[int, ...],
        presence_dims: tuple[int, ...],
        hidden_dim: int,
        temporal_dim: int,
        prior_dim: int,
        mask_dim: int,
        where_hidden_dim: int,
        where_prior_dim: int,
        number_prior_dim: int,
        num_particles: int,
        sigma: float,
        background_sigma: float,
        prior_presence_bias: float,
    ) -> None:
        if num_slots < 1 or num_particles < 2:
            raise UsageError(
                f"SQAIR takes 1 slot and 2 particles at least, got num_slots={num_slots} and "
                f"num_particles={num_particles}: try 3 and 5"
            )
        check_positive(
            glimpse=glimpse, what_dim=what_dim, sigma=sigma, background_sigma=background_sigma
        )
        super().__init__(image_size, num_slots, 5 + what_dim)
        height, width = image_size
        self.what_dim, self.temporal_dim = what_dim, temporal_dim
        self.num_particles = num_particles
        self.sigma, self.background_sigma = sigma, background_sigma
        self.image_encoder = elu_mlp([height * width, *dims], ends_in_elu=True)
        self.coder = GlimpseCoder(glimpse, dims, what_dim, mask_dim, temporal_dim)
        self.decoder = elu_mlp([what_dim, *dims, glimpse**2])
        self.output_scale = nn.Parameter(torch.tensor(0.25))
        self.mean_image = nn.Parameter(torch.zeros(height, width))
        self.latent_encoder = elu_mlp([what_dim + 4, hidden_dim, hidden_dim], ends_in_elu=True)
        self.discovery = Discovery(
            num_slots,
            what_dim,
            dims[-1],
            hidden_dim,
            dims,
            presence_dims,
            hidden_dim,
            where_prior_dim,
            number_prior_dim,
        )
        self.propagation = Propagation(
            what_dim, hidden_dim, temporal_dim, dims, presence_dims, where_hidden_dim
        )
        self.prior = PropagationPrior(what_dim, prior_dim, prior_presence_bias)
        self.loss_weights = {"bound": 1.0, "score": 1.0}

    def initial_state(self, batch_size: int) -> Tensor:
        """Return the state without any object, (B, K, S)."""
        return pack(*self.nothing(batch_size))

    def nothing(self, number: int) -> tuple[Objects, Tensor]:
        """Return K absent objects, and the slots that they would have."""
        zeros = self.mean_image.new_zeros(number, self.num_tokens, self.what_dim + 8)
        widths = (self.what_dim, 4, 1, 1, 1, 1)
        temporal = self.propagation.gru.initial.expand(number, self.num_tokens, -1)
        slots = torch.arange(self.num_tokens, device=self.device).expand(number, -1)
        parts = [zeros[..., :width] for width in widths]
        return Objects(*(*parts, temporal)), slots

    def advance(self, frames: Tensor, state: Tensor) -> Frame:
        """Go on by one frame (B, H, W, 3), without noise."""
        return self.frame(grey(self.read(frames)), *unpack(state, self.what_dim), None, NoNoise())

    def output(self, frame: Frame) -> EncoderOutput:
        """Return [presence, box, what] of each slot, zeros where it is free."""
        objects, boxes = frame.in_slots(), boxes_of(frame.in_slots().where)
        probability = objects.presence * objects.presence_logit.sigmoid()
        tokens = object_tokens(probability, boxes, objects.what)
        masks = box_masks(objects.presence, boxes, self.mask_size)
        return EncoderOutput(tokens, masks, pack(frame.objects, frame.slots))

    def paint(self, frames: Tensor, frame: Frame) -> Painting:
        """Draw the objects, in grey."""
        placed, _, canvas = self.draw(frame.in_slots())
        image = canvas.unsqueeze(1).expand(-1, 3, -1, -1)
        return Painting(image, layer_masks(placed.clamp(0, 1)))

    def frame(
        self,
        images: Tensor,
        before: Objects,
        slots: Tensor,
        prior_state: Tensor | None,
        noise: Noise,
        t: int = 0,
    ) -> Frame:
        """Propagate, discover, and keep what is present.

        Args:
            images: (N, 1, H, W), grey.
            before: objects of the last frame.
            slots: theirs, (N, K).
            prior_state: of the propagation's prior, (N, K, P). None: its first one.
            noise: by ``propagation_<part>_<k>_<t>`` and ``discovery_<part>_<k>_<t>``.
            t: number of the frame.
        """
        start = self.prior.gru.initial.expand(len(images), self.num_tokens, -1)
        prior = self.prior(before, start if prior_state is None else prior_state)
        moved = self.propagation(images, before, self.coder, noise, t)
        latents = self.latent_encoder(torch.cat([moved.what, moved.where], dim=-1))
        code = (latents * moved.presence).sum(dim=1)
        expected = (prior.presence_logit.sigmoid() - 0.5).sum(dim=1) / self.num_tokens
        temporal = self.propagation.gru.initial.expand(len(images), -1)
        image_code = self.image_encoder(images.flatten(1))
        found = self.discovery(images, image_code, code, self.coder, temporal, noise, t)
        objects, order = present_first(moved, found)
        states = pick(torch.cat([prior.state, start], dim=1), order)
        slots = assign_slots(objects.presence.squeeze(-1), slots, order)
        return Frame(moved, found, objects, slots, prior, states, expected, code)

    def draw(self, objects: Objects) -> tuple[Tensor, Tensor, Tensor]:
        """Return placed objects (N, K, H, W), what they cover and the canvas (N, H, W)."""
        glimpses = self.decoder(objects.what) * self.output_scale
        shape = (1, *self.coder.size)
        glimpses = torch.unflatten(glimpses, 2, shape)
        layers = torch.cat([glimpses, torch.ones_like(glimpses)], dim=2)
        placed = place(
            layers, boxes_of(objects.where), self.image_size, corners="centres", epsilon=0.0
        )
        placed = placed * objects.presence[..., None, None]
        written = torch.sigmoid(20 * placed[:, :, 1].sum(dim=1) - 10)
        canvas = placed[:, :, 0].sum(dim=1) + self.mean_image * written
        return placed[:, :, 0], written, canvas

    def log_weight(self, images: Tensor, before: Objects, frame: Frame, t: int) -> Tensor:
        """Return ln p(x, z) - ln q(z | x) of a frame, (N,)."""
        _, written, canvas = self.draw(frame.objects)
        deviation = written * self.sigma + (1 - written) * self.background_sigma
        log_likelihood = gaussian_log_density(images[:, 0], canvas, deviation).sum((1, 2))
        log_ratio = frame.log_ratio(before, self.discovery)
        found = frame.discovered
        number = found.presence.sum(dim=1)
        log_number = self.discovery.log_prior_number(number, frame.expected, t)
        return log_likelihood + log_ratio + log_number - log_posterior_number(found)

    def particles(self, videos: Tensor, noise: Noise) -> tuple[Tensor, Tensor]:
        """Return log weights and ln q of all presences, (B, P), of grey videos (B, T, 1, H, W)."""
        images = videos.repeat_interleave(self.num_particles, dim=0)
        objects, slots = self.nothing(len(images))
        log_weights, log_q = images.new_zeros(2, len(images)).unbind(0)
        prior_state = None
        for t in range(images.shape[1]):
            frame = self.frame(images[:, t], objects, slots, prior_state, noise, t)
            log_weights = log_weights + self.log_weight(images[:, t], objects, frame, t)
            log_q = log_q + frame.log_q_moved(objects)
            log_q = log_q + log_posterior_number(frame.discovered)
            objects, slots, prior_state = frame.objects, frame.slots, frame.prior_state
        shape = (len(videos), self.num_particles)
        return log_weights.view(shape), log_q.view(shape)

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the negative bound per frame, and what trains presences (of value zero)."""
        video = batch["video"]
        videos = torch.unflatten(grey(self.read(video)), 0, video.shape[:2])
        log_weights, log_q = self.particles(videos, Noise())
        bound = importance_weighted_bound(log_weights)
        score = score_function(log_q, learning_signal(log_weights))
        return {"bound": -bound.mean() / video.shape[1], "score": -score.mean() / video.shape[1]}

    def parameter_groups(self) -> list[ParameterGroup]:
        """Return everything, which TensorFlow's RMSProp with momentum trains."""
        options = {"momentum": 0.9}
        groups = super().parameter_groups()
        return [group._replace(optimizer=RMSpropTF, options=options) for group in groups]


@register_encoder
def sqair(
    *,
    image_size: tuple[int, int] = (64, 64),
    num_slots: int = 3,
    glimpse: int = 20,
    what_dim: int = 50,
    hidden_dim: int = 64,
    num_particles: int = 3,
    sigma: float = 0.3,
) -> Sqair:
    """Make a SQAIR of a quarter of the published width; with hidden_dim=256 it is the published.

    Args:
        image_size: (height, width).
        num_slots: most objects of a frame.
        glimpse: pixels along a glimpse's side.
        what_dim: width of an object's code.
        hidden_dim: of MLPs and recurrent networks.
        num_particles: samples of a video in training; 5 as published.
        sigma: standard deviation of a pixel.
    """
    height, width = image_size
    encoder = Sqair(
        (height, width),
        num_slots=num_slots,
        glimpse=glimpse,
        what_dim=what_dim,
        dims=(hidden_dim, hidden_dim),
        presence_dims=(hidden_dim // 2,),
        hidden_dim=hidden_dim,
        temporal_dim=hidden_dim,
        prior_dim=hidden_dim,
        mask_dim=hidden_dim // 2,
        where_hidden_dim=hidden_dim // 2,
        where_prior_dim=hidden_dim // 2,
        number_prior_dim=10,
        num_particles=num_particles,
        sigma=sigma,
        background_sigma=sigma,
        prior_presence_bias=10.0,
    )
    # Objects stay and are looked at, glimpses are remembered, and new things are small at first.
    for name, bias in {
        "propagation.to_presence.2.bias": [5.0],
        "propagation.to_gates.bias": [1.0],
        "coder.to_mask.2.bias": [1.0],
        "discovery.to_presence.2.bias": [1.0],
        "discovery.prior_readout.bias": [-2.0, -2.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0],
    }.items():
        encoder.get_parameter(name).data[:] = torch.tensor(bias)
    return encoder
