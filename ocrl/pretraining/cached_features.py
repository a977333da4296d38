"""What a frozen network makes of frames, cached: it is not computed in every step."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from ocrl.data.clips import Clip, ClipDataset, MixedClips
from ocrl.data.features import VideoFeatures
from ocrl.encoder import Batch, TrainableEncoder
from ocrl.errors import UsageError


def with_cached_features(
    clips: Dataset[Batch], encoder: TrainableEncoder, folder: Path
) -> Dataset[Clip]:
    """Return the same clips with the frozen features of an encoder.

    Args:
        clips: to train on, not cropped or mirrored at random.
        encoder: with ``frozen_features``; what its ``losses`` find in these clips equals what they
            would compute, but for rounding to float16.
        folder: where features are kept: two bytes for each number of a frame.

    Raises:
        UsageError: all of the encoder is trained, or the clips are of another kind.
    """
    frozen = encoder.frozen_features()
    if frozen is None:
        raise UsageError(
            f"all of {type(encoder).__name__} is trained, and what it makes of frames changes: "
            "take pretraining.feature_cache=null"
        )
    check_clips(clips)
    if isinstance(clips, MixedClips):
        return MixedClips([with_cached_features(part, encoder, folder) for part in clips.datasets])
    assert isinstance(clips, ClipDataset)

    @torch.inference_mode()
    def compute(frames: Tensor) -> dict[str, Tensor]:
        fitted = clips.fit({"video": frames}, encoder.image_size)["video"]
        features = frozen.compute(fitted[None].to(encoder.device))
        return {name: value[0] for name, value in features.items()}

    network = f"{type(encoder).__name__} {encoder.image_size} {fingerprint(frozen.network)}"
    if clips.fitting is not None:
        network = f"{network} {clips.fitting}"
    return clips.with_entries(VideoFeatures(folder, clips.videos, compute, network).read)


def check_clips(clips: Dataset[Batch]) -> None:
    """Raise UsageError, before anything is computed, if features of some clips cannot be kept."""
    if isinstance(clips, MixedClips):
        for part in clips.datasets:
            check_clips(part)
    elif isinstance(clips, ClipDataset):
        clips.check_entries()
    else:
        raise UsageError("features are kept for clips of videos: take a ClipDataset or MixedClips")


def fingerprint(network: nn.Module) -> str:
    """Return a hash of a network: what its layers are, and all of its numbers."""
    digest = hashlib.sha256(repr(network).encode())
    tensors = dict(network.state_dict())
    tensors |= dict(network.named_buffers())  # those too that a state_dict leaves out
    for name, tensor in tensors.items():
        digest.update(f"{name} {tuple(tensor.shape)}".encode())
        digest.update(tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
