"""Slots that are added: how many at which step, beside which, and alike in a resumed run."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ocrl import UsageError
from ocrl.modules.curriculum import REACH, GrowingInitializer, share_out


def make(num_slots: int = 9, training_steps: int = 40) -> GrowingInitializer:
    torch.manual_seed(0)
    return GrowingInitializer(num_slots, 8, training_steps)


def test_as_many_take_part_as_the_step_says():
    initializer, counts = make(), []
    for _ in range(13):
        counts.append(initializer.grow())
        initializer.advance(torch.ones(counts[-1]))
    assert counts == [2] * 5 + [4] * 6 + [9] * 2


def test_whoever_asks_gets_all_slots_at_any_time():
    assert make()(3).shape == (3, 9, 8)


def test_new_slots_start_within_reach_of_the_slots_to_blame():
    initializer = make()
    initializer.step.fill_(3)
    initializer.advance(torch.tensor([0.0, 1.0]))  # both new slots beside the second
    before = initializer.slots.detach().clone()
    assert initializer.grow() == 2
    assert torch.equal(initializer.slots[:, :2], before[:, :2])
    assert torch.equal(initializer.slots[:, 4:], before[:, 4:])
    offsets = (initializer.slots[0, 2:4] - before[0, 1]).detach()
    directions = torch.nn.functional.cosine_similarity(offsets, initializer.directions[2:4])
    torch.testing.assert_close(directions, torch.ones(2))
    similar = torch.nn.functional.cosine_similarity(before[0], before[0, 1:2])
    nearest = before[0, similar.argsort(descending=True)[1]]
    size = before[0, 1].norm() / before[0].norm(dim=-1).mean()
    torch.testing.assert_close(
        offsets.norm(dim=-1), (REACH * size * (before[0, 1] - nearest).norm()).expand(2)
    )


def test_errors_of_other_steps_do_not_count():
    initializer = make()
    for step in range(4):
        initializer.advance(torch.full((2,), float(step)))
    assert initializer.errors.tolist() == [3.0] * 2 + [0.0] * 7


def test_a_resumed_run_grows_alike():
    whole, resumed = make(), GrowingInitializer(9, 8, 40)
    whole.step.fill_(9)
    whole.advance(torch.rand(4))
    resumed.load_state_dict(whole.state_dict())
    assert resumed.grow() == whole.grow()
    assert torch.equal(resumed.slots, whole.slots)


@given(st.integers(0, 20), st.lists(st.floats(0.01, 100), min_size=1, max_size=8))
def test_sharing_out_gives_everyone_their_share_but_for_less_than_one(total, weights):
    tensor = torch.tensor(weights)
    counts = share_out(total, tensor)
    assert counts.sum() == total
    shares = total * tensor / tensor.sum()
    assert ((counts - shares).abs() < 1 + 1e-4).all()


@pytest.mark.parametrize("sizes", [(3, 40), (9, 9)])
def test_too_few_slots_or_steps_are_one_line(sizes):
    with pytest.raises(UsageError, match="at least") as caught:
        make(*sizes)
    assert "\n" not in str(caught.value)
