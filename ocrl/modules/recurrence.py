"""Corrector and predictor: slots over time."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from ocrl.errors import UsageError
from ocrl.modules.initializers import Initializer
from ocrl.modules.slot_attention import SlotAttention


class SlotState(NamedTuple):
    """Slots of a frame (B, ...), or of a video (B, T, ...).

    Attributes:
        slots: (..., K, D), corrected on the frame.
        attention: (..., K, N), where they looked; sums to one over K.
        predicted: (..., K, D), where the slots of the next frame start.
        logits: (..., K, N), of which attention is the softmax over K.
    """

    slots: Tensor
    attention: Tensor
    predicted: Tensor
    logits: Tensor


class SlotRecurrence(nn.Module):
    """Sequential slots (SAVi, arXiv 2111.12594, section 2; SlotContrast, section 3.1).

        slots_t = corrector(features_t, predicted_{t-1});  predicted_t = predictor(slots_t)

    with predicted_0 from the initialiser. A first frame gets more iterations than later ones.

    Args:
        initializer: slots before a first frame.
        corrector: slot attention.
        predictor: (B, K, D) to (B, K, D). None: every frame is an image of its own, whose slots
            start from the initialiser again.
        first_iterations: iterations of slot attention on a first frame.
        iterations: iterations on every other frame.
    """

    def __init__(
        self,
        initializer: Initializer,
        corrector: SlotAttention,
        predictor: nn.Module | None,
        *,
        first_iterations: int = 3,
        iterations: int = 2,
    ) -> None:
        super().__init__()
        if not 1 <= iterations <= first_iterations:
            raise UsageError(
                f"slot attention takes {first_iterations} iterations on a first frame and "
                f"{iterations} later: choose first_iterations >= iterations >= 1"
            )
        self.initializer = initializer
        self.corrector = corrector
        self.predictor = predictor
        self.first_iterations = first_iterations
        self.iterations = iterations

    def step(self, features: Tensor, predicted: Tensor, is_first: Tensor) -> SlotState:
        """Correct and predict on one frame of each of B videos.

        Args:
            features: (B, N, F), the frame's tokens.
            predicted: (B, K, D), what the last frame predicted.
            is_first: bool (B,), rows that start from the initialiser instead.
        """
        tokens = self.corrector.norm_features(features)
        rows = is_first.nonzero().squeeze(1)
        slots = predicted
        if len(rows):
            fresh = self.initializer(len(is_first))[rows]
            for _ in range(self.first_iterations - self.iterations):
                fresh, _, _ = self.corrector.iterate(fresh, tokens[rows])
            slots = slots.index_copy(0, rows, fresh.to(slots.dtype))
        for left in reversed(range(self.iterations)):
            slots, attention, logits = self.corrector.iterate(slots, tokens, last=left == 0)
        return SlotState(slots, attention, self.predict(slots), logits)

    def forward(
        self, features: Tensor, predicted: Tensor | None = None, *, num_slots: int | None = None
    ) -> SlotState:
        """Run over whole videos.

        Args:
            features: (B, T, N, F), the frames' tokens.
            predicted: (B, K, D), slots to go on from. None: those of the initialiser, which a
                first frame corrects.
            num_slots: how many of the initialiser's slots to start with. None: all.
        """
        iterations = self.first_iterations if predicted is None else self.iterations
        if predicted is None:
            predicted = self.initializer(len(features))[:, :num_slots]
        states = []
        for frame in features.unbind(dim=1):
            slots, attention, logits = self.corrector(frame, predicted, iterations)
            predicted, iterations = self.predict(slots), self.iterations
            states.append(SlotState(slots, attention, predicted, logits))
        return SlotState(*(torch.stack(parts, dim=1) for parts in zip(*states, strict=True)))

    def predict(self, slots: Tensor) -> Tensor:
        """Return where the next frame's slots start, given slots (B, K, D)."""
        next_slots: Tensor = (
            self.initializer(len(slots)) if self.predictor is None else self.predictor(slots)
        )
        return next_slots
