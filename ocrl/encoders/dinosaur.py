"""DINOSAUR: objects in real images, by reconstruction of self-supervised features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from torch import nn

from ocrl.encoders.slot_attention import SlotAttentionAutoencoder
from ocrl.errors import UsageError
from ocrl.modules.backbones import MICRO, Backbone, TimmBackbone
from ocrl.modules.decoders import AutoregressiveDecoder, Decoder, MLPDecoder
from ocrl.modules.initializers import Initializer, RandomInitializer
from ocrl.modules.mlp import MLP
from ocrl.modules.slot_attention import GRUHidden, SlotAttention
from ocrl.modules.targets import FeatureTarget
from ocrl.zoo import register_encoder


class Dinosaur(SlotAttentionAutoencoder):
    """Bridging the gap to real-world object-centric learning (arXiv 2209.14860).

        L = |decoder(slots) - h|^2,  h the features of a frozen, self-supervised ViT

    Slot Attention with the target exchanged: features name what a patch belongs to, pixels do not.
    The decoder is an MLP for every patch and slot, or an autoregressive transformer.

    Args:
        backbone: frames to features.
        projection: features to the tokens that slot attention reads.
        initializer: slots before the first iteration.
        corrector: slot attention.
        decoder: slots to features.
        iterations: of slot attention.
        checkpoint_decoder: recompute the decoder's activations in the backward pass.
    """

    def __init__(
        self,
        backbone: Backbone,
        projection: nn.Module,
        initializer: Initializer,
        corrector: SlotAttention,
        decoder: Decoder,
        *,
        iterations: int = 3,
        checkpoint_decoder: bool = False,
    ) -> None:
        super().__init__(
            backbone,
            projection,
            initializer,
            corrector,
            decoder,
            FeatureTarget(),
            iterations=iterations,
            checkpoint_decoder=checkpoint_decoder,
        )


@register_encoder
def dinosaur(
    *,
    backbone: str = MICRO,
    image_size: tuple[int, int] = (64, 64),
    pretrained: bool = True,
    weights: str | None = None,
    backbone_options: Mapping[str, Any] | None = None,
    num_slots: int = 7,
    slot_dim: int = 64,
    projection_factor: int = 2,
    gru_hidden: GRUHidden = "normalised",
    decoder: Literal["mlp", "autoregressive"] = "mlp",
    decoder_dims: Sequence[int] = (2048, 2048, 2048),
    decoder_blocks: int = 4,
    decoder_heads: int = 8,
) -> Dinosaur:
    """Make a DINOSAUR on a frozen ViT.

    Args:
        backbone: see `TimmBackbone`, as for the four that follow.
        image_size: (height, width) of the frames, divisible by the backbone's patches.
        pretrained: whether the backbone's published weights are taken.
        weights: a file of weights in place of those.
        backbone_options: further arguments of timm's model.
        num_slots: K.
        slot_dim: D.
        projection_factor: width of the projection's hidden layer over that of the features; 1 in
            OCLF's code.
        gru_hidden: "normalised", or "raw" as in OCLF's code; see `SlotAttention`.
        decoder: an MLP for every patch and slot, or a transformer over the patches.
        decoder_dims: widths of the MLP's hidden layers.
        decoder_blocks: depth of the transformer.
        decoder_heads: its heads.
    """
    vit = TimmBackbone(
        backbone, image_size, pretrained=pretrained, weights=weights, model_kwargs=backbone_options
    )
    if decoder not in ("mlp", "autoregressive"):
        raise UsageError(f"decoder is {decoder!r}: choose 'mlp' or 'autoregressive'")
    return Dinosaur(
        vit,
        MLP(vit.feature_dim, [projection_factor * vit.feature_dim], slot_dim, layer_norm=True),
        RandomInitializer(num_slots, slot_dim),
        SlotAttention(slot_dim, slot_dim, gru_hidden=gru_hidden),
        MLPDecoder(slot_dim, vit.feature_dim, decoder_dims, vit.grid_size)
        if decoder == "mlp"
        else AutoregressiveDecoder(
            slot_dim,
            vit.feature_dim,
            vit.grid_size,
            num_blocks=decoder_blocks,
            num_heads=decoder_heads,
        ),
    )
