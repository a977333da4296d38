"""Tracking scores against cases counted by hand."""

from __future__ import annotations

import pytest
import torch

from ocrl.metrics.tracking import CountingAccuracy, TrackingAccuracy


def video(*frames: str) -> torch.Tensor:
    """Return ids (1, T, 1, W) of frames such as "0011"."""
    return torch.tensor([[int(digit) for digit in frame] for frame in frames])[None, :, None]


def score(found: torch.Tensor, truth: torch.Tensor, **arguments) -> dict[str, float]:
    metric = TrackingAccuracy(**arguments)
    metric.update(found, truth)
    return {name: value.item() for name, value in metric.compute().items()}


def test_a_case_counted_by_hand():
    #             object 1 and 2     1 is missed, 2     1 is back as 5:      2 swaps to 4, and 6
    #             found as 3 and 4   kept               a switch             is no object at all
    truth = video("0011122200", "0011122200", "0011122200", "0000022200")
    found = video("0033344400", "0000044400", "0055544400", "6600033300")
    scores = score(found, truth, background=0)
    # 7 objects in all; 1 miss; 1 false positive (6); switches: object 1 to 5, object 2 to 3.
    assert scores["misses"] == pytest.approx(1 / 7)
    assert scores["false_positives"] == pytest.approx(1 / 7)
    assert scores["switches"] == pytest.approx(2 / 7)
    assert scores["mota"] == pytest.approx(1 - 4 / 7)
    assert scores["motp"] == pytest.approx(1.0)


def test_a_pair_is_kept_while_it_may_be_even_if_another_is_better():
    # The object spreads over segments 1 and 2; from frame 2 on, 2 has more of it.
    truth = video("1111110000", "1111111111")
    found = video("1111110000", "1111111111")
    assert score(found, truth, background=0)["mota"] == 1
    truth = video("1111000000", "1111110000")
    found = video("1111000000", "1112220000")
    scores = score(found, truth, background=0)
    assert scores["switches"] == 0  # IoU with 1 is 3/6: it may stay
    assert scores["false_positives"] == pytest.approx(1 / 2)
    assert scores["motp"] == pytest.approx((1 + 0.5) / 2)


def test_finding_nothing_scores_zero_and_finding_too_much_less():
    truth = video("0110", "0110")
    assert score(video("0000", "0000"), truth, background=0)["mota"] == 0
    assert score(video("3004", "3004"), truth, background=0)["mota"] == -2


def test_soft_masks_have_their_background_last():
    truth = video("0112", "0112")
    masks = torch.nn.functional.one_hot(torch.tensor([[2, 0, 0, 1]] * 2), 3)
    soft = masks.float().movedim(-1, -2)[None, :, :, None]
    assert score(soft, truth, background=-1)["mota"] == 1
    assert score(soft, truth)["mota"] == 1


def test_tiny_segments_are_no_false_positives():
    truth, found = torch.zeros(1, 1, 32, 32, dtype=torch.long), torch.zeros(1, 1, 32, 32).long()
    truth[..., :8, :8] = found[..., :8, :8] = 1
    found[..., 20, 20] = 2
    assert score(found, truth, background=0)["mota"] == 1
    found[..., 20:24, 20:24] = 2
    assert score(found, truth, background=0)["mota"] == 0


def test_counts_are_right_or_wrong():
    metric = CountingAccuracy()
    metric.update(torch.tensor([[0, 1], [2, 3]]), torch.tensor([[0, 2], [2, 1]]))
    metric.update(torch.tensor([1]), torch.tensor([1]))
    assert metric.compute().item() == pytest.approx(3 / 5)


def test_pixels_that_annotators_left_open_count_nowhere():
    truth, found = video("0011111000", "0011111000"), video("0111111100", "0111111100")
    assert score(found, truth, background=0)["motp"] < 1
    truth[..., [1, 7]] = -1
    scores = score(found, truth, background=0)
    assert scores["mota"] == scores["motp"] == 1
