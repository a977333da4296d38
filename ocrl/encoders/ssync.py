"""SSync: encoder and decoder teach each other, each where it sees better."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ocrl.encoder import Batch
from ocrl.encoders.slots import SlotEncoder
from ocrl.errors import UsageError
from ocrl.modules.backbones import MICRO, Backbone, TimmBackbone
from ocrl.modules.decoders import Decoder, MLPDecoder
from ocrl.modules.initializers import Initializer, LearnedInitializer
from ocrl.modules.mlp import MLP
from ocrl.modules.pseudo_labels import boundary_and_interior, rename, same_thing
from ocrl.modules.recurrence import SlotState
from ocrl.modules.slot_attention import SlotAttention
from ocrl.modules.targets import FeatureTarget, Target
from ocrl.modules.transformer import Transformer
from ocrl.objectives import label_error, slot_slot_contrast
from ocrl.zoo import register_encoder


class SSync(SlotEncoder):
    """Selective synergistic learning over SlotContrast's parts (arXiv 2606.15527).

        attention -> labels -> boundary cells --teach--> decoder's masks
        decoder's masks -> labels -> interior cells --teach--> attention

        L = L_rec + w_c L_contrast + w_b L_boundary + w_i L_interior

    Attention is sharp where things end and noisy inside them, the decoder's masks are blurred where
    things end and calm inside. Labels of slots that lie on one thing are merged before, lest the
    two confirm each other in splitting it. Labels are taught once there is something in them.

    Args:
        backbone: frames to features.
        projection: features to the tokens that slot attention reads.
        initializer: slots before a first frame.
        corrector: slot attention.
        predictor: slots to where the next frame's slots start.
        decoder: slots to the target, on the backbone's grid.
        target: (frames, features) to what is reconstructed.
        merge_threshold: overlap above which two slots lie on one thing, see `same_thing`.
        label_free_steps: steps of training before labels are taught.
        contrast_weight: w_c.
        boundary_weight: w_b.
        interior_weight: w_i.
        temperature: of the contrast.
    """

    trained_steps: Tensor

    def __init__(
        self,
        backbone: Backbone,
        projection: nn.Module,
        initializer: Initializer,
        corrector: SlotAttention,
        predictor: nn.Module,
        decoder: Decoder,
        target: Target,
        *,
        merge_threshold: float,
        label_free_steps: int,
        contrast_weight: float = 0.5,
        boundary_weight: float = 1.0,
        interior_weight: float = 1.0,
        temperature: float = 0.1,
    ) -> None:
        super().__init__(backbone, projection, initializer, corrector, predictor, decoder, target)
        if decoder.grid_size != backbone.grid_size:
            raise UsageError(
                f"the decoder's masks have {decoder.grid_size} cells, the backbone's features "
                f"{backbone.grid_size}: they teach each other cell by cell, so give both one grid"
            )
        if not 0 < merge_threshold <= 1:
            raise UsageError(
                f"merge_threshold is {merge_threshold}: an overlap is above 0 and at most 1"
            )
        self.merge_threshold = merge_threshold
        self.label_free_steps = label_free_steps
        self.temperature = temperature
        self.loss_weights = {
            "reconstruction": 1.0,
            "slot_contrast": contrast_weight,
            "boundary": boundary_weight,
            "interior": interior_weight,
        }
        # kept with the weights: a resumed run goes on where it was; on the CPU even where tensors
        # have no values, for Python decides by it
        self.register_buffer("trained_steps", torch.zeros((), dtype=torch.long, device="cpu"))

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the terms of the objective, unweighted; in training, count a step.

        Args:
            batch: clips of 2 frames or more.

        Raises:
            UsageError: for clips of one frame.
        """
        features = self.features_of(batch)
        slots = self.group(features)
        decoded = self.decode(slots, self.target_of(batch, features))
        assert decoded.masks is not None
        errors = (decoded.reconstruction - decoded.target).square()
        boundary = interior = errors.new_zeros(())
        if int(self.trained_steps) >= self.label_free_steps:
            boundary, interior = self.synergy(slots, decoded.masks)
        if self.training:
            self.trained_steps += 1
        return {
            "reconstruction": errors.mean(),
            "slot_contrast": slot_slot_contrast(slots.slots, self.temperature),
            "boundary": boundary,
            "interior": interior,
        }

    def synergy(self, slots: SlotState, masks: Tensor) -> tuple[Tensor, Tensor]:
        """Return what the masks are to learn at boundaries, and attention inside.

        Labels are the likeliest slots, without gradient.

        Args:
            slots: of videos.
            masks: the decoder's, (B, T, K, h, w).

        Returns:
            Two scalars.
        """
        attention = slots.attention.view_as(masks)
        seen, drawn = attention.argmax(dim=2), masks.argmax(dim=2)
        names = same_thing(slots.logits, seen, self.merge_threshold)
        seen, drawn = rename(seen, names), rename(drawn, names)
        boundary, _ = boundary_and_interior(seen)
        _, interior = boundary_and_interior(drawn)
        return label_error(masks, seen, boundary), label_error(attention, drawn, interior)


@register_encoder
def ssync(
    *,
    backbone: str = MICRO,
    image_size: tuple[int, int] = (64, 64),
    pretrained: bool = True,
    weights: str | None = None,
    backbone_options: Mapping[str, Any] | None = None,
    num_slots: int = 7,
    slot_dim: int = 64,
    decoder_dims: Sequence[int] = (1024, 1024, 1024),
    merge_threshold: float = 0.7,
    training_steps: int = 2000,
) -> SSync:
    """Make an SSync as published: features of a frozen ViT, MLP decoder.

    Args:
        backbone: see `TimmBackbone`, as for the four that follow.
        image_size: (height, width) of the frames, divisible by the backbone's patches.
        pretrained: whether the backbone's published weights are taken.
        weights: a file of weights in place of those.
        backbone_options: further arguments of timm's model.
        num_slots: K.
        slot_dim: D.
        decoder_dims: widths of the decoder's hidden layers.
        merge_threshold: see `SSync`.
        training_steps: of the whole run: labels are taught after three tenths of them.
    """
    vit = TimmBackbone(
        backbone, image_size, pretrained=pretrained, weights=weights, model_kwargs=backbone_options
    )
    return SSync(
        vit,
        MLP(vit.feature_dim, [2 * vit.feature_dim], slot_dim, layer_norm=True),
        LearnedInitializer(num_slots, slot_dim),
        SlotAttention(slot_dim, slot_dim),
        # as in the public code; "inverse_sqrt_dim" is the textbook's
        Transformer(slot_dim, logit_scale="sqrt_dim"),
        MLPDecoder(slot_dim, vit.feature_dim, decoder_dims, vit.grid_size),
        FeatureTarget(),
        merge_threshold=merge_threshold,
        label_free_steps=math.ceil(0.3 * training_steps),
    )
