"""A vision transformer for small machines, known to timm by name, with weights in the package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from timm.models.vision_transformer import VisionTransformer

WEIGHTS = Path(__file__).parents[2] / "weights" / "vit_micro_patch4_32.ocrl.safetensors"
_GREY = (0.5, 0.5, 0.5)

# timm finds the settings of a model's weights in this variable of the module that registers it.
default_cfgs = generate_default_cfgs(
    {
        "vit_micro_patch4_32.ocrl": {
            "file": str(WEIGHTS),
            "input_size": (3, 32, 32),
            "mean": _GREY,
            "std": _GREY,
            "num_classes": 0,
        }
    }
)


@register_model
def vit_micro_patch4_32(pretrained: bool = False, **kwargs: Any) -> VisionTransformer:
    """Build a ViT of 0.8 million weights: 4 blocks, 128 wide, patches of 4 pixels, no class token.

    Its weights come from ``scripts/pretrain_backbone.py``; see ``docs/backbone.md``.
    """
    settings = {
        "img_size": 32,
        "patch_size": 4,
        "embed_dim": 128,
        "depth": 4,
        "num_heads": 4,
        "class_token": False,
        "global_pool": "avg",
        **kwargs,
    }
    model: VisionTransformer = build_model_with_cfg(
        VisionTransformer,
        "vit_micro_patch4_32",
        pretrained,
        # Backbones never run the final norm, and do not keep it.
        pretrained_strict=False,
        **settings,
    )
    return model
