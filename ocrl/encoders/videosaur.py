"""VideoSAUR: objects in real videos, by predicting where features go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ocrl.encoder import Batch, FrozenFeatures
from ocrl.encoders.slots import SlotEncoder
from ocrl.modules.backbones import MICRO, TimmBackbone
from ocrl.modules.decoders import Decoder, SlotMixerDecoder
from ocrl.modules.initializers import Initializer, RandomInitializer
from ocrl.modules.mlp import MLP
from ocrl.modules.slot_attention import SlotAttention
from ocrl.modules.targets import FeatureTarget
from ocrl.modules.transformer import Transformer
from ocrl.objectives import (
    feature_reconstruction,
    temporal_similarity,
    temporal_similarity_target,
)
from ocrl.zoo import register_encoder


class VideoSAUR(SlotEncoder):
    """Object-centric learning by temporal feature similarities (arXiv 2306.04829).

        L = w L_sim(y_t, P_t) + v |x_t - h_t|^2,  [x_t, y_t] = decoder(slots_t)

    P_t says how much each patch of frame t resembles each patch of frame t + 1 in the keys of a
    frozen ViT: predicting it takes what moves together as well as what looks alike. On MOVi the
    published system uses this term alone (v = 0), on real videos both.

    Args:
        backbone: frames to features; it gives keys too.
        projection: features to the tokens that slot attention reads.
        initializer: slots before a first frame.
        corrector: slot attention.
        predictor: slots to where the next frame's slots start.
        decoder: slots to N similarities per patch, after the F features if v > 0.
        similarity_weight: w.
        reconstruction_weight: v.
        temperature: of the similarities.
        first_iterations: iterations of slot attention on a first frame.
        iterations: iterations on every other frame.
    """

    backbone: TimmBackbone

    def __init__(
        self,
        backbone: TimmBackbone,
        projection: nn.Module,
        initializer: Initializer,
        corrector: SlotAttention,
        predictor: nn.Module,
        decoder: Decoder,
        *,
        similarity_weight: float = 0.1,
        reconstruction_weight: float = 0.0,
        temperature: float = 0.075,
        first_iterations: int = 3,
        iterations: int = 2,
    ) -> None:
        super().__init__(
            backbone,
            projection,
            initializer,
            corrector,
            predictor,
            decoder,
            FeatureTarget(),
            first_iterations=first_iterations,
            iterations=iterations,
        )
        self.temperature = temperature
        self.loss_weights = {"temporal_similarity": similarity_weight}
        if reconstruction_weight:
            self.loss_weights["reconstruction"] = reconstruction_weight

    def features_and_keys(self, videos: Tensor) -> tuple[Tensor, Tensor]:
        """Return features and keys, (B, T, N, F) each, of uint8 videos (B, T, H, W, 3)."""
        self.check_frames(videos)
        features, keys = self.backbone.tokens_and_keys(videos.flatten(0, 1))
        batch = videos.shape[:2]
        return torch.unflatten(features, 0, batch), torch.unflatten(keys, 0, batch)

    def frozen_features(self) -> FrozenFeatures | None:
        """Return the backbone's ``features`` and ``keys``, if it is frozen."""
        if not self.backbone.frozen:
            return None
        names = ("features", "keys")
        return FrozenFeatures(
            self.backbone, lambda x: dict(zip(names, self.features_and_keys(x), strict=True))
        )

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the terms of the objective, unweighted.

        Args:
            batch: clips of 2 frames or more.

        Raises:
            UsageError: for clips of one frame.
        """
        if "features" in batch and "keys" in batch:
            features, keys = batch["features"], batch["keys"]
        else:
            features, keys = self.features_and_keys(batch["video"])
        slots = self.group(features)
        decoded = self.decoder(*(x.flatten(0, 1) for x in (slots.slots, slots.attention, features)))
        outputs = torch.unflatten(decoded.reconstruction, 0, features.shape[:2])
        num_patches = features.shape[2]
        target = temporal_similarity_target(keys, self.temperature)
        losses = {
            "temporal_similarity": temporal_similarity(outputs[:, :-1, :, -num_patches:], target)
        }
        if "reconstruction" in self.loss_weights:
            reconstruction = outputs[..., :-num_patches]
            losses["reconstruction"] = feature_reconstruction(reconstruction, features)
        return losses


@register_encoder
def videosaur(
    *,
    backbone: str = MICRO,
    image_size: tuple[int, int] = (64, 64),
    pretrained: bool = True,
    weights: str | None = None,
    backbone_options: Mapping[str, Any] | None = None,
    num_slots: int = 7,
    slot_dim: int = 64,
    decoder_dims: Sequence[int] = (1024, 1024, 1024),
    decoder_blocks: int = 3,
    similarity_weight: float = 0.1,
    reconstruction_weight: float = 1.0,
    temperature: float = 0.25,
) -> VideoSAUR:
    """Make a VideoSAUR on a frozen ViT, by default with both terms, as on real videos.

    Args:
        backbone: see `TimmBackbone`, as for the four that follow.
        image_size: (height, width) of the frames, divisible by the backbone's patches.
        pretrained: whether the backbone's published weights are taken.
        weights: a file of weights in place of those.
        backbone_options: further arguments of timm's model.
        num_slots: K.
        slot_dim: D.
        decoder_dims: widths of the hidden layers of the decoder's renderer.
        decoder_blocks: depth of its allocator.
        similarity_weight: see `VideoSAUR`.
        reconstruction_weight: see `VideoSAUR`; 0 on MOVi.
        temperature: see `VideoSAUR`; 0.075 on MOVi.
    """
    vit = TimmBackbone(
        backbone, image_size, pretrained=pretrained, weights=weights, model_kwargs=backbone_options
    )
    num_patches = vit.grid_size[0] * vit.grid_size[1]
    return VideoSAUR(
        vit,
        MLP(vit.feature_dim, [2 * vit.feature_dim], slot_dim, layer_norm=True),
        RandomInitializer(num_slots, slot_dim),
        SlotAttention(slot_dim, slot_dim, mlp=False),
        # as in the official code; "inverse_sqrt_dim" is the textbook's
        Transformer(slot_dim, logit_scale="sqrt_dim"),
        SlotMixerDecoder(
            slot_dim,
            num_patches + (vit.feature_dim if reconstruction_weight else 0),
            decoder_dims,
            vit.grid_size,
            num_blocks=decoder_blocks,
            logit_scale="sqrt_dim",
        ),
        similarity_weight=similarity_weight,
        reconstruction_weight=reconstruction_weight,
        temperature=temperature,
    )
