"""The baseline that sees one vector, made regular: a variational autoencoder."""

from __future__ import annotations

import torch
from torch import Tensor

from ocrl.encoder import Batch
from ocrl.encoders.vector import VectorEncoder
from ocrl.modules.backbones import Backbone, small_cnn
from ocrl.modules.targets import OpponentColourTarget, Target
from ocrl.objectives import feature_reconstruction
from ocrl.zoo import register_encoder


class VAE(VectorEncoder):
    """A frame as a Gaussian over vectors, trained on the slot encoders' target.

        frame -> backbone -> reduce, flatten -> MLP -> mean, log variance
        mean + deviation * noise -> + position_n, MLP -> target_n

        L = L_rec(decoder(vector), target) + beta KL(N(mean, variance) || N(0, 1)) / (N F)

    With beta = 1 this is the negative evidence lower bound of a decoder of variance 1/2, divided by
    the N F numbers of the target (Kingma and Welling 2014, equation 10); other beta as Higgins et
    al. 2017, equation 4. The token is the mean. It has no masks and carries nothing between frames.

    Args:
        backbone: frames to features (B, N, F).
        target: (frames, features) to what is reconstructed, N cells.
        token_dim: D, width of the latent vector.
        target_dim: width of the target.
        beta: weight of the divergence from the prior.
        **widths: see `VectorEncoder`.
    """

    num_moments = 2

    def __init__(
        self,
        backbone: Backbone,
        target: Target,
        *,
        token_dim: int,
        target_dim: int,
        beta: float = 1.0,
        **widths: int,
    ) -> None:
        super().__init__(backbone, target, token_dim=token_dim, target_dim=target_dim, **widths)
        self.loss_weights = {"reconstruction": 1.0, "divergence": beta}

    def posterior(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log variance, (B, D) each, of the vector behind features (B, N, F)."""
        mean, log_variance = super().vector(features).chunk(2, dim=-1)
        return mean, log_variance

    def vector(self, features: Tensor) -> Tensor:
        """Return the mean (B, D) of the vector behind features (B, N, F)."""
        return self.posterior(features)[0]

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return reconstruction error and divergence."""
        videos = batch["video"]
        self.check_frames(videos)
        frames = videos.flatten(0, 1)
        features = self.backbone(frames)
        mean, log_variance = self.posterior(features)
        vectors = mean + (log_variance / 2).exp() * torch.randn_like(mean)
        target = self.target(frames, features)
        return {
            "reconstruction": feature_reconstruction(self.decode(vectors), target),
            "divergence": divergence_from_prior(mean, log_variance).mean() / target[0].numel(),
        }


def divergence_from_prior(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return KL(N(mean, variance) || N(0, 1)) in nats (Kingma and Welling 2014, appendix B).

        KL = 1/2 sum_d (mean_d^2 + variance_d - log variance_d - 1)

    >>> divergence_from_prior(torch.tensor([1.0, 2.0]), torch.zeros(2))
    tensor(2.5000)

    Args:
        mean: (..., D).
        log_variance: (..., D).

    Returns:
        (...).
    """
    return (mean.square() + log_variance.exp() - log_variance - 1).sum(-1) / 2


@register_encoder
def vae(
    *,
    image_size: tuple[int, int] = (64, 64),
    token_dim: int = 64,
    beta: float = 1.0,
) -> VAE:
    """Make a variational autoencoder of what SlotContrast reconstructs.

    Args:
        image_size: (height, width) of the frames, divisible by 4.
        token_dim: D.
        beta: see `VAE`.
    """
    backbone = small_cnn(image_size)
    target = OpponentColourTarget(backbone.image_size, patch_size=backbone.patch_size)
    return VAE(backbone, target, target_dim=target.dim, token_dim=token_dim, beta=beta)
