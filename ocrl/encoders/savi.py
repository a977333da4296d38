"""SAVi: slots that follow objects through a video."""

from __future__ import annotations

from torch import Tensor, nn

from ocrl.encoders.slots import SlotEncoder
from ocrl.errors import UsageError
from ocrl.modules.backbones import Backbone
from ocrl.modules.decoders import Decoder
from ocrl.modules.initializers import BoxInitializer, Initializer
from ocrl.modules.slot_attention import SlotAttention


class SAVi(SlotEncoder):
    """Conditional object-centric learning from video (arXiv 2111.12594).

        L = sum over t of |decoder(slots_t) - target_t|^2

    The published system has a CNN, one iteration of slot attention without MLP, a post-norm
    predictor and a spatial broadcast decoder. It reconstructs optical flow, drawn in colours, and
    follows the objects whose boxes it is given on the first frame; both may be left out, the flow
    for the video itself, the boxes for learned initial slots.

    To stream a video from given boxes, start with ``state = encoder.condition(boxes)`` and let
    ``is_first`` be False.

    Args:
        backbone: frames to features.
        projection: features to the tokens that slot attention reads.
        initializer: slots before a first frame, where no boxes are given.
        corrector: slot attention.
        predictor: slots to where the next frame's slots start.
        decoder: slots to the target.
        target: (frames, features) to what is reconstructed.
        boxes: boxes of a first frame to slots. None: boxes are never given.
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
        boxes: BoxInitializer | None = None,
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
        self.boxes = boxes
        self.loss_weights = {"reconstruction": 1.0}

    def condition(self, boxes: Tensor) -> Tensor:
        """Return the state (B, K, D) in which slots are about to look for the objects in boxes.

        Args:
            boxes: (B, K, 4), each (top, left, bottom, right) in [0, 1] on the first frame; zeros
                for slots without an object.

        Raises:
            UsageError: if the encoder was built without boxes, or for another number of them.
        """
        if self.boxes is None:
            raise UsageError("this SAVi takes no boxes: build it with a BoxInitializer as boxes")
        if boxes.shape[1:] != (self.num_tokens, 4):
            raise UsageError(
                f"boxes are {tuple(boxes.shape)}, expected (B, {self.num_tokens}, 4): one for "
                "each slot, zeros where there is no object"
            )
        slots: Tensor = self.boxes(boxes)
        return slots

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
            boxes: of the first frame, as `condition` takes them. None: learned initial slots.
            flow: uint8 (B, T, H, W, 3), optical flow drawn in colours, to be reconstructed in
                place of the videos.
        """
        features = self.backbone_features(videos) if features is None else features
        initial = None if boxes is None else self.condition(boxes)
        slots = self.recurrence(self.projection(features), initial)
        target = self.target(videos if flow is None else flow, features)
        mean_error = self.decoder_loss(slots.slots, slots.attention, target)
        return {"reconstruction": mean_error * target[0].numel()}
