"""IODINE: objects that explain an image together, refined step by step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ocrl.encoder import Batch, ParameterGroup
from ocrl.encoders.images import ImageEncoder, Painting
from ocrl.errors import UsageError
from ocrl.modules import distributions
from ocrl.modules.broadcast import BroadcastConv2d
from ocrl.modules.pixel_mixture import PixelMixture
from ocrl.modules.position import coordinate_maps, cosine_waves
from ocrl.modules.ranges import check_positive
from ocrl.modules.refinement import RefinementNetwork
from ocrl.zoo import register_encoder

# Standard deviation of the prior: that of a posterior whose parameters are all zero.
PRIOR_STD = math.sqrt(math.log(2))
# Constants that the public code gives its decoder and its refinement network.
DECODER_CONSTANT, REFINEMENT_CONSTANT = 5.0, 0.5


class Estimate(NamedTuple):
    """What slots hold, and images as they paint them.

    Attributes:
        posterior: (B, K, 2 Z), means and raw variances.
        divergence: (B, K), of posterior from prior, in nats.
        mixture: what a sample of it paints.
    """

    posterior: Tensor
    divergence: Tensor
    mixture: PixelMixture

    def detach(self) -> Estimate:
        """Return the same without gradient."""
        return Estimate(self.posterior.detach(), self.divergence.detach(), self.mixture.detach())


class IODINE(ImageEncoder):
    """Iterative object decomposition inference network (Greff et al. 2019, arXiv 1903.00450).

        z_k ~ N(mean_k, softplus(raw_k));   z_k -> decoder -> colours x_k, mask logits l_k
        L_t = -log sum_k softmax(l)_k Logistic(x; x_k, s) + sum_k KL(z_k || prior)
        (mean, raw) <- (mean, raw) + refinement(dL_t/d(mean, raw, x_k, l_k), x, x_k, l_k, ...)
        L = sum_t t / T L_t

    over T refinements. Tokens are the means after the last of them, masks those of its decoding;
    the noise of z is fixed in eval mode.

    **Encoding takes gradients**, of T decodings with respect to what was decoded. It does so on its
    own under ``torch.no_grad`` and ``torch.inference_mode`` too; the price is T forward and
    backward passes of the decoder for each frame, which an agent pays at every step: see
    docs/encoders.md.

    The public code divides the gradients that refinement reads by the number of images in a batch;
    here by a fixed number, so that what is made of an image does not depend on its neighbours.

    Args:
        image_size: (height, width).
        num_slots: K, 2 at least.
        latent_dim: Z.
        num_refinements: T.
        decoder_dims: channels of the decoder's convolutions but for the last.
        refinement_dims: channels of the refinement network's convolutions.
        kernel_size: of all convolutions, odd.
        hidden_dims: widths of its MLP.
        lstm_dim: width of its LSTM. 0: none.
        cosines: give it places as products of cosines, not as coordinates.
        scale: s, in units of the image's [0, 1].
        gradient_divisor: images in a batch of training, of all clips together.
    """

    initial: Tensor
    places: Tensor
    eval_noise: Tensor

    def __init__(
        self,
        image_size: tuple[int, int],
        num_slots: int,
        latent_dim: int,
        *,
        num_refinements: int,
        decoder_dims: Sequence[int],
        refinement_dims: Sequence[int],
        kernel_size: int,
        hidden_dims: Sequence[int],
        lstm_dim: int,
        cosines: bool,
        scale: float,
        gradient_divisor: int,
    ) -> None:
        super().__init__()
        if num_slots < 2 or num_refinements < 1:
            raise UsageError(
                f"IODINE with {num_slots} slots and {num_refinements} refinements: choose 2 slots "
                "or more and 1 refinement or more"
            )
        if kernel_size % 2 == 0:
            raise UsageError(f"kernel_size is {kernel_size}: choose an odd one, 3 or 5")
        check_positive(latent_dim=latent_dim, scale=scale, gradient_divisor=gradient_divisor)
        self.image_size = (image_size[0], image_size[1])
        self.num_tokens = num_slots
        self.token_dim = latent_dim
        self.num_refinements = num_refinements
        self.scale = scale
        self.gradient_divisor = gradient_divisor
        self.loss_weights = {"likelihood": 1.0, "divergence": 1.0}
        bound = math.sqrt(3 / (2 * latent_dim))
        self.initial = nn.Parameter(torch.empty(2 * latent_dim).uniform_(-bound, bound))
        coordinates, padding = coordinate_maps(image_size), kernel_size // 2
        grid = torch.cat([torch.full_like(coordinates[:1], DECODER_CONSTANT), coordinates])
        dims = [*decoder_dims, 4]
        layers: list[nn.Module] = [BroadcastConv2d(latent_dim, grid, dims[0], kernel_size, padding)]
        for in_dim, out_dim in pairwise(dims):
            layers += [nn.ELU(), nn.Conv2d(in_dim, out_dim, kernel_size, padding=padding)]
        self.decoder = nn.Sequential(*layers)
        places = cosine_waves(image_size) if cosines else coordinates.flip(0)
        self.register_buffer("places", places, persistent=False)
        self.norms = nn.ModuleDict(
            {
                "gains": nn.GroupNorm(1, 1),
                "colours": nn.GroupNorm(1, 3),
                "mask_logits": nn.GroupNorm(1, 1),
                "likelihood": nn.GroupNorm(1, 1),
                "posterior": nn.LayerNorm(2 * latent_dim),
            }
        )
        self.refinement = RefinementNetwork(
            16 + len(places),
            4 * latent_dim + 1,
            2 * latent_dim,
            channels=refinement_dims,
            kernel_size=kernel_size,
            hidden_dims=hidden_dims,
            lstm_dim=lstm_dim,
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                std = module.weight[0].numel() ** -0.5
                nn.init.trunc_normal_(module.weight, std=std, a=-2 * std, b=2 * std)
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]
        shape = (num_refinements + 1, 1, num_slots, latent_dim)
        noise = torch.randn(shape, generator=torch.Generator().manual_seed(0))
        self.register_buffer("eval_noise", noise)

    def paint_from(self, images: Tensor, posterior: Tensor, noise: Tensor) -> Estimate:
        """Decode a sample of a posterior (B, K, 2 Z), and compare it with images (B, 3, H, W)."""
        mean, raw = posterior.chunk(2, dim=-1)
        std = F.softplus(raw).sqrt()
        latents = distributions.gaussian_sample(mean, std, noise).flatten(0, 1)
        decoded = torch.unflatten(self.decoder(latents), 0, posterior.shape[:2])
        mask_logits, colours = decoded[:, :, :1], decoded[:, :, 1:]
        divergence = distributions.gaussian_divergence(mean, std, 0.0, PRIOR_STD).sum(-1)
        mixture = PixelMixture.of(images, colours, mask_logits, self.scale)
        return Estimate(posterior, divergence, mixture)

    def refine(self, images: Tensor, noise: Tensor, *, keep_graph: bool) -> list[Estimate]:
        """Estimate what images (B, 3, H, W) hold T + 1 times, each better than the one before.

        Args:
            images: in [0, 1].
            noise: (T + 1, B or 1, K, Z).
            keep_graph: keep what it takes to learn from it.
        """
        if self.initial.is_inference():
            raise UsageError(
                "IODINE takes gradients to encode, but its weights were made in inference mode: "
                "build or load it outside torch.inference_mode, it may be used inside"
            )
        posterior = self.initial.expand(len(images), self.num_tokens, -1)
        state = self.refinement.initial_state(len(images) * self.num_tokens)
        history = []
        for draw in noise:
            posterior = posterior if keep_graph else posterior.detach().requires_grad_()
            estimate = self.paint_from(images, posterior, draw)
            history.append(estimate if keep_graph else estimate.detach())
            if len(history) > self.num_refinements:
                break
            loss = estimate.divergence.sum() - estimate.mixture.likelihood.sum()
            sources = (posterior, estimate.mixture.colours, estimate.mixture.mask_logits)
            # Second derivatives are not taken: to what reads them, gradients are constants.
            gradients = torch.autograd.grad(
                loss / self.gradient_divisor, sources, retain_graph=keep_graph
            )
            with torch.set_grad_enabled(keep_graph):
                maps, vectors = self.evidence(images, estimate, gradients)
                update, state = self.refinement(maps.flatten(0, 1), vectors.flatten(0, 1), state)
                posterior = posterior + torch.unflatten(update, 0, posterior.shape[:2])
        return history

    def evidence(
        self, images: Tensor, estimate: Estimate, gradients: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Return what the refinement network reads: maps (B, K, C, H, W), vectors (B, K, V)."""
        posterior, _, mixture = estimate
        d_posterior, d_colours, d_mask_logits = gradients
        parts = (
            torch.full_like(mixture.mask_logits, REFINEMENT_CONSTANT),
            mixture.colours,
            self.places,
            self._normalise("gains", mixture.gains.detach()),
            self._normalise("colours", d_colours),
            self._normalise("mask_logits", d_mask_logits),
            images.unsqueeze(1),
            self._normalise("likelihood", mixture.likelihood.detach()),
            mixture.mask_logits,
            mixture.responsibilities,
            mixture.masks,
        )
        rows, size = posterior.shape[:2], images.shape[-2:]
        maps = torch.cat([part.expand(*rows, -1, *size) for part in parts], dim=2)
        constant = torch.full_like(d_posterior[..., :1], REFINEMENT_CONSTANT)
        slopes = self.norms["posterior"](d_posterior)
        return maps, torch.cat([slopes, constant, posterior], dim=-1)

    def _normalise(self, name: str, maps: Tensor) -> Tensor:
        return torch.unflatten(self.norms[name](maps.flatten(0, 1)), 0, maps.shape[:2])

    def noise(self, batch_size: int) -> Tensor:
        """Return the noise of all decodings, (T + 1, B, K, Z): fixed in eval mode."""
        noise = self.eval_noise.expand(-1, batch_size, -1, -1)
        return distributions.gaussian_noise(noise) if self.training else noise

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Map images (B, 3, H, W) to the posterior's means (B, K, Z) and masks (B, K, H, W)."""
        last = self._refined(images)
        return last.posterior.chunk(2, dim=-1)[0], last.mixture.masks.squeeze(2)

    def paint(self, images: Tensor) -> Painting:
        """Return the last decoding's colours, blended by its masks."""
        mixture = self._refined(images).mixture
        return Painting(mixture.image, mixture.masks.squeeze(2))

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return both terms, summed over an image, each decoding weighted by its place."""
        keep_graph = torch.is_grad_enabled() and self.initial.requires_grad
        with torch.inference_mode(False), torch.enable_grad():
            images = self.images(batch).clone()
            history = self.refine(images, self.noise(len(images)), keep_graph=keep_graph)
            weights = torch.linspace(0, 1, len(history), device=images.device)
            likelihoods = [step.mixture.likelihood.flatten(1).sum(1).mean() for step in history]
            divergences = [step.divergence.sum(1).mean() for step in history]
            return {
                "likelihood": -weights @ torch.stack(likelihoods),
                "divergence": weights @ torch.stack(divergences),
            }

    def parameter_groups(self) -> list[ParameterGroup]:
        """Return everything, with the first beta of Adam that was published."""
        options = {"betas": (0.95, 0.999)}
        return [group._replace(options=options) for group in super().parameter_groups()]

    def _refined(self, images: Tensor) -> Estimate:
        with torch.inference_mode(False), torch.enable_grad():
            images = images.clone()  # what inference mode made takes no part in gradients
            return self.refine(images, self.noise(len(images)), keep_graph=False)[-1]


@register_encoder
def iodine(
    *,
    image_size: tuple[int, int] = (64, 64),
    num_slots: int = 5,
    latent_dim: int = 16,
    num_refinements: int = 3,
    decoder_dims: Sequence[int] = (8, 8, 8),
    refinement_dims: Sequence[int] = (8, 16, 16),
    kernel_size: int = 3,
    hidden_dims: Sequence[int] = (64,),
    lstm_dim: int = 64,
    cosines: bool = True,
    scale: float = 0.03,
    gradient_divisor: int = 32,
) -> IODINE:
    """Make an IODINE, small enough for one core; arguments as `IODINE` has them."""
    return IODINE(
        image_size,
        num_slots,
        latent_dim,
        num_refinements=num_refinements,
        decoder_dims=decoder_dims,
        refinement_dims=refinement_dims,
        kernel_size=kernel_size,
        hidden_dims=hidden_dims,
        lstm_dim=lstm_dim,
        cosines=cosines,
        scale=scale,
        gradient_divisor=gradient_divisor,
    )
