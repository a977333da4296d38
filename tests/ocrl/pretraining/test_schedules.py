"""How fast is learned, and when."""

from __future__ import annotations

import pytest

from ocrl.errors import UsageError
from ocrl.pretraining import PretrainingSettings


def settings(warmup_steps: int, decay_steps: int) -> PretrainingSettings:
    return PretrainingSettings(
        max_steps=1000,
        steps_per_epoch=1,
        batch_size=1,
        learning_rate=1e-3,
        warmup_steps=warmup_steps,
        decay_steps=decay_steps,
        gradient_clip=1.0,
        seed=0,
    )


def test_the_rate_has_halved_at_decay_steps_and_halves_again_as_fast() -> None:
    factor = settings(warmup_steps=100, decay_steps=300).learning_rate_factor
    assert [factor(step) for step in (0, 50, 100, 300, 500)] == [0, 0.5, 1, 0.5, 0.25]


@pytest.mark.parametrize("decay_steps", [50, 100])
def test_a_rate_that_would_rise_for_ever_is_a_line(decay_steps: int) -> None:
    with pytest.raises(UsageError, match="take decay_steps above warmup_steps"):
        settings(warmup_steps=100, decay_steps=decay_steps)
