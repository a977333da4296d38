"""SPACE: a grid of objects in boxes in front of a background of a few parts."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence
from torch.optim import RMSprop

from ocrl.encoder import Batch, ParameterGroup
from ocrl.encoders.images import Painting
from ocrl.encoders.space_objects import Cells, Foreground, SpaceObjects
from ocrl.errors import UsageError
from ocrl.modules.distributions import gaussian_log_density
from ocrl.modules.mixture_background import Background, MixtureBackground
from ocrl.modules.noise import Noise, NoNoise, bernoulli_divergence
from ocrl.modules.ranges import check_positive, check_probabilities
from ocrl.modules.schedules import Linear
from ocrl.modules.spatial_transformer import placing_weights
from ocrl.zoo import register_encoder

BOX, EDGE = 32, 6
"""Pixels along a glimpse's side, of which so many at either end are its box's edge."""


class Space(SpaceObjects):
    """Unsupervised object-oriented scene representation (SPACE, arXiv 2001.02407).

        image -> each cell's presence, depth, scale, shift -> box -> glimpse -> what
        what -> colour, alpha -> placed, nearer cells over farther ones -> foreground
        image -> masks, components -> background

        p(image) = A N(foreground, s_f) + (1 - A) sum_k mask_k N(component_k, s_b)

    with every colour channel a mixture of its own, as in the authors' code, which also charges the
    divergence of every cell in full, whether or not it is present. Frames are images of their own.

    Args:
        image_size: (height, width), equal and a multiple of 32.
        cell_size: pixels along a cell's side: 8, 16 or 32.
        what_dim: width of an object's code.
        glimpse_size: pixels along a glimpse's side: 32, or 16.
        feature_dim: channels of the features before the lateral convolutions.
        width: share of the published channels and groups, in the foreground and the background.
        background: explains what no object does.
        presence_prior: probability that a cell has an object, over the training steps.
        scale_prior: mean of a box's size before the sigmoid.
        scale_deviation: of the same.
        temperature: of the relaxed presence.
        foreground_sigma: s_f.
        background_sigma: s_b.
        fixed_alpha: A in place of its own value in the steps before ``fixed_alpha_steps``, but for
            the very first one.
        fixed_alpha_steps: see there; 0 fixes it never.
        boundary_steps: as long as this, objects that their box cuts cost something; 0 never.
        foreground_rate: learning rate of all but the background, in units of the background's.
    """

    def __init__(
        self,
        image_size: tuple[int, int],
        background: MixtureBackground,
        *,
        cell_size: int,
        what_dim: int,
        glimpse_size: int = 32,
        feature_dim: int,
        width: float,
        presence_prior: Linear,
        scale_prior: Linear,
        scale_deviation: float,
        temperature: Linear,
        foreground_sigma: float,
        background_sigma: float,
        fixed_alpha: float,
        fixed_alpha_steps: int,
        boundary_steps: int,
        foreground_rate: float,
    ) -> None:
        check_probabilities("presence_prior", presence_prior.first, presence_prior.last)
        check_probabilities("fixed_alpha", fixed_alpha)
        check_positive(
            what_dim=what_dim,
            scale_deviation=scale_deviation,
            temperature=min(temperature.first, temperature.last),
            foreground_sigma=foreground_sigma,
            background_sigma=background_sigma,
            foreground_rate=foreground_rate,
        )
        super().__init__(
            image_size,
            cell_size=cell_size,
            what_dim=what_dim,
            glimpse_size=glimpse_size,
            feature_dim=feature_dim,
            width=width,
        )
        self.background = background
        self.presence_prior = presence_prior
        self.scale_prior = scale_prior
        self.scale_deviation = scale_deviation
        self.temperature = temperature
        self.foreground_sigma = foreground_sigma
        self.background_sigma = background_sigma
        self.fixed_alpha = fixed_alpha
        self.fixed_alpha_steps = fixed_alpha_steps
        self.boundary_steps = boundary_steps
        self.foreground_rate = foreground_rate
        terms = ("reconstruction", "kl_background", "kl_presence", "kl_scale", "kl_shift")
        self.loss_weights = dict.fromkeys((*terms, "kl_depth", "kl_what", "boundary"), 1.0)

    def objective(self, images: Tensor, noise: Noise, step: int) -> dict[str, Tensor]:
        """Return each term of the negative evidence lower bound of images (B, 3, H, W), (B,)."""
        background = self.background(images, noise)
        cells = self.infer(images, noise, self.temperature.at(step))
        foreground = self.draw(cells)
        boundary = self.boundary_loss(cells, foreground.alpha, step)
        if 0 < step < self.fixed_alpha_steps:
            alpha = torch.full_like(foreground.alpha, self.fixed_alpha)
            foreground = foreground._replace(alpha=alpha)
        prior_presence = self.presence_prior.at(step)
        kl = bernoulli_divergence(cells.presence_logit.sigmoid(), prior_presence)
        terms = {
            "reconstruction": -self.log_likelihood(images, foreground, background).sum((1, 2, 3)),
            "kl_background": background.kl,
            "kl_presence": kl.sum((1, 2)),
            "boundary": boundary,
        }
        scale_prior = Normal(self.scale_prior.at(step), self.scale_deviation)
        for name, posterior in cells.posteriors.items():
            prior = scale_prior if name == "scale" else Normal(0.0, 1.0)
            terms[f"kl_{name}"] = kl_divergence(posterior, prior).sum((1, 2))
        return terms

    def log_likelihood(
        self, images: Tensor, foreground: Foreground, background: Background
    ) -> Tensor:
        """Return ln p of every pixel's every channel, (B, 3, H, W)."""
        parts = gaussian_log_density(images[:, None], background.images, self.background_sigma)
        behind = torch.logsumexp(parts + (background.masks + 1e-5).log(), dim=1)
        before = gaussian_log_density(images, foreground.image, self.foreground_sigma)
        alpha = foreground.alpha
        return torch.logaddexp(before + (alpha + 1e-5).log(), behind + (1 - alpha + 1e-5).log())

    def boundary_loss(self, cells: Cells, alpha: Tensor, step: int) -> Tensor:
        """Return what objects cost that their box cuts, (B,)."""
        if step >= self.boundary_steps:
            return alpha.new_zeros(len(alpha))
        # A frame is a square without the smaller one in it.
        rows, columns = placing_weights(cells.boxes, (BOX, BOX), self.image_size)
        squares = slice(None), slice(EDGE, -EDGE)
        outer, inner = (
            (rows[..., part].sum(-1) * cells.presence).mT @ columns[..., part].sum(-1)
            for part in squares
        )
        cut = 1000 / BOX**2 * (outer - inner).unsqueeze(1) * alpha
        return -gaussian_log_density(cut, torch.zeros_like(cut), 0.7).sum((1, 2, 3))

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return each term of the negative evidence lower bound, mean over frames."""
        terms = self.objective(self.images(batch), Noise(), self.count_step())
        return {name: term.mean() for name, term in terms.items()}

    def parameter_groups(self) -> list[ParameterGroup]:
        """Return the foreground, which RMSprop trains, and the background, which Adam does."""
        groups: dict[bool, list[nn.Parameter]] = {False: [], True: []}
        for name, parameter in self.named_parameters():
            groups[name.startswith("background.")].append(parameter)
        return [
            ParameterGroup(groups[False], self.foreground_rate, optimizer=RMSprop),
            ParameterGroup(groups[True]),
        ]

    def paint(self, images: Tensor) -> Painting:
        """Draw what images (B, 3, H, W) hold, without noise; the last masks are the background."""
        cells = self.infer(images, NoNoise(), 1.0)
        return self.mix(self.draw(cells), self.background(images, NoNoise()))

    def mix(self, foreground: Foreground, background: Background) -> Painting:
        """Return the image (B, 3, H, W), and masks (B, K + parts, H, W), which sum to one."""
        alpha = foreground.alpha.unsqueeze(1)
        masks = torch.cat([alpha * foreground.importance, (1 - alpha) * background.masks], dim=1)
        behind = ((1 - alpha) * background.masks * background.images).sum(dim=1)
        return Painting(foreground.alpha * foreground.image + behind, masks.squeeze(2))


@register_encoder
def space(
    *,
    image_size: tuple[int, int] = (64, 64),
    cell_size: int = 8,
    what_dim: int = 32,
    glimpse_size: int = 16,
    num_background: int = 3,
    width: float = 0.25,
    presence_prior: tuple[float, float] = (0.1, 0.01),
    scale_prior: tuple[float, float] = (-1.0, -2.0),
    scale_deviation: float = 0.1,
    temperature: tuple[float, float] = (2.5, 0.5),
    steps: tuple[int, int, int] = (4000, 10000, 20000),
    sigma: float = 0.15,
    background_sigma: float | None = None,
    fixed_alpha: float = 0.1,
    fixed_alpha_steps: int = 0,
    boundary_steps: int = 100_000,
    foreground_rate: float = 0.1,
) -> Space:
    """Make a SPACE of a quarter of the published width; `space_rooms` is the published one.

    Args:
        image_size: (height, width), equal and a multiple of 32.
        cell_size: pixels along a cell's side: 8, 16 or 32.
        what_dim: width of an object's code.
        glimpse_size: pixels along a glimpse's side: 32, or 16.
        num_background: parts of the background.
        width: share of the published channels and groups.
        presence_prior: probability of an object in a cell, from the first of ``steps`` to the
            second.
        scale_prior: logit of a box's size, from the second of ``steps`` to the third.
        scale_deviation: of that logit.
        temperature: of the relaxed presence, from the beginning to the third of ``steps``.
        steps: see there.
        sigma: standard deviation of a pixel.
        background_sigma: the same where the background draws it, None for ``sigma``; less than
            ``sigma`` leaves the background what both can draw.
        fixed_alpha: share of the foreground before ``fixed_alpha_steps``.
        fixed_alpha_steps: see there.
        boundary_steps: as long as this, objects that their box cuts cost something.
        foreground_rate: learning rate of all but the background, in units of the background's.
    """
    height, breadth = image_size
    begin, middle, end = steps
    if not begin <= middle <= end:
        raise UsageError(f"steps={tuple(steps)} of training come one after the other: sort them")
    hidden_dim = max(8, round(64 * width))
    return Space(
        (height, breadth),
        MixtureBackground(
            (height, breadth),
            num_background,
            mask_dim=what_dim,
            component_dim=what_dim,
            image_dim=hidden_dim,
            hidden_dim=hidden_dim,
            prior_hidden_dim=hidden_dim,
            width=width,
        ),
        cell_size=cell_size,
        what_dim=what_dim,
        glimpse_size=glimpse_size,
        feature_dim=128,
        width=width,
        presence_prior=Linear(*presence_prior, begin, middle),
        scale_prior=Linear(*scale_prior, middle, end),
        scale_deviation=scale_deviation,
        temperature=Linear(*temperature, 0, end),
        foreground_sigma=sigma,
        background_sigma=sigma if background_sigma is None else background_sigma,
        fixed_alpha=fixed_alpha,
        fixed_alpha_steps=fixed_alpha_steps,
        boundary_steps=boundary_steps,
        foreground_rate=foreground_rate,
    )
