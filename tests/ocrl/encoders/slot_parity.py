"""Systems over SlotContrast's parts, as small as they were recorded, and how they are compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import official_names as official
import pytest
import torch
from torch import Tensor

from ocrl.encoder import Batch, TrainableEncoder
from ocrl.modules.backbones import TimmBackbone
from ocrl.modules.decoders import MLPDecoder
from ocrl.modules.initializers import Initializer
from ocrl.modules.mlp import MLP
from ocrl.modules.slot_attention import SlotAttention
from ocrl.modules.targets import FeatureTarget
from ocrl.modules.transformer import Transformer


def parts(initializer: Initializer, **vit: Any) -> tuple[Any, ...]:
    """Return the parts of a system: slots of 16, a ViT of 32 channels, 5 x 5 patches."""
    return (
        TimmBackbone(
            "vit_small_patch14_dinov2",
            (70, 70),
            pretrained=False,
            model_kwargs={"embed_dim": 32, "num_heads": 2, **vit},
        ),
        MLP(32, [64], 16, layer_norm=True),
        initializer,
        SlotAttention(16, 16),
        Transformer(16),
        MLPDecoder(16, 32, [64, 64, 64], (5, 5)),
        FeatureTarget(),
    )


def close(actual: Tensor, expected: Tensor, tolerance: float = 1e-5) -> None:
    torch.testing.assert_close(actual, expected, atol=tolerance, rtol=0)


def same_terms(
    losses: Mapping[str, Tensor],
    expected: Mapping[str, float],
    names: Mapping[str, str],
    tolerance: float = 1e-6,
) -> None:
    """Compare losses with those of the public code, which leaves out terms that are not due."""
    assert losses.keys() == names.keys()
    for ours, theirs in names.items():
        assert losses[ours].item() == pytest.approx(expected.get(theirs, 0.0), rel=tolerance), ours


def same_gradients(encoder: TrainableEncoder, expected: dict[str, Tensor]) -> None:
    actual, gradients = official.gradients(encoder), official.renamed(expected)
    assert actual.keys() == gradients.keys()
    for key, gradient in gradients.items():
        close(actual[key], gradient, 1e-5 * max(1.0, gradient.abs().max().item()))


def adam_steps(
    encoder: TrainableEncoder,
    batch: Batch,
    learning_rates: Sequence[float],
    norms: Sequence[float],
    tolerance: float = 1e-5,
) -> Iterator[dict[str, Tensor]]:
    """Train, and yield each step's losses before the weights move by them.

    Args:
        encoder: to be trained.
        batch: the same in every step.
        learning_rates: one for each step.
        norms: of the gradients, as recorded.
        tolerance: for those, relative.
    """
    parameters = [p for p in encoder.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(parameters)
    for learning_rate, norm in zip(learning_rates, norms, strict=True):
        optimizer.param_groups[0]["lr"] = learning_rate
        losses = encoder.losses(batch)
        yield losses
        optimizer.zero_grad()
        encoder.total_loss(losses).backward()
        actual = torch.nn.utils.clip_grad_norm_(parameters, 0.05)
        optimizer.step()
        assert actual.item() == pytest.approx(norm, rel=tolerance)


def same_weights(
    encoder: TrainableEncoder, expected: dict[str, Tensor], *, rounding: bool = False
) -> None:
    """Compare trained weights with those of the public code.

    Args:
        encoder: ours.
        expected: theirs, under their names.
        rounding: the bias of the predictor's keys is left out. It moves no attention: its gradient
            is noise, which Adam makes large.
    """
    trained = dict(encoder.named_parameters())
    for key, value in official.renamed(expected).items():
        difference = trained[key].detach() - value
        if rounding and key.endswith("qkv.bias"):
            difference[16:32] = 0
        close(difference, torch.zeros_like(value), 2e-5)
