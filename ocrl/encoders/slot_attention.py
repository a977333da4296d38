"""Slot Attention: objects in images, by reconstruction."""

from __future__ import annotations

from torch import Tensor, nn

from ocrl.encoder import Batch
from ocrl.encoders.slots import SlotEncoder
from ocrl.modules.backbones import Backbone
from ocrl.modules.decoders import Decoder
from ocrl.modules.initializers import Initializer
from ocrl.modules.slot_attention import SlotAttention
from ocrl.modules.targets import Target


class SlotAttentionAutoencoder(SlotEncoder):
    """Object-centric learning with slot attention (arXiv 2006.15055).

        L = |decoder(slots) - image|^2

    The published system has a CNN with position embeddings, random initialisation, three
    iterations and a spatial broadcast decoder. Every frame of a video is an image of its own.

    Args:
        backbone: frames to features.
        projection: features to the tokens that slot attention reads.
        initializer: slots before the first iteration.
        corrector: slot attention.
        decoder: slots to the target.
        target: (frames, features) to what is reconstructed.
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
        target: Target,
        *,
        iterations: int = 3,
        checkpoint_decoder: bool = False,
    ) -> None:
        super().__init__(
            backbone,
            projection,
            initializer,
            corrector,
            None,
            decoder,
            target,
            first_iterations=iterations,
            iterations=iterations,
            checkpoint_decoder=checkpoint_decoder,
        )
        self.loss_weights = {"reconstruction": 1.0}

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the decoder's loss."""
        features = self.features_of(batch)
        slots = self.group(features)
        target = self.target_of(batch, features)
        return {"reconstruction": self.decoder_loss(slots.slots, slots.attention, target)}
