"""Which checkpoints were published, where, and how their encoders are built.

Architectures are those of the official configurations; ``configs/experiment`` has the same, with
what they were trained on.
"""

from __future__ import annotations

from typing import Any, NamedTuple

Config = dict[str, Any]


class Release(NamedTuple):
    """A published checkpoint.

    Attributes:
        repository: on the Hugging Face hub.
        filename: in the repository.
        config: what builds the encoder.
    """

    repository: str
    filename: str
    config: Config


def _frozen_vit(name: str, image_size: int) -> Config:
    return {
        "_target_": "ocrl.modules.backbones.vit.TimmBackbone",
        "name": name,
        "image_size": [image_size, image_size],
        "pretrained": True,
    }


def _parts(feature_dim: int, num_slots: int, slot_dim: int, initializer: str, mlp: bool) -> Config:
    """Return what all three systems share: projection, initialiser, slot attention."""
    return {
        "projection": {
            "_target_": "ocrl.modules.mlp.MLP",
            "in_dim": feature_dim,
            "hidden_dims": [2 * feature_dim],
            "out_dim": slot_dim,
            "layer_norm": True,
        },
        "initializer": {
            "_target_": f"ocrl.modules.initializers.{initializer}",
            "num_slots": num_slots,
            "slot_dim": slot_dim,
        },
        "corrector": {
            "_target_": "ocrl.modules.slot_attention.SlotAttention",
            "feature_dim": slot_dim,
            "slot_dim": slot_dim,
            "gru_hidden": "normalised",
            "mlp": mlp,
        },
    }


def _predictor(slot_dim: int) -> Config:
    return {
        "_target_": "ocrl.modules.transformer.Transformer",
        "dim": slot_dim,
        "logit_scale": "sqrt_dim",
    }


def _mlp_decoder(slot_dim: int, feature_dim: int, hidden_dim: int, side: int) -> Config:
    return {
        "_target_": "ocrl.modules.decoders.mlp.MLPDecoder",
        "slot_dim": slot_dim,
        "target_dim": feature_dim,
        "hidden_dims": [hidden_dim] * 3,
        "grid_size": [side, side],
    }


def slotcontrast(
    backbone: str, image_size: int, feature_dim: int, num_slots: int, slot_dim: int
) -> Config:
    """Return the configuration of a published SlotContrast."""
    return {
        "_target_": "ocrl.encoders.slotcontrast.SlotContrast",
        "contrast_weight": 0.5,
        "temperature": 0.1,
        "backbone": _frozen_vit(backbone, image_size),
        **_parts(feature_dim, num_slots, slot_dim, "LearnedInitializer", mlp=True),
        "predictor": _predictor(slot_dim),
        "decoder": _mlp_decoder(slot_dim, feature_dim, 1024, image_size // 14),
        "target": {"_target_": "ocrl.modules.targets.FeatureTarget"},
    }


def videosaur(
    backbone: str,
    image_size: int,
    patch_size: int,
    num_slots: int,
    slot_dim: int,
    *,
    temperature: float,
    reconstruct: bool,
) -> Config:
    """Return the configuration of a published VideoSAUR, on a ViT-B."""
    side = image_size // patch_size
    return {
        "_target_": "ocrl.encoders.videosaur.VideoSAUR",
        "similarity_weight": 0.1,
        "reconstruction_weight": 1.0 if reconstruct else 0.0,
        "temperature": temperature,
        "backbone": _frozen_vit(backbone, image_size),
        **_parts(768, num_slots, slot_dim, "RandomInitializer", mlp=False),
        "predictor": _predictor(slot_dim),
        "decoder": {
            "_target_": "ocrl.modules.decoders.mixer.SlotMixerDecoder",
            "slot_dim": slot_dim,
            "target_dim": side**2 + (768 if reconstruct else 0),
            "hidden_dims": [1024] * (3 if reconstruct else 4),
            "grid_size": [side, side],
            "num_blocks": 3 if reconstruct else 2,
            "logit_scale": "sqrt_dim",
        },
    }


def dinosaur(backbone: str, image_size: int, num_slots: int, slot_dim: int) -> Config:
    """Return the configuration of the published DINOSAUR, on a ViT-B/14."""
    return {
        "_target_": "ocrl.encoders.dinosaur.Dinosaur",
        "backbone": _frozen_vit(backbone, image_size),
        **_parts(768, num_slots, slot_dim, "RandomInitializer", mlp=True),
        "decoder": _mlp_decoder(slot_dim, 768, 2048, image_size // 14),
    }


DINO_8, DINO_16 = "vit_base_patch8_224.dino", "vit_base_patch16_224.dino"
DINOV2_SMALL, DINOV2 = "vit_small_patch14_dinov2.lvd142m", "vit_base_patch14_dinov2.lvd142m"

RELEASES = {
    "slotcontrast-movi-c": Release(
        "annamanasyan/slotcontrast", "movi_c.ckpt", slotcontrast(DINOV2_SMALL, 336, 384, 11, 64)
    ),
    "slotcontrast-movi-e": Release(
        "annamanasyan/slotcontrast", "movi_e.ckpt", slotcontrast(DINOV2, 336, 768, 15, 128)
    ),
    "slotcontrast-ytvis": Release(
        "annamanasyan/slotcontrast", "ytvis.ckpt", slotcontrast(DINOV2, 518, 768, 7, 64)
    ),
    "videosaur-movi-c": Release(
        "andriizadaianchuk/videosaur-movi-c",
        "videosaur-movi-c.ckpt",
        videosaur(DINO_8, 224, 8, 11, 128, temperature=0.075, reconstruct=False),
    ),
    "videosaur-movi-e": Release(
        "andriizadaianchuk/videosaur-movi-e",
        "videosaur-movi-e.ckpt",
        videosaur(DINO_8, 224, 8, 15, 128, temperature=0.075, reconstruct=False),
    ),
    "videosaur-ytvis": Release(
        "andriizadaianchuk/videosaur-ytvis",
        "videosaur-ytvis.ckpt",
        videosaur(DINO_16, 224, 16, 7, 64, temperature=0.25, reconstruct=True),
    ),
    "videosaur-ytvis-dinov2": Release(
        "andriizadaianchuk/videosaur-ytvis-dinov2-518",
        "videosaur_dinov2.ckpt",
        videosaur(DINOV2, 518, 14, 7, 64, temperature=0.15, reconstruct=True),
    ),
    "dinosaur-coco": Release(
        "andriizadaianchuk/dinosaur_dinov2",
        "coco_dinosaur_base14_dinov2.ckpt",
        dinosaur(DINOV2, 224, 7, 256),
    ),
}
