"""Codes against their patches one by one, samples against their probabilities."""

from __future__ import annotations

import pytest
import torch

from ocrl import UsageError
from ocrl.modules.code_decoder import CodeDecoder, CodeEmbedding
from ocrl.modules.discrete_vae import DiscreteVAE, code_grid


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def test_a_code_is_that_of_its_patch_alone():
    dvae, images = DiscreteVAE(16, dim=8, normalise=False), torch.rand(2, 3, 12, 8)
    log_probabilities = dvae(images)
    assert log_probabilities.shape == (2, 16, 3, 2)
    for row in range(3):
        for column in range(2):
            patch = images[:, :, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4]
            alone = dvae(patch)[:, :, 0, 0]
            torch.testing.assert_close(alone, log_probabilities[:, :, row, column])
            assert torch.equal(alone.argmax(1), dvae.codes(images)[:, 2 * row + column])


def test_codes_are_drawn_as_often_as_they_are_likely():
    log_probabilities = torch.tensor([0.5, 0.3, 0.2]).log().view(1, 3, 1, 1)
    relaxed, codes = DiscreteVAE(3, dim=4).sample(
        log_probabilities.expand(1, 3, 200, 200), torch.tensor(0.01)
    )
    shares = torch.bincount(codes.flatten(), minlength=3) / codes.numel()
    torch.testing.assert_close(shares, torch.tensor([0.5, 0.3, 0.2]), atol=0.01, rtol=0)
    hard = torch.bincount(relaxed.argmax(1).flatten(), minlength=3) / codes.numel()
    torch.testing.assert_close(hard, torch.tensor([0.5, 0.3, 0.2]), atol=0.01, rtol=0)
    agreement = (relaxed.argmax(1).flatten() == codes.flatten()).float().mean().item()
    assert agreement == pytest.approx(0.5**2 + 0.3**2 + 0.2**2, abs=0.01)  # two draws, not one


def test_the_squared_error_trains_the_encoder_and_codes_do_not():
    dvae = DiscreteVAE(8, dim=4)
    relaxed, codes = dvae.sample(dvae(torch.rand(1, 3, 8, 8)), torch.tensor(1.0))
    assert not codes.is_floating_point()
    dvae.decode(relaxed).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in dvae.parameters())


def test_a_code_is_told_from_those_before_it_and_no_other():
    embedding, decoder = CodeEmbedding(7, 6, 8), CodeDecoder(7, 5, 8, num_blocks=2, num_heads=2)
    slots, codes = torch.randn(2, 3, 5), torch.randint(0, 7, (2, 6))
    logits = decoder(embedding(codes)[:, :-1], slots)
    for place in range(6):
        changed = codes.clone()
        changed[:, place] = (codes[:, place] + 1) % 7
        other = decoder(embedding(changed)[:, :-1], slots)
        assert torch.equal(other[:, : place + 1], logits[:, : place + 1])
        if place < 5:
            assert not torch.allclose(other[:, place + 1 :], logits[:, place + 1 :])
    assert not torch.allclose(decoder(embedding(codes)[:, :-1], slots + 1), logits)


def test_told_codes_are_each_the_likeliest_after_those_before():
    embedding, decoder = CodeEmbedding(7, 6, 8), CodeDecoder(7, 5, 8, num_blocks=2, num_heads=2)
    slots = torch.randn(2, 3, 5)
    told = decoder.generate(embedding, slots, 6)
    assert torch.equal(decoder(embedding(told)[:, :-1], slots).argmax(-1), told)


@pytest.mark.parametrize("make", [lambda: DiscreteVAE(1), lambda: code_grid((30, 32))])
def test_what_does_not_fit_is_refused_in_one_line(make):
    with pytest.raises(UsageError, match="choose") as caught:
        make()
    assert "\n" not in str(caught.value)
