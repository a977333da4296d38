"""Slot identity on small stories whose events are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ocrl.metrics import SlotIdentity
from ocrl.metrics.identity import RATES, identity_events


def story(*objects: str) -> dict[str, tuple[int, int]]:
    """Tell who owns each object over time: a digit is a slot, a dot is out of sight."""
    visible = np.array([[c != "." for c in thing] for thing in objects]).T
    owners = np.array([[0 if c == "." else int(c) for c in thing] for thing in objects]).T
    happened, possible = identity_events(owners, visible)
    return {name: (h, p) for name, h, p in zip(RATES, happened, possible, strict=True)}


def test_switches_count_between_successive_frames() -> None:
    assert story("11211", "00000")["slot_switches"] == (2, 8)
    assert story("11.22")["slot_switches"] == (0, 2)


def test_returns_compare_before_and_after_the_gap() -> None:
    assert story("11.11.2")["slot_returns"] == (1, 2)
    assert story("1111")["slot_returns"] == (0, 0)


def test_new_objects_want_a_slot_that_owned_nothing() -> None:
    assert story("0000", "..11")["new_slots"] == (1, 1)
    assert story("0000", "..00")["new_slots"] == (0, 1)
    assert story("00..", "..00")["new_slots"] == (0, 1)
    assert story("0000")["new_slots"] == (0, 0)


def test_reuse_is_by_another_object_before_the_return() -> None:
    assert story("00..", "..00")["slot_reuse"] == (1, 1)
    assert story("00..", "..11")["slot_reuse"] == (0, 1)
    assert story("0.0.", "1101")["slot_reuse"] == (0, 2)
    assert story("0..00", "11011")["slot_reuse"] == (1, 1)
    assert story("00..", "0000")["slot_reuse"] == (0, 1)
    assert story("000.")["slot_reuse"] == (0, 1)


def draw(ids: list[list[int]]) -> Tensor:
    """One video of a row of 4x4 blocks per frame."""
    return torch.tensor(ids).repeat_interleave(4, dim=1)[None, :, None].expand(1, -1, 4, -1)


def test_owner_is_the_slot_with_the_largest_iou() -> None:
    true = draw([[0, 0, 0, 7, 9]] * 2)
    metric = SlotIdentity()
    metric.update(draw([[2, 2, 2, 2, 1], [2, 2, 2, 2, 1]]), true)
    metric.update(draw([[2, 2, 2, 2, 1], [2, 2, 2, 1, 1]]), true)
    assert metric.occasions["slot_switches"] == 4
    assert metric.compute()["slot_switches"].item() == 0.25


def test_specks_are_not_visible() -> None:
    true = torch.zeros(1, 2, 50, 50, dtype=torch.long)
    true[0, 0, :10, :10] = 1
    true[0, 1, 0, :2] = 1
    metric = SlotIdentity(min_area=0.002)
    metric.update(torch.zeros(1, 2, 50, 50, dtype=torch.long), true)
    assert metric.occasions["slot_switches"] == 0
    assert metric.compute()["slot_switches"].isnan()
    finer = SlotIdentity(min_area=0)
    finer.update(torch.zeros(1, 2, 50, 50, dtype=torch.long), true)
    assert finer.occasions["slot_switches"] == 1


def test_objects_that_are_never_seen_have_no_events() -> None:
    assert story("1111", "....") == story("1111")


def test_videos_without_objects_have_no_events() -> None:
    metric = SlotIdentity()
    metric.update(torch.rand(2, 3, 4, 5, 5), torch.zeros(2, 3, 20, 20, dtype=torch.long))
    assert set(metric.occasions.values()) == {0}


@given(st.integers(0, 10**6))
def test_truth_as_slots_is_perfect_and_names_do_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    true = torch.from_numpy(rng.integers(0, 6, (2, 6, 3, 3)))
    perfect = SlotIdentity()
    perfect.update(true, true)
    rates = perfect.compute()
    for name, ideal in [("slot_switches", 0), ("slot_returns", 1), ("slot_reuse", 0)]:
        assert perfect.occasions[name] == 0 or rates[name] == ideal
    slots = torch.from_numpy(rng.integers(0, 4, true.shape))
    one, other = SlotIdentity(), SlotIdentity()
    one.update(slots, true)
    other.update(slots, torch.where(true > 0, true * 4096 + 3, 0))
    for name in RATES:
        torch.testing.assert_close(one.compute()[name], other.compute()[name], equal_nan=True)


def test_batch_equals_single_videos() -> None:
    generator = torch.Generator().manual_seed(0)
    slots = torch.randint(0, 4, (3, 5, 6, 6), generator=generator)
    true = torch.randint(0, 4, (3, 5, 6, 6), generator=generator)
    together, apart = SlotIdentity(), SlotIdentity()
    together.update(slots, true)
    for s, t in zip(slots, true, strict=True):
        apart.update(s[None], t[None])
    assert together.occasions == apart.occasions
    assert together.compute()["slot_switches"] == pytest.approx(apart.compute()["slot_switches"])


def test_pixels_that_annotators_left_open_count_nowhere() -> None:
    # a third of what slot 1 has is open; with it slot 2 would have the larger overlap
    true = draw([[-1, -1, -1, 7, 7, 7, 7]] * 2)
    metric = SlotIdentity()
    metric.update(draw([[1, 1, 1, 1, 1, 2, 2], [0, 0, 0, 1, 1, 2, 0]]), true)
    assert metric.occasions["slot_switches"] == 1
    assert metric.compute()["slot_switches"].item() == 0
