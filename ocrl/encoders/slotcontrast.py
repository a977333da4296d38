"""SlotContrast: slots that stay with their object, by contrast over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from ocrl.encoder import Batch
from ocrl.encoders.slots import SlotEncoder
from ocrl.modules.backbones import MICRO, Backbone, TimmBackbone, small_cnn
from ocrl.modules.decoders import Decoder, FlatDecoder, MLPDecoder
from ocrl.modules.initializers import Initializer, LearnedInitializer
from ocrl.modules.mlp import MLP
from ocrl.modules.slot_attention import SlotAttention
from ocrl.modules.targets import FeatureTarget, OpponentColourTarget, Target
from ocrl.modules.transformer import Transformer
from ocrl.objectives import slot_slot_contrast
from ocrl.zoo import register_encoder


class SlotContrast(SlotEncoder):
    """Temporally consistent object-centric learning by contrasting slots (arXiv 2412.14295).

        L = L_rec(decoder(slots_t), target_t) + w L_contrast(slots_t, slots_t+1)

    The published system reads and reconstructs the features of a frozen DINOv2, with learned slot
    initialisation and an MLP decoder. The same class with a small trainable CNN and the flat
    decoder is the default where there are neither pretrained weights nor a GPU.

    Args:
        backbone: frames to features.
        projection: features to the tokens that slot attention reads.
        initializer: slots before a first frame.
        corrector: slot attention.
        predictor: slots to where the next frame's slots start. None: they start from the
            initialiser in every frame, and the contrast alone keeps them with their object.
        decoder: slots to the target.
        target: (frames, features) to what is reconstructed.
        contrast_weight: w.
        temperature: of the contrast.
        first_iterations: iterations of slot attention on a first frame.
        iterations: iterations on every other frame.
        checkpoint_decoder: recompute the decoder's activations in the backward pass.
    """

    def __init__(
        self,
        backbone: Backbone,
        projection: nn.Module,
        initializer: Initializer,
        corrector: SlotAttention,
        predictor: nn.Module | None,
        decoder: Decoder,
        target: Target,
        *,
        contrast_weight: float = 0.5,
        temperature: float = 0.1,
        first_iterations: int = 3,
        iterations: int = 2,
        checkpoint_decoder: bool = False,
    ) -> None:
        super().__init__(
            backbone,
            projection,
            initializer,
            corrector,
            predictor,
            decoder,
            target,
            first_iterations=first_iterations,
            iterations=iterations,
            checkpoint_decoder=checkpoint_decoder,
        )
        self.temperature = temperature
        self.loss_weights = {"reconstruction": 1.0, "slot_contrast": contrast_weight}

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the terms of the objective, unweighted.

        Args:
            batch: clips of 2 frames or more.

        Raises:
            UsageError: for clips of one frame.
        """
        features = self.features_of(batch)
        slots = self.group(features)
        target = self.target_of(batch, features)
        return {
            "reconstruction": self.decoder_loss(slots.slots, slots.attention, target),
            "slot_contrast": slot_slot_contrast(slots.slots, self.temperature),
        }


@register_encoder
def slotcontrast(
    *,
    image_size: tuple[int, int] = (64, 64),
    patch_size: int = 4,
    num_slots: int = 7,
    slot_dim: int = 64,
    recurrent: bool = False,
    sigma: float = 0.2,
    position_spread: float = 0.15,
    luminance_weight: float = 0.5,
    contrast_weight: float = 0.1,
) -> SlotContrast:
    """Make a SlotContrast for small machines: a CNN in place of a pretrained ViT, flat colours.

    Args:
        image_size: (height, width) of the frames, divisible by the patch size.
        patch_size: side in pixels of what slots look at: 4, or 2 for smaller things and 3.4 times
            the processor's time.
        num_slots: K.
        slot_dim: D.
        recurrent: carry slots from frame to frame, as published; otherwise they start afresh in
            each frame, and the contrast alone keeps them with their object.
        sigma: see `FlatDecoder`.
        position_spread: see `OpponentColourTarget`.
        luminance_weight: see `OpponentColourTarget`.
        contrast_weight: see `SlotContrast`.
    """
    backbone = small_cnn(image_size, patch_size)
    target = OpponentColourTarget(
        backbone.image_size,
        patch_size=backbone.patch_size,
        position_spread=position_spread,
        luminance_weight=luminance_weight,
    )
    return SlotContrast(
        backbone,
        MLP(backbone.feature_dim, [2 * backbone.feature_dim], slot_dim, layer_norm=True),
        LearnedInitializer(num_slots, slot_dim),
        SlotAttention(slot_dim, slot_dim),
        Transformer(slot_dim, logit_scale="inverse_sqrt_dim") if recurrent else None,
        FlatDecoder(slot_dim, target.dim, backbone.grid_size, sigma=sigma),
        target,
        contrast_weight=contrast_weight,
        first_iterations=3 if recurrent else 2,
    )


