"""SAVi: slots that follow objects through a video."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor, nn

from ocrl.encoder import BOXES, FLOW, Batch, EncoderOutput
from ocrl.encoders.slots import SlotEncoder
from ocrl.errors import UsageError
from ocrl.modules.backbones import Backbone, CNNBackbone, ResNetBackbone
from ocrl.modules.decoders import Decoder, SpatialBroadcastDecoder
from ocrl.modules.initializers import BoxInitializer, Initializer, LearnedInitializer
from ocrl.modules.mlp import MLP
from ocrl.modules.slot_attention import SlotAttention
from ocrl.modules.targets import ColourTarget, Target
from ocrl.modules.transformer import Transformer
from ocrl.zoo import register_encoder


class SAVi(SlotEncoder):
    """Conditional object-centric learning from video (arXiv 2111.12594).

        L = sum over t of |decoder(slots_t) - target_t|^2

    The published system has a CNN, one iteration of slot attention without MLP, a post-norm
    predictor and a spatial broadcast decoder. It reconstructs optical flow, drawn in colours, and
    follows the objects whose boxes it is given on the first frame: that is ``flow=True`` and a
    `BoxInitializer`. Without, it reconstructs the video itself, and finds objects on its own.

    To stream a video from given boxes, start with ``state = encoder.first_state({"boxes": boxes})``
    and let ``is_first`` be False.

    Args:
        backbone: frames to features.
        projection: features to the tokens that slot attention reads.
        initializer: slots before a first frame; a `BoxInitializer` makes them of boxes.
        corrector: slot attention.
        predictor: slots to where the next frame's slots start.
        decoder: slots to the target.
        target: (frames, features) to what is reconstructed.
        flow: reconstruct optical flow in place of the video.
        iterations: of slot attention on each frame.
        checkpoint_decoder: recompute the decoder's activations in the backward pass.
    """

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
        flow: bool = False,
        iterations: int = 1,
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
            first_iterations=iterations,
            iterations=iterations,
            checkpoint_decoder=checkpoint_decoder,
        )
        boxes = (BOXES,) if isinstance(initializer, BoxInitializer) else ()
        self.asks_for = (*boxes, FLOW) if flow else boxes
        self.loss_weights = {"reconstruction": 1.0}

    def first_state(self, batch: Batch) -> Tensor | None:
        """Return the state (B, K, D) in which slots are about to look for the objects in boxes.

        Args:
            batch: with a `BoxInitializer`, ``boxes`` (B, K, 4), each (top, left, bottom, right) in
                [0, 1] on the first frame; zeros for slots without an object.

        Raises:
            UsageError: if the encoder was built for another number of boxes.
        """
        initializer = self.recurrence.initializer
        if not isinstance(initializer, BoxInitializer) or BOXES not in batch:
            return None
        return initializer.from_boxes(batch[BOXES])

    def target_of(self, batch: Batch, features: Tensor) -> Tensor:
        """Return what is to be reconstructed: the video or, if that is asked for, its flow."""
        target: Tensor = self.target(batch[FLOW if FLOW in self.asks_for else "video"], features)
        return target

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the squared error, summed over a clip."""
        features = self.features_of(batch)
        slots = self.group(features, self.first_state(batch))
        target = self.target_of(batch, features)
        mean_error = self.decoder_loss(slots.slots, slots.attention, target)
        return {"reconstruction": mean_error * target[0].numel()}

    def segment(self, batch: Batch) -> Tensor | None:
        """Return the decoder's masks (B, T, K, h, w); flow takes no part in it.

        Slots without an object are all alike and explain the rest together: from boxes on, the
        first of them has the masks of all.
        """
        features = self.features_of(batch)
        slots = self.group(features, self.first_state(batch))
        masks = self.decode(slots, self.target(batch["video"], features)).masks
        if masks is None or BOXES not in self.asks_for:
            return masks
        return merge_alike(slots.slots, masks)

    def segment_step(self, frames: Tensor, state: Tensor | None, is_first: Tensor) -> EncoderOutput:
        """Encode one frame of each of B running videos, with masks as ``segment`` has them."""
        output = super().segment_step(frames, state, is_first)
        if output.masks is None or BOXES not in self.asks_for:
            return output
        return replace(output, masks=merge_alike(output.tokens, output.masks))


