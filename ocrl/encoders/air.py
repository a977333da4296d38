"""AIR: one object after the other, as many as the network finds."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.distributions import Normal

from ocrl.encoder import Batch, ParameterGroup
from ocrl.encoders.boxes import FrameBoxEncoder, box_masks, layer_masks, object_tokens
from ocrl.encoders.images import Painting
from ocrl.errors import UsageError
from ocrl.modules.air_steps import Steps, boxes_of, log_presence, log_ratio
from ocrl.modules.count_prior import presence_prior
from ocrl.modules.distributions import gaussian_log_density
from ocrl.modules.mlp import MLP
from ocrl.modules.noise import Noise, NoNoise, gaussian, stack
from ocrl.modules.pixels import grey
from ocrl.modules.ranges import check_positive
from ocrl.modules.score_function import downstream, score_function
from ocrl.modules.spatial_transformer import crop, place
from ocrl.zoo import register_encoder


class Air(FrameBoxEncoder):
    """Attend, infer, repeat (AIR, arXiv 1603.08575), as in Pyro's example.

        image, last object -> LSTM -> presence, where -> glimpse -> what      stops at the first 0
        image = sum_n presence_n placed(decoder(what_n), where_n) + noise

    trained by single samples of the evidence lower bound; presence, being discrete, by score
    functions with a recurrent baseline. Frames are read as grey images of their own; there is no
    background and no depth: it is made for bright things on black. The order of the tokens is the
    order in which things were found.

    Args:
        image_size: (height, width).
        num_steps: N, most objects of a frame.
        window: pixels along a glimpse's side.
        what_dim: width of an object's code.
        hidden_dim: of the LSTM, and of that of the baseline.
        embedding_dims: layers of an MLP between the image and the LSTM; none by default.
        encoder_dims: hidden layers from a glimpse to its code.
        decoder_dims: hidden layers from a code to its glimpse.
        head_dims: hidden layers from the LSTM to presence and where.
        baseline_dims: hidden layers from the baseline's LSTM to its value.
        count_ratio: P(n + 1 objects) / P(n objects) of the prior.
        scale_prior: mean of s, image size over object size.
        scale_deviation: of the same.
        pixel_bias: added to the decoder's output, before a sigmoid. None: neither.
        presence_bound: how far from 0 the logit of a presence may be, so that no step stops to be
            tried. None: any distance.
        baseline_scale: factor of the baseline.
        baseline_rate: its learning rate, in units of the rest's.
        sigma: standard deviation of a pixel.
    """

    where_mean: Tensor
    where_deviation: Tensor
    prior_probability: Tensor

    def __init__(
        self,
        image_size: tuple[int, int],
        *,
        num_steps: int,
        window: int,
        what_dim: int,
        hidden_dim: int,
        embedding_dims: Sequence[int] = (),
        encoder_dims: Sequence[int],
        decoder_dims: Sequence[int],
        head_dims: Sequence[int] = (),
        baseline_dims: Sequence[int] = (),
        count_ratio: float,
        scale_prior: float,
        scale_deviation: float,
        pixel_bias: float | None,
        presence_bound: float | None = None,
        baseline_scale: float = 1.0,
        baseline_rate: float = 1.0,
        sigma: float = 0.3,
    ) -> None:
        if num_steps < 1:
            raise UsageError(f"AIR takes 1 step or more, not {num_steps}: give it 3 or so")
        check_positive(
            window=window,
            what_dim=what_dim,
            scale_prior=scale_prior,
            scale_deviation=scale_deviation,
            presence_bound=1.0 if presence_bound is None else presence_bound,
            baseline_scale=baseline_scale,
            baseline_rate=baseline_rate,
            sigma=sigma,
        )
        super().__init__(image_size, num_steps, 5 + what_dim)
        self.window = (window, window)
        self.pixel_bias = pixel_bias
        self.presence_bound = presence_bound
        self.baseline_scale = baseline_scale
        self.baseline_rate = baseline_rate
        self.sigma = sigma
        pixels = image_size[0] * image_size[1]
        read_dim = (embedding_dims[-1] if embedding_dims else pixels) + 4 + what_dim
        self.first_hidden = nn.ParameterList(torch.zeros(1, hidden_dim) for _ in range(2))
        self.baseline_state = nn.ParameterList(torch.zeros(1, hidden_dim) for _ in range(2))
        self.first_where = nn.Parameter(torch.zeros(1, 3))
        self.first_what = nn.Parameter(torch.zeros(1, what_dim))
        self.lstm = nn.LSTMCell(read_dim, hidden_dim)
        self.encoder = MLP(window**2, encoder_dims, 2 * what_dim)
        self.decoder = MLP(what_dim, decoder_dims, window**2)
        self.head = MLP(hidden_dim, head_dims, 7)
        self.embedding = _embedding(pixels, embedding_dims)
        self.baseline_lstm = nn.LSTMCell(read_dim, hidden_dim)
        self.baseline_head = MLP(hidden_dim, baseline_dims, 1)
        self.baseline_embedding = _embedding(pixels, embedding_dims)
        self.register_buffer("where_mean", torch.tensor([scale_prior, 0, 0]), persistent=False)
        deviation = torch.tensor([scale_deviation, 1, 1])
        self.register_buffer("where_deviation", deviation, persistent=False)
        prior = presence_prior(num_steps, count_ratio)
        self.register_buffer("prior_probability", prior, persistent=False)
        terms = ("reconstruction", "kl_presence", "kl_where", "kl_what", "score")
        # The baseline has weights of its own: how much its error counts is a matter of clipping.
        self.loss_weights = {**dict.fromkeys(terms, 1.0), "baseline": 1e-6}

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Map images (B, 3, H, W) to a token for each step, and to where their boxes are."""
        steps = self.infer(grey(images), NoNoise(), with_baseline=False)
        tokens = object_tokens(steps.probability, steps.boxes, steps.what)
        return tokens, box_masks(steps.presence, steps.boxes, self.mask_size)

    def infer(self, images: Tensor, noise: Noise, *, with_baseline: bool = True) -> Steps:
        """Return what N steps find in grey images (B, 1, H, W)."""
        batch_size = len(images)
        pixels = images.flatten(1)
        seen = self.embedding(pixels)
        state = [first.expand(batch_size, -1) for first in self.first_hidden]
        baseline_state = [first.expand(batch_size, -1) for first in self.baseline_state]
        baseline_seen = self.baseline_embedding(pixels) if with_baseline else None
        where, what = (x.expand(batch_size, -1) for x in (self.first_where, self.first_what))
        presence = torch.ones_like(where[:, :1])
        found = []
        for n in range(self.num_tokens):
            last = torch.cat([where, what, presence], dim=1)
            baseline = presence[:, 0] * self.baseline_scale
            if baseline_seen is not None:
                read = torch.cat([baseline_seen, last.detach()], dim=1)
                baseline_state = self.baseline_lstm(read, baseline_state)
                baseline = baseline * self.baseline_head(baseline_state[0]).squeeze(1)
            state = self.lstm(torch.cat([seen, last], dim=1), state)
            logit, where_parameters = self.head(state[0]).tensor_split([1], dim=1)
            if self.presence_bound is not None:
                logit = self.presence_bound * torch.tanh(logit / self.presence_bound)
            probability = logit.sigmoid() * presence
            presence = noise.bernoulli(f"presence_{n}", probability)
            raw = gaussian(where_parameters)
            where_posterior = Normal(
                raw.mean + self.where_mean, raw.stddev * self.where_deviation, validate_args=False
            )
            where = noise.normal(f"where_{n}", where_posterior)
            glimpse = crop(images, boxes_of(where).unsqueeze(1), self.window)
            what_posterior = gaussian(self.encoder(glimpse.flatten(1)))
            what = noise.normal(f"what_{n}", what_posterior)
            found.append(
                Steps(probability, presence, where, what, where_posterior, what_posterior, baseline)
            )
        return stack(found)

    def draw(self, steps: Steps) -> Tensor:
        """Return each step's object in its place, (B, N, H, W), zero where none was found."""
        glimpses = self.decoder(steps.what)
        if self.pixel_bias is not None:
            glimpses = torch.sigmoid(glimpses + self.pixel_bias)
        glimpses = torch.unflatten(glimpses, 2, (1, *self.window))
        return place(glimpses, steps.boxes, self.image_size).squeeze(2) * steps.presence[..., None]

    def objective(self, images: Tensor, noise: Noise) -> dict[str, Tensor]:
        """Return each term of the negative evidence lower bound of grey images, (B,).

        Their sum has the value of the bound and the baseline's error, and the gradient that trains
        discrete presences too.
        """
        steps = self.infer(images, noise)
        canvas = self.draw(steps).sum(dim=1)
        log_likelihood = gaussian_log_density(images[:, 0], canvas, self.sigma).sum((1, 2))
        log_q = log_presence(steps.presence, steps.probability)
        log_p = log_presence(steps.presence, self.prior_probability[:, None])
        where_prior = Normal(self.where_mean, self.where_deviation)
        kl_where = log_ratio(steps.where, steps.where_posterior, where_prior) * steps.presence
        kl_what = log_ratio(steps.what, steps.what_posterior, Normal(0.0, 1.0)) * steps.presence
        kl_presence = log_q.detach() - log_p
        costs = (kl_presence + kl_where + kl_what).squeeze(2)
        later = (downstream(costs) - log_likelihood.unsqueeze(1)).detach()
        return {
            "reconstruction": -log_likelihood,
            "kl_presence": kl_presence.sum((1, 2)),
            "kl_where": kl_where.sum((1, 2)),
            "kl_what": kl_what.sum((1, 2)),
            "score": score_function(log_q.squeeze(2), later + steps.baseline).sum(1),
            "baseline": (later + steps.baseline).square().sum(1),
        }

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return each term of the negative evidence lower bound, mean over frames."""
        terms = self.objective(grey(self.images(batch)), Noise())
        return {name: term.mean() for name, term in terms.items()}

    def parameter_groups(self) -> list[ParameterGroup]:
        """Return all but the baseline, and the baseline."""
        groups: dict[bool, list[nn.Parameter]] = {False: [], True: []}
        for name, parameter in self.named_parameters():
            groups[name.startswith("baseline")].append(parameter)
        return [ParameterGroup(groups[False]), ParameterGroup(groups[True], self.baseline_rate)]

    def paint(self, images: Tensor) -> Painting:
        """Draw what images (B, 3, H, W) hold, without noise; the last mask is the background."""
        placed = self.draw(self.infer(grey(images), NoNoise(), with_baseline=False))
        drawn = placed.sum(1, keepdim=True).expand_as(images)
        return Painting(drawn, layer_masks(placed.clamp(0, 1)))


def _embedding(pixels: int, dims: Sequence[int]) -> nn.Module:
    if not dims:
        return nn.Identity()
    return MLP(pixels, dims[:-1], dims[-1], final_activation=True)


@register_encoder
def air(
    *,
    image_size: tuple[int, int] = (64, 64),
    num_steps: int = 3,
    window: int = 28,
    what_dim: int = 50,
    hidden_dim: int = 256,
    embedding_dim: int | None = 256,
    mlp_dim: int = 200,
    count_ratio: float = 0.01,
    scale_prior: float = 3.0,
    scale_deviation: float = 0.2,
    pixel_bias: float = -2.0,
    presence_bound: float | None = 4.0,
    baseline_scale: float = 1000.0,
    baseline_rate: float = 1.0,
    sigma: float = 0.3,
) -> Air:
    """Make an AIR with the options of Pyro's tutorial, but for a layer between image and LSTM.

    Args, besides those of `Air`:
        embedding_dim: width of the layer between image and LSTM. None: no such layer, as published.
        mlp_dim: width of every MLP's hidden layer.
        baseline_scale: about as large as the costs that the baseline predicts.
    """
    height, width = image_size
    return Air(
        (height, width),
        num_steps=num_steps,
        window=window,
        what_dim=what_dim,
        hidden_dim=hidden_dim,
        embedding_dims=() if embedding_dim is None else (embedding_dim,),
        encoder_dims=(mlp_dim,),
        decoder_dims=(mlp_dim,),
        head_dims=(mlp_dim,),
        baseline_dims=(mlp_dim,),
        count_ratio=count_ratio,
        scale_prior=scale_prior,
        scale_deviation=scale_deviation,
        pixel_bias=pixel_bias,
        presence_bound=presence_bound,
        baseline_scale=baseline_scale,
        baseline_rate=baseline_rate,
        sigma=sigma,
    )
