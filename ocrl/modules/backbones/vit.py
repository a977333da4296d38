"""Vision transformers from timm."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import timm
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor

from ocrl.errors import UsageError, nearest
from ocrl.hub_files import HubFile, fetch_published
from ocrl.modules.backbones.base import Backbone

MICRO = "vit_micro_patch4_32.ocrl"
"""The vision transformer whose weights come with this package."""

WEIGHTS = "model.safetensors"
"""What the file of a model's weights is called on the hub."""

PLAIN = (bool, int, float, str, list, tuple, type(None))
"""Values that a configuration can hold."""


class TimmBackbone(Backbone):
    """Patch tokens of a timm vision transformer's last block, before the final norm.

    Class and register tokens are dropped; position embeddings are resampled to the frame's grid.
    These are the features that DINOSAUR, VideoSAUR and SlotContrast read and reconstruct.

    >>> import torch
    >>> backbone = TimmBackbone("vit_tiny_patch16_224", (64, 64), pretrained=False)
    >>> backbone(torch.zeros(1, 64, 64, 3, dtype=torch.uint8)).shape, backbone.grid_size
    (torch.Size([1, 16, 192]), (4, 4))

    Args:
        name: as timm knows it, e.g. "vit_small_patch14_dinov2"; or "vit_micro_patch4_32.ocrl", a
            small one whose weights come with this package.
        image_size: (height, width) of the frames; divisible by the patch size.
        pretrained: fetch the published weights from the Hugging Face hub, pinned by commit and hash
            (`ocrl.hub_files`); random weights otherwise.
        weights: a file of weights in place of the published ones, such as the one that
            ``scripts/pretrain_backbone.py`` writes.
        frozen: keep the weights as they are.
        model_kwargs: further arguments of timm's model, such as ``patch_size`` or ``embed_dim``.

    Attributes:
        origin: the file of the hub that the weights were read from. None: another.
    """

    def __init__(
        self,
        name: str,
        image_size: tuple[int, int],
        *,
        pretrained: bool = True,
        weights: str | Path | None = None,
        frozen: bool = True,
        model_kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        arguments = dict(model_kwargs or {})
        check_arguments(name, arguments)
        if pretrained and weights is not None:
            if not Path(weights).is_file():
                raise UsageError(
                    f"there are no weights at {weights}: make them with pretrain_backbone, or "
                    f"leave weights out for those of {name}"
                )
            arguments["pretrained_cfg_overlay"] = {"file": str(weights)}
        origin = _fetch(name) if pretrained and weights is None else None
        if origin is not None:
            # without custom_load timm takes it for safetensors, whatever format its own file has
            overlay = {"file": str(origin.path), "custom_load": False}
            arguments["pretrained_cfg_overlay"] = overlay
        model = _create(name, pretrained, arguments)
        colours: Any = model.pretrained_cfg
        super().__init__(image_size, colours["mean"], colours["std"], frozen=frozen)
        height, width = self.image_size
        patch_height, patch_width = model.patch_embed.patch_size
        if height % patch_height or width % patch_width:
            raise UsageError(
                f"{name} has patches of {patch_height}x{patch_width}, which do not divide frames "
                f"of {height}x{width}: choose an image_size that they divide"
            )
        self.origin = origin
        self.grid_size = (height // patch_height, width // patch_width)
        self.feature_dim = model.embed_dim
        # The final norm and the classifier are never run: without them the weights' names and
        # shapes are those of the released checkpoints.
        model.prune_intermediate_layers(len(model.blocks), prune_norm=True, prune_head=True)
        self.model = model.requires_grad_(not frozen)
        self.train(not frozen)

    def extract(self, images: Tensor) -> Tensor:
        """Return the patch tokens of the last block, before the final norm."""
        outputs: Any = self.model.forward_intermediates(
            images, indices=1, norm=False, output_fmt="NLC", intermediates_only=True
        )
        tokens: Tensor = outputs[0]
        return tokens

    def tokens_and_keys(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Map uint8 frames (B, H, W, 3) to tokens and the last block's keys, (B, N, F) each.

        Keys are those of all heads side by side, with bias, as VideoSAUR's objective takes them.
        """
        captured: list[Tensor] = []
        projection = self.model.get_submodule(f"blocks.{len(self.model.blocks) - 1}.attn.qkv")
        hook = projection.register_forward_hook(lambda _, __, output: captured.append(output))
        try:
            tokens = self(frames)
        finally:
            hook.remove()
        (projected,) = captured
        keys = projected.chunk(3, dim=-1)[1]
        return tokens, keys[:, self.model.num_prefix_tokens :]


def check_arguments(name: str, arguments: Mapping[str, Any]) -> None:
    """Raise UsageError unless arguments are those of a vision transformer, and plain.

    timm takes others too, some of which read files: ``checkpoint_path`` would run a pickle.
    """
    known = set(inspect.signature(VisionTransformer.__init__).parameters) - {"self"}
    for key, value in arguments.items():
        if key not in known or not isinstance(value, PLAIN):
            raise UsageError(
                f"{name} takes no {key}={value!r}: {nearest(key, known)}, with a plain value"
            )


def _fetch(name: str) -> HubFile | None:
    """Fetch the published weights of a model; None if they are on this disk already."""
    published = timm.models.get_pretrained_cfg(name, allow_unregistered=True)
    if published is None or published.file:
        return None  # what there is not is said later
    if not published.hf_hub_id:
        raise UsageError(f"no weights of {name} are on the Hugging Face hub: give weights=FILE")
    try:
        return fetch_published(published.hf_hub_id, published.hf_hub_filename or WEIGHTS)
    except UsageError as error:
        raise UsageError(f"{error}; pretrained=false takes random weights") from None


def _create(name: str, pretrained: bool, model_kwargs: dict[str, Any]) -> VisionTransformer:
    architecture = name.split(".")[0]
    if not timm.is_model(architecture):
        close = difflib.get_close_matches(architecture, timm.list_models("vit_*"), n=1)
        hint = f"did you mean {close[0]}?" if close else "see timm.list_models('vit_*')"
        raise UsageError(f"timm knows no backbone {name!r}: {hint}")
    try:
        model = timm.create_model(
            name, pretrained=pretrained, num_classes=0, dynamic_img_size=True, **model_kwargs
        )
    except (TypeError, RuntimeError) as error:
        raise UsageError(
            f"timm cannot build {name} with {model_kwargs} ({error}): choose a vision transformer, "
            "weights that timm has for it, and arguments that it takes"
        ) from error
    if not isinstance(model, VisionTransformer):
        raise UsageError(f"{name} is no plain vision transformer: choose a timm model vit_*")
    return model
