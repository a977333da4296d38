"""The variational autoencoder: its divergence, its token, and what beta does."""

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from ocrl.encoders.vae import VAE, divergence_from_prior
from ocrl.modules.backbones.cnn import CNNBackbone
from ocrl.modules.targets import OpponentColourTarget


def make(beta=1.0):
    torch.manual_seed(0)
    backbone = CNNBackbone((16, 16), channels=[8, 8], kernel_sizes=[3, 3], strides=[2, 2])
    target = OpponentColourTarget((16, 16), patch_size=4)
    return VAE(backbone, target, token_dim=4, target_dim=3, beta=beta)


@pytest.fixture(scope="module")
def clips():
    """One colour each: two numbers are enough to tell them apart."""
    generator = torch.Generator().manual_seed(0)
    colours = torch.randint(0, 256, (16, 2, 1, 1, 3), generator=generator)
    return colours.expand(-1, -1, 16, 16, -1).to(torch.uint8)


def train(encoder, clips, steps=150):
    optimizer = torch.optim.Adam(encoder.parameters(), lr=3e-3)
    torch.manual_seed(1)
    for _ in range(steps):
        losses = encoder.losses({"video": clips})
        optimizer.zero_grad()
        encoder.total_loss(losses).backward()
        optimizer.step()
    return losses


def test_divergence_is_that_of_torch():
    mean, log_variance = torch.randn(2, 7, 5, dtype=torch.float64)
    posterior = Normal(mean, (log_variance / 2).exp())
    expected = kl_divergence(posterior, Normal(0.0, 1.0)).sum(-1)
    torch.testing.assert_close(divergence_from_prior(mean, log_variance), expected)


def test_loss_is_the_evidence_lower_bound_of_a_decoder_of_variance_a_half(clips):
    encoder = make()
    torch.manual_seed(3)
    loss = encoder.total_loss(encoder.losses({"video": clips}))
    frames = clips.flatten(0, 1)
    features = encoder.backbone(frames)
    mean, log_variance = encoder.posterior(features)
    posterior = Normal(mean, (log_variance / 2).exp())
    torch.manual_seed(3)
    decoded = encoder.decode(posterior.rsample())
    target = encoder.target(frames, features)
    log_likelihood = Normal(decoded, 0.5**0.5).log_prob(target).sum((1, 2))
    bound = log_likelihood - kl_divergence(posterior, Normal(0.0, 1.0)).sum(1)
    constant = torch.tensor(torch.pi).log() / 2
    torch.testing.assert_close(loss, -bound.mean() / target[0].numel() - constant)


def test_the_token_is_the_mean_and_draws_nothing(clips):
    encoder = make()
    frames = clips[:, 0]
    mean, log_variance = encoder.posterior(encoder.backbone(frames))
    before = torch.get_rng_state()
    output = encoder.step(frames, None, torch.ones(16, dtype=torch.bool))
    assert torch.equal(torch.get_rng_state(), before)
    torch.testing.assert_close(output.tokens[:, 0], mean)
    assert output.tokens.shape == (16, 1, 4)
    assert output.masks is output.state is None
    assert (log_variance != 0).all()


def test_it_learns_and_beta_trades_the_reconstruction_for_the_prior(clips):
    weak, strong = train(make(0.01), clips), train(make(20.0), clips)
    assert weak["reconstruction"] < 0.5 * strong["reconstruction"]
    assert strong["divergence"] < 0.1 * weak["divergence"]
