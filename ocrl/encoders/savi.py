"""SAVi: slots that follow objects through a video."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from ocrl.encoder import BOXES, FLOW, EncoderOutput
from ocrl.encoders.slots import Reconstruction, SlotEncoder
from ocrl.errors import UsageError
from ocrl.modules.backbones import Backbone
from ocrl.modules.decoders import Decoder
from ocrl.modules.initializers import BoxInitializer, Initializer
from ocrl.modules.recurrence import SlotState
from ocrl.modules.slot_attention import SlotAttention


class SAVi(SlotEncoder):
    """Conditional object-centric learning from video (arXiv 2111.12594).

        L = sum over t of |decoder(slots_t) - target_t|^2

    The published system has a CNN, one iteration of slot attention without MLP, a post-norm
    predictor and a spatial broadcast decoder. It reconstructs optical flow, drawn in colours, and
    follows the objects whose boxes it is given on the first frame: that is ``flow=True`` and a
    `BoxInitializer`. Without, it reconstructs the video itself, and finds objects on its own.

    To stream a video from given boxes, start with ``state = encoder.condition(boxes)`` and let
    ``is_first`` be False.

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
        target: nn.Module,
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

    def condition(self, boxes: Tensor) -> Tensor:
        """Return the state (B, K, D) in which slots are about to look for the objects in boxes.

        Args:
            boxes: (B, K, 4), each (top, left, bottom, right) in [0, 1] on the first frame; zeros
                for slots without an object.

        Raises:
            UsageError: if the encoder was built without a `BoxInitializer`, or for another number
                of boxes.
        """
        initializer = self.recurrence.initializer
        if not isinstance(initializer, BoxInitializer):
            raise UsageError("this SAVi takes no boxes: build it with a BoxInitializer")
        return initializer.from_boxes(boxes)

    def losses(
        self,
        videos: Tensor,
        features: Tensor | None = None,
        *,
        boxes: Tensor | None = None,
        flow: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Return the squared error, summed over a clip.

        Args:
            videos: uint8 (B, T, H, W, 3).
            features: what ``backbone_features(videos)`` gave, if it is at hand.
            boxes: of the first frame, as `condition` takes them; with a `BoxInitializer` alone.
            flow: uint8 (B, T, H, W, 3), optical flow drawn in colours, to be reconstructed in
                place of the videos.
        """
        features = self.backbone_features(videos) if features is None else features
        slots = self._follow(features, boxes)
        target = self.target(videos if flow is None else flow, features)
        mean_error = self.decoder_loss(slots.slots, slots.attention, target)
        return {"reconstruction": mean_error * target[0].numel()}

    def encode_video(
        self, videos: Tensor, *, boxes: Tensor | None = None, flow: Tensor | None = None
    ) -> EncoderOutput:
        """Encode videos from their first frame on; ``flow`` takes no part in it."""
        return self.output(self._follow(self.backbone_features(videos), boxes))

    def reconstruct(
        self, videos: Tensor, *, boxes: Tensor | None = None, flow: Tensor | None = None
    ) -> Reconstruction:
        """Decode what the slots hold, beside the video or, if it is given, the flow."""
        features = self.backbone_features(videos)
        target = self.target(videos if flow is None else flow, features)
        return self.decode(self._follow(features, boxes), target)

    def segment(
        self, videos: Tensor, *, boxes: Tensor | None = None, flow: Tensor | None = None
    ) -> Tensor:
        """Return the decoder's masks (B, T, K, h, w); ``flow`` takes no part in it.

        Slots without an object are all alike and explain the rest together: from boxes on, the
        first of them has the masks of all.
        """
        features = self.backbone_features(videos)
        slots = self._follow(features, boxes)
        masks = self.decode(slots, self.target(videos, features)).masks
        return masks if boxes is None else merge_alike(slots.slots, masks)

    def segment_step(self, frames: Tensor, state: Tensor | None, is_first: Tensor) -> EncoderOutput:
        """Encode one frame of each of B running videos, with masks as ``segment`` has them."""
        output = super().segment_step(frames, state, is_first)
        if output.masks is None or BOXES not in self.asks_for:
            return output
        return replace(output, masks=merge_alike(output.tokens, output.masks))

    def _follow(self, features: Tensor, boxes: Tensor | None) -> SlotState:
        return self.group(features, None if boxes is None else self.condition(boxes))


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
