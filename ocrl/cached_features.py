"""Training on the features of a frozen backbone without computing them in every step."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import Dataset

from ocrl.data.clips import Clip, ClipDataset, MixedClips, resize
from ocrl.data.features import VideoFeatures
from ocrl.encoder import Encoder
from ocrl.encoders.slots import SlotEncoder
from ocrl.errors import UsageError
from ocrl.modules.backbones import Backbone


def with_cached_features(clips: Dataset[Clip], encoder: Encoder, folder: Path) -> Dataset[Clip]:
    """Return the same clips with what the frozen backbone of an encoder makes of them.

    Args:
        clips: to train on, not mirrored.
        encoder: a slot encoder with a frozen backbone; what it is given when it is trained on these
            clips equals what it would compute, but for rounding to float16.
        folder: where features are kept: two bytes for each of N x F numbers of a frame.

    Raises:
        UsageError: the backbone is trained, or the clips are of another kind.
    """
    if not isinstance(encoder, SlotEncoder) or not encoder.backbone.frozen:
        raise UsageError(
            "features of a backbone that is trained change: take pretraining.feature_cache=null"
        )
    if isinstance(clips, MixedClips):
        parts = [with_cached_features(part, encoder, folder) for part in clips.datasets]
        return MixedClips([part for part in parts if isinstance(part, ClipDataset)])
    if not isinstance(clips, ClipDataset):
        raise UsageError("features are kept for clips of videos: take a ClipDataset or MixedClips")
    slot_encoder, device = encoder, encoder.backbone.mean.device

    @torch.inference_mode()
    def compute(frames: Tensor) -> dict[str, Tensor]:
        videos = resize(frames, slot_encoder.image_size)[None].to(device)
        return {name: value[0] for name, value in slot_encoder.loss_inputs(videos).items()}

    network = f"{type(encoder).__name__} {fingerprint(encoder.backbone)}"
    return clips.with_entries(VideoFeatures(folder, clips.videos, compute, network).read)


def fingerprint(backbone: Backbone) -> str:
    """Return a hash of everything that a frozen backbone's features depend on."""
    digest = hashlib.sha256(f"{type(backbone).__name__} {backbone.image_size}".encode())
    tensors = {**backbone.state_dict(), "mean": backbone.mean, "std": backbone.std}
    for name, tensor in tensors.items():
        digest.update(f"{name} {tuple(tensor.shape)}".encode())
        digest.update(tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