@register_encoder
def slotcontrast_features(
    *,
    backbone: str = MICRO,
    image_size: tuple[int, int] = (64, 64),
    pretrained: bool = True,
    weights: str | None = None,
    backbone_options: Mapping[str, Any] | None = None,
    num_slots: int = 7,
    slot_dim: int = 64,
    sigma: float = 2.0,
    contrast_weight: float = 0.1,
) -> SlotContrast:
    """Make a SlotContrast for textured scenes: flat features of a frozen ViT, not colours.

    Args:
        backbone: see `TimmBackbone`, as for the four that follow.
        image_size: (height, width) of the frames, divisible by the backbone's patches.
        pretrained: whether the backbone's published weights are taken.
        weights: a file of weights in place of those.
        backbone_options: further arguments of timm's model.
        num_slots: K.
        slot_dim: D.
        sigma: see `FlatDecoder`; within a segment features differ by about 4 from their mean.
        contrast_weight: see `SlotContrast`.
    """
    vit = TimmBackbone(
        backbone, image_size, pretrained=pretrained, weights=weights, model_kwargs=backbone_options
    )
    return SlotContrast(
        vit,
        MLP(vit.feature_dim, [2 * vit.feature_dim], slot_dim, layer_norm=True),
        LearnedInitializer(num_slots, slot_dim),
        SlotAttention(slot_dim, slot_dim),
        None,
        FlatDecoder(slot_dim, vit.feature_dim, vit.grid_size, sigma=sigma),
        FeatureTarget(),
        contrast_weight=contrast_weight,
        first_iterations=2,
    )


@register_encoder
def slotcontrast_vit(
    *,
    backbone: str = MICRO,
    image_size: tuple[int, int] = (64, 64),
    pretrained: bool = True,
    weights: str | None = None,
    backbone_options: Mapping[str, Any] | None = None,
    num_slots: int = 7,
    slot_dim: int = 64,
    decoder_dims: Sequence[int] = (1024, 1024, 1024),
    contrast_weight: float = 0.5,
    checkpoint_decoder: bool = False,
) -> SlotContrast:
    """Make a SlotContrast as published: features of a frozen ViT, MLP decoder.

    Args:
        backbone: see `TimmBackbone`, as for the four that follow.
        image_size: (height, width) of the frames, divisible by the backbone's patches.
        pretrained: whether the backbone's published weights are taken.
        weights: a file of weights in place of those.
        backbone_options: further arguments of timm's model.
        num_slots: K.
        slot_dim: D.
        decoder_dims: widths of the decoder's hidden layers.
        contrast_weight: see `SlotContrast`.
        checkpoint_decoder: see `SlotContrast`.
    """
    vit = TimmBackbone(
        backbone, image_size, pretrained=pretrained, weights=weights, model_kwargs=backbone_options
    )
    return SlotContrast(
        vit,
        MLP(vit.feature_dim, [2 * vit.feature_dim], slot_dim, layer_norm=True),
        LearnedInitializer(num_slots, slot_dim),
        SlotAttention(slot_dim, slot_dim),
        # as in the official code; "inverse_sqrt_dim" is the textbook's
        Transformer(slot_dim, logit_scale="sqrt_dim"),
        MLPDecoder(slot_dim, vit.feature_dim, decoder_dims, vit.grid_size),
        FeatureTarget(),
        contrast_weight=contrast_weight,
        checkpoint_decoder=checkpoint_decoder,
    )
