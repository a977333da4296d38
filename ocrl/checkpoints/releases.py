"""Which checkpoints were published, where, and what their encoders are.

Sizes are those of the official configurations; ``configs/experiment`` has the same, with what they
were trained on.
"""

from __future__ import annotations

from typing import Any, NamedTuple

DINO_8, DINO_16 = "vit_base_patch8_224.dino", "vit_base_patch16_224.dino"
DINOV2_SMALL, DINOV2 = "vit_small_patch14_dinov2.lvd142m", "vit_base_patch14_dinov2.lvd142m"


class Release(NamedTuple):
    """A published checkpoint.

    Attributes:
        repository: on the Hugging Face hub.
        filename: in the repository.
        encoder: its name in the zoo.
        arguments: what `ocrl.create_encoder` takes besides.
    """

    repository: str
    filename: str
    encoder: str
    arguments: dict[str, Any]


def _sizes(backbone: str, side: int, num_slots: int, slot_dim: int, **more: Any) -> dict[str, Any]:
    size = (side, side)
    return dict(backbone=backbone, image_size=size, num_slots=num_slots, slot_dim=slot_dim, **more)


MOVI_TERMS: dict[str, Any] = {
    "reconstruction_weight": 0.0,
    "temperature": 0.075,
    "decoder_dims": (1024, 1024, 1024, 1024),
    "decoder_blocks": 2,
}

RELEASES = {
    "slotcontrast-movi-c": Release(
        "annamanasyan/slotcontrast",
        "movi_c.ckpt",
        "slotcontrast_vit",
        _sizes(DINOV2_SMALL, 336, 11, 64),
    ),
    "slotcontrast-movi-e": Release(
        "annamanasyan/slotcontrast",
        "movi_e.ckpt",
        "slotcontrast_vit",
        _sizes(DINOV2, 336, 15, 128),
    ),
    "slotcontrast-ytvis": Release(
        "annamanasyan/slotcontrast",
        "ytvis.ckpt",
        "slotcontrast_vit",
        _sizes(DINOV2, 518, 7, 64),
    ),
    "videosaur-movi-c": Release(
        "andriizadaianchuk/videosaur-movi-c",
        "videosaur-movi-c.ckpt",
        "videosaur",
        _sizes(DINO_8, 224, 11, 128, **MOVI_TERMS),
    ),
    "videosaur-movi-e": Release(
        "andriizadaianchuk/videosaur-movi-e",
        "videosaur-movi-e.ckpt",
        "videosaur",
        _sizes(DINO_8, 224, 15, 128, **MOVI_TERMS),
    ),
    "videosaur-ytvis": Release(
        "andriizadaianchuk/videosaur-ytvis",
        "videosaur-ytvis.ckpt",
        "videosaur",
        _sizes(DINO_16, 224, 7, 64, temperature=0.25),
    ),
    "videosaur-ytvis-dinov2": Release(
        "andriizadaianchuk/videosaur-ytvis-dinov2-518",
        "videosaur_dinov2.ckpt",
        "videosaur",
        _sizes(DINOV2, 518, 7, 64, temperature=0.15),
    ),
    "dinosaur-coco": Release(
        "andriizadaianchuk/dinosaur_dinov2",
        "coco_dinosaur_base14_dinov2.ckpt",
        "dinosaur",
        _sizes(DINOV2, 224, 7, 256),
    ),
}