def merge_alike(slots: Tensor, masks: Tensor, tolerance: float = 1e-3) -> Tensor:
    """Give the masks of slots that are alike to the first of them.

    Args:
        slots: (..., K, D).
        masks: (..., K, h, w).
        tolerance: distance in units of the longest slot, below which slots are alike.

    Returns:
        (..., K, h, w), zero for slots that are like an earlier one.

    Example:
        >>> slots = torch.tensor([[1.0, 2.0], [3.0, 4.0], [1.0, 2.0]])
        >>> masks = torch.tensor([0.2, 0.5, 0.3]).view(3, 1, 1)
        >>> merge_alike(slots, masks).flatten().tolist()
        [0.5, 0.5, 0.0]
    """
    longest = slots.norm(dim=-1).amax(-1)[..., None, None]
    alike = torch.cdist(slots, slots) <= tolerance * longest
    # argmax finds the first of equals
    first = alike.int().argmax(-1)[..., None, None].expand_as(masks)
    return torch.zeros_like(masks).scatter_add(-3, first, masks)


@register_encoder
def savi(
    *,
    image_size: tuple[int, int] = (64, 64),
    num_slots: int = 7,
    slot_dim: int = 128,
    boxes: bool = False,
    flow: bool = False,
    backbone: Literal["cnn", "resnet34"] = "cnn",
    cnn_dim: int = 32,
    cnn_strides: Sequence[int] = (2, 2, 1, 1),
    predictor_dim: int | None = None,
    patch_size: int = 1,
    decoder_dims: Sequence[int] = (64, 64, 64, 64),
    decoder_strides: Sequence[int] = (2, 2, 2, 1),
) -> SAVi:
    """Make a SAVi, by default of the small size of its paper.

    Args:
        image_size: (height, width) of the frames.
        num_slots: K.
        slot_dim: D.
        boxes: follow the objects in boxes on the first frame, as published.
        flow: reconstruct optical flow in place of the video, as published.
        backbone: a CNN, or the ResNet-34 of the paper's large size.
        cnn_dim: channels of the CNN's four layers.
        cnn_strides: their strides; all 1 as published, which gives a token for each pixel.
        predictor_dim: width of the predictor's feed-forward layer. None: 4 D; 2 D as published.
        patch_size: side in pixels of what is one colour in the reconstruction; 1 as published.
        decoder_dims: see `SpatialBroadcastDecoder`.
        decoder_strides: see `SpatialBroadcastDecoder`.
    """
    if backbone not in ("cnn", "resnet34"):
        raise UsageError(f"backbone is {backbone!r}: choose 'cnn' or 'resnet34'")
    network: Backbone = (
        CNNBackbone(image_size, channels=[cnn_dim] * 4, kernel_sizes=[5] * 4, strides=cnn_strides)
        if backbone == "cnn"
        else ResNetBackbone(image_size)
    )
    width = network.feature_dim
    target = ColourTarget(network.image_size, patch_size=patch_size)
    return SAVi(
        network,
        MLP(width, [64], width, layer_norm=True),
        (BoxInitializer if boxes else LearnedInitializer)(num_slots, slot_dim),
        SlotAttention(width, slot_dim, gru_hidden="raw", mlp=False),
        Transformer(
            slot_dim,
            logit_scale="inverse_sqrt_dim",
            norm_order="post",
            hidden_dim=predictor_dim,
        ),
        SpatialBroadcastDecoder(
            slot_dim,
            target.dim,
            channels=decoder_dims,
            strides=decoder_strides,
            grid_size=target.grid_size,
        ),
        target,
        flow=flow,
    )
