"""DINOSAUR: objects in real images, by reconstruction of self-supervised features."""

from __future__ import annotations

from torch import nn

from ocrl.encoders.slot_attention import SlotAttentionAutoencoder
from ocrl.modules.backbones import Backbone
from ocrl.modules.decoders import Decoder
from ocrl.modules.initializers import Initializer
from ocrl.modules.slot_attention import SlotAttention
from ocrl.modules.targets import FeatureTarget


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
