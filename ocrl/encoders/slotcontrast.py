"""SlotContrast: slots that stay with their object, by contrast over time."""

from __future__ import annotations

from torch import Tensor, nn

from ocrl.encoder import Batch
from ocrl.encoders.slots import SlotEncoder
from ocrl.modules.backbones import Backbone
from ocrl.modules.decoders import Decoder
from ocrl.modules.initializers import Initializer
from ocrl.modules.slot_attention import SlotAttention
from ocrl.modules.targets import Target
from ocrl.objectives import slot_slot_contrast


class SlotContrast(SlotEncoder):
    """Temporally consistent object-centric learning by contrasting slots (arXiv 2412.14295).

        L = L_rec(decoder(slots_t), target_t) + w L_contrast(slots_t, slots_t+1)

    The published system reads and reconstructs the features of a frozen DINOv2, with learned slot
    initialisation and an MLP decoder. The same class with a small trainable CNN and the flat
    decoder is the default where there are neither pretrained weights nor a GPU.

    Args:
        backbone: frames to features.
        projection: features to the tokens that slot attention reads.
        initializer: slots before a first frame.
        corrector: slot attention.
        predictor: slots to where the next frame's slots start. None: they start from the
            initialiser in every frame, and the contrast alone keeps them with their object.
        decoder: slots to the target.
        target: (frames, features) to what is reconstructed.
        contrast_weight: w.
        temperature: of the contrast.
        first_iterations: iterations of slot attention on a first frame.
        iterations: iterations on every other frame.
        checkpoint_decoder: recompute the decoder's activations in the backward pass.
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
        contrast_weight: float = 0.5,
        temperature: float = 0.1,
        first_iterations: int = 3,
        iterations: int = 2,
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
            first_iterations=first_iterations,
            iterations=iterations,
            checkpoint_decoder=checkpoint_decoder,
        )
        self.temperature = temperature
        self.loss_weights = {"reconstruction": 1.0, "slot_contrast": contrast_weight}

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the terms of the objective, unweighted.

        Args:
            batch: clips of 2 frames or more.

        Raises:
            UsageError: for clips of one frame.
        """
        features = self.features_of(batch)
        slots, attention, _ = self.group(features)
        target = self.target_of(batch, features)
        return {
            "reconstruction": self.decoder_loss(slots, attention, target),
            "slot_contrast": slot_slot_contrast(slots, self.temperature),
        }
