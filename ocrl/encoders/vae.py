"""The baseline that sees one vector, made regular: a variational autoencoder."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ocrl.encoder import EncoderOutput, TrainableEncoder
from ocrl.modules.backbones import Backbone
from ocrl.modules.mlp import MLP
from ocrl.modules.position import PositionEmbedding
from ocrl.objectives import feature_reconstruction


class VAE(TrainableEncoder):
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
        reduced_dim: width to which each backbone token is reduced before all are flattened.
        hidden_dim: width of the hidden layer before mean and variance.
        decoder_dim: width of the decoder's two hidden layers.
    """

    def __init__(
        self,
        backbone: Backbone,
        target: nn.Module,
        *,
        token_dim: int,
        target_dim: int,
        beta: float = 1.0,
        reduced_dim: int = 8,
        hidden_dim: int = 512,
        decoder_dim: int = 128,
    ) -> None:
        super().__init__()
        num_cells = backbone.grid_size[0] * backbone.grid_size[1]
        self.num_tokens = 1
        self.token_dim = token_dim
        self.image_size = backbone.image_size
        self.loss_weights = {"reconstruction": 1.0, "divergence": beta}
        self.backbone = backbone
        self.reduce = nn.Linear(backbone.feature_dim, reduced_dim)
        self.to_posterior = MLP(num_cells * reduced_dim, [hidden_dim], 2 * token_dim)
        self.to_cell = nn.Linear(token_dim, decoder_dim)
        self.position = PositionEmbedding(backbone.grid_size, decoder_dim)
        self.decoder = MLP(decoder_dim, [decoder_dim, decoder_dim], target_dim)
        self.target = target

    def step(self, frames: Tensor, state: Tensor | None, is_first: Tensor) -> EncoderOutput:
        """Encode frames (B, H, W, 3) as one token each; nothing is carried."""
        self.check_frames(frames)
        mean, _ = self.posterior(self.backbone(frames))
        return EncoderOutput(mean.unsqueeze(1), None, None)

    def posterior(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log variance, (B, D) each, of the vector behind features (B, N, F)."""
        mean, log_variance = self.to_posterior(self.reduce(features).flatten(1)).chunk(2, dim=-1)
        return mean, log_variance

    def decode(self, vectors: Tensor) -> Tensor:
        """Return the reconstruction (B, N, F) of the target from vectors (B, D)."""
        reconstruction: Tensor = self.decoder(self.position(self.to_cell(vectors).unsqueeze(1)))
        return reconstruction

    def reconstruct(self, videos: Tensor) -> tuple[Tensor, Tensor]:
        """Return reconstruction and target, (B, T, N, F) each, of uint8 videos (B, T, H, W, 3)."""
        self.check_frames(videos)
        frames = videos.flatten(0, 1)
        features = self.backbone(frames)
        mean, _ = self.posterior(features)
        target: Tensor = self.target(frames, features)
        both = (torch.unflatten(x, 0, videos.shape[:2]) for x in (self.decode(mean), target))
        reconstruction, target = both
        return reconstruction, target

    def losses(self, videos: Tensor) -> dict[str, Tensor]:
        """Return reconstruction error and divergence on uint8 clips (B, T, H, W, 3)."""
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
