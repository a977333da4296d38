"""SlotCurri: few slots at first, more where the reconstruction error stays high."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ocrl.encoder import Batch, Reconstruction
from ocrl.encoders.slots import SlotEncoder
from ocrl.modules.backbones import MICRO, Backbone, TimmBackbone
from ocrl.modules.curriculum import GrowingInitializer
from ocrl.modules.decoders import Decoder, MLPDecoder
from ocrl.modules.mlp import MLP
from ocrl.modules.recurrence import SlotState
from ocrl.modules.slot_attention import SlotAttention
from ocrl.modules.targets import FeatureTarget, Target
from ocrl.modules.transformer import Transformer
from ocrl.objectives import slot_slot_contrast, structural_dissimilarity
from ocrl.zoo import register_encoder


class SlotCurri(SlotEncoder):
    """Reconstruction-guided slot curriculum over SlotContrast's parts (arXiv 2603.22758).

        L = L_rec + w_s L_structure + w_c L_contrast

    It trains with few slots and adds others beside those whose reconstruction is worst, lest things
    are split for want of anything else to do. Whole videos are segmented forward and back: their
    first frames profit from the last. A running video, which `step` sees, has no way back.

    Args:
        backbone: frames to features.
        projection: features to the tokens that slot attention reads.
        initializer: slots before a first frame, and how many take part in training.
        corrector: slot attention.
        predictor: slots to where the next frame's slots start.
        decoder: slots to the target.
        target: (frames, features) to what is reconstructed.
        structure_weight: w_s.
        contrast_weight: w_c.
        temperature: of the contrast.
    """

    def __init__(
        self,
        backbone: Backbone,
        projection: nn.Module,
        initializer: GrowingInitializer,
        corrector: SlotAttention,
        predictor: nn.Module,
        decoder: Decoder,
        target: Target,
        *,
        structure_weight: float = 0.05,
        contrast_weight: float = 0.5,
        temperature: float = 0.1,
    ) -> None:
        super().__init__(backbone, projection, initializer, corrector, predictor, decoder, target)
        self.temperature = temperature
        self.loss_weights = {
            "reconstruction": 1.0,
            "structure": structure_weight,
            "slot_contrast": contrast_weight,
        }

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the terms of the objective, unweighted; in training, count a step.

        Args:
            batch: clips of 2 frames or more.

        Raises:
            UsageError: for clips of one frame.
        """
        features = self.features_of(batch)
        initializer = self.recurrence.initializer
        assert isinstance(initializer, GrowingInitializer)
        num_slots = initializer.grow() if self.training else None
        slots: SlotState = self.recurrence(self.projection(features), num_slots=num_slots)
        decoded = self.decode(slots, self.target_of(batch, features))
        errors = (decoded.reconstruction - decoded.target).square().mean(dim=-1)
        if self.training:
            assert decoded.masks is not None
            shares = decoded.masks.flatten(-2) * errors.unsqueeze(2)
            initializer.advance(shares.mean(dim=(0, 1, 3)))
        return {
            "reconstruction": errors.mean(),
            "structure": structural_dissimilarity(
                decoded.reconstruction, decoded.target, self.decoder.grid_size
            ),
            "slot_contrast": slot_slot_contrast(slots.slots, self.temperature),
        }

    def reconstruct(self, batch: Batch) -> Reconstruction:
        """Decode the slots of whole videos, found forward and back."""
        features = self.features_of(batch)
        return self.decode(self.group_forward_and_back(features), self.target_of(batch, features))

    def group_forward_and_back(self, features: Tensor) -> SlotState:
        """Group features (B, T, N, F) forward, and from the last frame, which stays so, back."""
        forward = self.group(features)
        if features.shape[1] == 1:
            return forward
        back = self.group(features[:, :-1].flip(1), forward.predicted[:, -1])
        pairs = zip(back, forward, strict=True)
        return SlotState(*(torch.cat([b.flip(1), f[:, -1:]], dim=1) for b, f in pairs))


@register_encoder
def slotcurri(
    *,
    backbone: str = MICRO,
    image_size: tuple[int, int] = (64, 64),
    pretrained: bool = True,
    weights: str | None = None,
    backbone_options: Mapping[str, Any] | None = None,
    num_slots: int = 7,
    slot_dim: int = 64,
    decoder_dims: Sequence[int] = (1024, 1024, 1024),
    training_steps: int = 2000,
) -> SlotCurri:
    """Make a SlotCurri as published: features of a frozen ViT, MLP decoder.

    Args:
        backbone: see `TimmBackbone`, as for the four that follow.
        image_size: (height, width) of the frames, divisible by the backbone's patches.
        pretrained: whether the backbone's published weights are taken.
        weights: a file of weights in place of those.
        backbone_options: further arguments of timm's model.
        num_slots: K, at least 4.
        slot_dim: D.
        decoder_dims: widths of the decoder's hidden layers.
        training_steps: of the whole run, at least 10: slots are added after a tenth and a quarter.
    """
    vit = TimmBackbone(
        backbone, image_size, pretrained=pretrained, weights=weights, model_kwargs=backbone_options
    )
    return SlotCurri(
        vit,
        MLP(vit.feature_dim, [2 * vit.feature_dim], slot_dim, layer_norm=True),
        GrowingInitializer(num_slots, slot_dim, training_steps),
        SlotAttention(slot_dim, slot_dim),
        # as in the public code; "inverse_sqrt_dim" is the textbook's
        Transformer(slot_dim, logit_scale="sqrt_dim"),
        MLPDecoder(slot_dim, vit.feature_dim, decoder_dims, vit.grid_size),
        FeatureTarget(),
    )
