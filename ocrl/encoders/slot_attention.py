"""Slot Attention: objects in images, by reconstruction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn

from ocrl.encoder import Batch
from ocrl.encoders.slots import SlotEncoder
from ocrl.errors import UsageError
from ocrl.modules.backbones import Backbone, CNNBackbone, ResNetBackbone
from ocrl.modules.decoders import Decoder, SpatialBroadcastDecoder
from ocrl.modules.initializers import Initializer, RandomInitializer
from ocrl.modules.mlp import MLP
from ocrl.modules.slot_attention import SlotAttention
from ocrl.modules.targets import ColourTarget, Target
from ocrl.zoo import register_encoder


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


@register_encoder
def slot_attention(
    *,
    image_size: tuple[int, int] = (64, 64),
    num_slots: int = 7,
    slot_dim: int = 64,
    backbone: Literal["cnn", "resnet34"] = "cnn",
    cnn_dim: int = 64,
    cnn_strides: Sequence[int] = (2, 2, 1, 1),
    mlp_dim: int | None = None,
    patch_size: int = 1,
    decoder_dims: Sequence[int] = (64, 64, 64, 64),
    decoder_strides: Sequence[int] = (2, 2, 2, 1),
    decoder_bounded: bool = False,
) -> SlotAttentionAutoencoder:
    """Make a Slot Attention on a backbone that is trained with it.

    Args:
        image_size: (height, width) of the frames.
        num_slots: K.
        slot_dim: D.
        backbone: a CNN, or the ResNet-34 of stride 8 that OCLF trains on MOVi and COCO.
        cnn_dim: channels of the CNN's layers.
        cnn_strides: of its 5x5 convolutions. Their product is the side in pixels of what is one
            token to slot attention, which cannot tell apart what lies within.
        mlp_dim: hidden width of slot attention's MLP. None: 4 D; in OCLF's code 2 D.
        patch_size: side in pixels of what is one colour in the reconstruction; 1 as published.
        decoder_dims: see `SpatialBroadcastDecoder`.
        decoder_strides: see `SpatialBroadcastDecoder`.
        decoder_bounded: see `SpatialBroadcastDecoder`, as in OCLF's code.
    """
    if backbone not in ("cnn", "resnet34"):
        raise UsageError(f"backbone is {backbone!r}: choose 'cnn' or 'resnet34'")
    layers = len(cnn_strides)
    network: Backbone = (
        CNNBackbone(
            image_size,
            channels=[cnn_dim] * layers,
            kernel_sizes=[5] * layers,
            strides=cnn_strides,
        )
        if backbone == "cnn"
        else ResNetBackbone(image_size)
    )
    width = network.feature_dim
    target = ColourTarget(network.image_size, patch_size=patch_size)
    return SlotAttentionAutoencoder(
        network,
        MLP(width, [slot_dim], slot_dim, layer_norm=True),
        RandomInitializer(num_slots, slot_dim),
        SlotAttention(slot_dim, slot_dim, gru_hidden="raw", mlp_dim=mlp_dim),
        SpatialBroadcastDecoder(
            slot_dim,
            target.dim,
            channels=decoder_dims,
            strides=decoder_strides,
            grid_size=target.grid_size,
            bounded=decoder_bounded,
        ),
        target,
    )
