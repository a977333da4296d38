"""What all slot encoders share: from frames to slots over time, and back."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ocrl.encoder import (
    Batch,
    EncoderOutput,
    FrozenFeatures,
    Reconstruction,
    TrainableEncoder,
)
from ocrl.errors import UsageError
from ocrl.modules.backbones import Backbone
from ocrl.modules.decoders import Decoder
from ocrl.modules.initializers import Initializer
from ocrl.modules.recurrence import SlotRecurrence, SlotState
from ocrl.modules.slot_attention import SlotAttention
from ocrl.modules.targets import Target


class SlotEncoder(TrainableEncoder):
    """Frames to slots, frame by frame.

        frame -> backbone -> projection -> corrector <- predictor <- last frame's slots
                                               |
                                             slots -> decoder -> target

    The tokens are the corrected slots, the masks their attention, and the state what the predictor
    makes of them for the next frame.

    Args:
        backbone: frames to features.
        projection: features to the tokens that slot attention reads.
        initializer: slots before a first frame.
        corrector: slot attention.
        predictor: slots to where the next frame's slots start. None: frames are images of their
            own, and each starts from the initialiser.
        decoder: slots to the target.
        target: (frames, features) to what is reconstructed.
        first_iterations: iterations of slot attention on a first frame.
        iterations: iterations on every other frame.
        checkpoint_decoder: recompute the decoder's activations in the backward pass: a third more
            time in the decoder, a fraction of the memory.
    """

    def __init__(
        self,
        backbone: Backbone,
        projection: nn.Module,
        initializer: Initializer,
        corrector: SlotAttention,
        predictor: nn.Module | None,
        decoder: Decoder,
        target: Target,
        *,
        first_iterations: int = 3,
        iterations: int = 2,
        checkpoint_decoder: bool = False,
    ) -> None:
        super().__init__()
        if initializer.slot_dim != corrector.slot_dim:
            raise UsageError(
                f"the initialiser's slots are {initializer.slot_dim} wide, slot attention's "
                f"{corrector.slot_dim}: give both the same slot_dim"
            )
        self.image_size = backbone.image_size
        self.num_tokens = initializer.num_slots
        self.token_dim = initializer.slot_dim
        self.backbone = backbone
        self.projection = projection
        self.recurrence = SlotRecurrence(
            initializer,
            corrector,
            predictor,
            first_iterations=first_iterations,
            iterations=iterations,
        )
        self.decoder = decoder
        self.target = target
        self.checkpoint_decoder = checkpoint_decoder
        self.has_decoder_masks = decoder.has_masks

    def initial_state(self, batch_size: int) -> Tensor:
        """Return the initialiser's slots, (B, K, D)."""
        slots: Tensor = self.recurrence.initializer(batch_size)
        return slots

    def step(self, frames: Tensor, state: Tensor | None, is_first: Tensor) -> EncoderOutput:
        """Encode one frame of each of B running videos, see `ocrl.Encoder.step`."""
        self.check_frames(frames)
        state = self.initial_state(len(frames)) if state is None else state
        slots = self.recurrence.step(self.projection(self.backbone(frames)), state, is_first)
        return EncoderOutput(slots.slots, self._to_grid(slots.attention), slots.predicted)

    def encode_video(self, videos: Tensor, state: Tensor | None = None) -> EncoderOutput:
        """Encode videos, all frames at once in the backbone, see `ocrl.Encoder.encode_video`."""
        slots = self.group(self.backbone_features(videos), state)
        return EncoderOutput(slots.slots, self._to_grid(slots.attention), slots.predicted[:, -1])

    def backbone_features(self, videos: Tensor) -> Tensor:
        """Return the features (B, T, N, F) of uint8 videos (B, T, H, W, 3)."""
        self.check_frames(videos)
        features: Tensor = self.backbone(videos.flatten(0, 1)).unflatten(0, videos.shape[:2])
        return features

    def frozen_features(self) -> FrozenFeatures | None:
        """Return the backbone's features, ``features``, if it is frozen."""
        if not self.backbone.frozen:
            return None
        return FrozenFeatures(self.backbone, lambda x: {"features": self.backbone_features(x)})

    def features_of(self, batch: Batch) -> Tensor:
        """Return the features (B, T, N, F) that a batch holds, or else those of its videos."""
        return batch["features"] if "features" in batch else self.backbone_features(batch["video"])

    def target_of(self, batch: Batch, features: Tensor) -> Tensor:
        """Return what is to be reconstructed of a batch with these features, (B, T, N, F)."""
        target: Tensor = self.target(batch["video"], features)
        return target

    def group(self, features: Tensor, state: Tensor | None = None) -> SlotState:
        """Group features (B, T, N, F) into slots over time.

        Args:
            features: as ``backbone_features`` returns them.
            state: (B, K, D), slots to go on from. None: the videos start afresh.
        """
        slots: SlotState = self.recurrence(self.projection(features), state)
        return slots

    def reconstruct(self, batch: Batch) -> Reconstruction:
        """Decode what the slots hold, beside the target that they are to explain."""
        features = self.features_of(batch)
        slots = self.group(features, self.first_state(batch))
        return self.decode(slots, self.target_of(batch, features))

    def decode(self, slots: SlotState, target: Tensor) -> Reconstruction:
        """Decode slots over time, beside the target (B, T, N, F) that they are to explain."""
        decoded = self.decoder(*(x.flatten(0, 1) for x in (slots.slots, slots.attention, target)))
        reconstruction, masks = (x.unflatten(0, target.shape[:2]) for x in decoded)
        return Reconstruction(reconstruction, target, masks.unflatten(-1, self.decoder.grid_size))

    def segment(self, batch: Batch) -> Tensor | None:
        """Return the decoder's masks, (B, T, K, h, w)."""
        return self.reconstruct(batch).masks

    def to_images(self, values: Tensor) -> Tensor | None:
        """Return a reconstruction or its target as images, if the target is made of colours."""
        return self.target.to_images(values)

    def segment_step(self, frames: Tensor, state: Tensor | None, is_first: Tensor) -> EncoderOutput:
        """Encode one frame of each of B running videos, with the decoder's masks."""
        self.check_frames(frames)
        state = self.initial_state(len(frames)) if state is None else state
        features = self.backbone(frames)
        slots = self.recurrence.step(self.projection(features), state, is_first)
        decoded = self.decoder(slots.slots, slots.attention, self.target(frames, features))
        masks = torch.unflatten(decoded.masks, -1, self.decoder.grid_size)
        return EncoderOutput(slots.slots, masks, slots.predicted)

    def decoder_loss(self, slots: Tensor, attention: Tensor, target: Tensor) -> Tensor:
        """Return the decoder's loss on videos: slots (B, T, K, D), attention and target alike."""
        arguments = tuple(x.flatten(0, 1) for x in (slots, attention, target))
        if self.checkpoint_decoder and torch.is_grad_enabled():
            loss: Tensor = checkpoint(self.decoder.loss, *arguments, use_reentrant=False)
            return loss
        return self.decoder.loss(*arguments)

    def _to_grid(self, attention: Tensor) -> Tensor:
        return torch.unflatten(attention, -1, self.backbone.grid_size)
