"""SAVi: slots that follow objects through a video."""

from __future__ import annotations

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
        """Return the decoder's masks (B, T, K, h, w); ``flow`` takes no part in it."""
        return self.reconstruct(videos, boxes=boxes).masks

    def _follow(self, features: Tensor, boxes: Tensor | None) -> SlotState:
        return self.group(features, None if boxes is None else self.condition(boxes))
