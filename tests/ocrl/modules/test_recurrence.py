from __future__ import annotations

import pytest
import torch

from ocrl import UsageError
from ocrl.modules.initializers import LearnedInitializer, RandomInitializer
from ocrl.modules.recurrence import SlotRecurrence
from ocrl.modules.slot_attention import SlotAttention
from ocrl.modules.transformer import Transformer


def build(first_iterations: int = 3, iterations: int = 2) -> SlotRecurrence:
    torch.manual_seed(0)
    return SlotRecurrence(
        LearnedInitializer(3, 4),
        SlotAttention(6, 4),
        Transformer(4, num_heads=2),
        first_iterations=first_iterations,
        iterations=iterations,
    )


@pytest.mark.parametrize(("first_iterations", "iterations"), [(3, 2), (1, 1), (4, 1)])
def test_a_video_corrects_and_predicts_in_turn(first_iterations, iterations):
    recurrence = build(first_iterations, iterations)
    features = torch.randn(2, 3, 5, 6)
    states = recurrence(features)
    predicted = recurrence.initializer(2)
    for t in range(3):
        count = first_iterations if t == 0 else iterations
        slots, attention, _ = recurrence.corrector(features[:, t], predicted, count)
        predicted = recurrence.predictor(slots)
        torch.testing.assert_close(states.slots[:, t], slots)
        torch.testing.assert_close(states.attention[:, t], attention)
        torch.testing.assert_close(states.predicted[:, t], predicted)


def test_each_row_gets_the_iterations_that_it_needs():
    recurrence = build()
    features, predicted = torch.randn(4, 5, 6), torch.randn(4, 3, 4)
    is_first = torch.tensor([True, False, True, False])
    slots = recurrence.step(features, predicted, is_first).slots
    fresh, _, _ = recurrence.corrector(features, recurrence.initializer(4), 3)
    running, _, _ = recurrence.corrector(features, predicted, 2)
    expected = torch.where(is_first[:, None, None], fresh, running)
    torch.testing.assert_close(slots, expected)


def test_extra_iterations_are_run_for_first_rows_only(monkeypatch):
    recurrence = build()
    rows = []
    iterate = recurrence.corrector.iterate

    def counted(slots, tokens, **options):
        rows.append(len(slots))
        return iterate(slots, tokens, **options)

    monkeypatch.setattr(recurrence.corrector, "iterate", counted)
    features, predicted = torch.randn(4, 5, 6), torch.randn(4, 3, 4)
    recurrence.step(features, predicted, torch.tensor([True, False, False, False]))
    recurrence.step(features, predicted, torch.zeros(4, dtype=torch.bool))
    assert rows == [1, 4, 4, 4, 4]


@pytest.mark.parametrize(("first_iterations", "iterations"), [(1, 2), (2, 0)])
def test_impossible_iterations_are_refused(first_iterations, iterations):
    with pytest.raises(UsageError, match="first_iterations >= iterations >= 1"):
        build(first_iterations, iterations)


def test_random_slots_are_fresh_in_training_and_fixed_afterwards():
    initializer = RandomInitializer(3, 4)
    assert not torch.equal(initializer(2), initializer(2))
    initializer.eval()
    assert torch.equal(initializer(2), initializer(2))
    assert torch.equal(initializer(2)[0], initializer(2)[1])
    assert torch.equal(RandomInitializer(3, 4).eval()(1), initializer(1))


def test_random_slots_follow_the_learned_gaussian():
    initializer = RandomInitializer(3, 2)
    initializer.mean.data = torch.tensor([[[1.0, -2.0]]])
    initializer.log_std.data = torch.tensor([[[0.5, 2.0]]]).log()
    slots = initializer(20_000).flatten(0, 1)
    torch.testing.assert_close(slots.mean(0), torch.tensor([1.0, -2.0]), atol=0.05, rtol=0)
    torch.testing.assert_close(slots.std(0), torch.tensor([0.5, 2.0]), atol=0.05, rtol=0)


def test_no_slots_are_refused():
    with pytest.raises(UsageError, match="at least one slot"):
        LearnedInitializer(0, 4)
