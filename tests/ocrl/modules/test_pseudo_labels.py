"""Pseudo-labels against loops over slots, frames and cells."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ocrl.modules.pseudo_labels import boundary_and_interior, rename, same_thing


def overlap(logits: Tensor, i: int, j: int) -> float:
    """Return the mean over frames of the intersection over union of two slots, (T, K, N)."""
    total = 0.0
    for frame in logits:
        covered = [
            {n for n, value in enumerate(frame[k].tolist()) if value > logits[:, k].mean().item()}
            for k in (i, j)
        ]
        union = covered[0] | covered[1]
        total += len(covered[0] & covered[1]) / len(union) if union else 0.0
    return total / len(logits)


def groups(logits: Tensor, threshold: float) -> list[set[int]]:
    """Return the slots that lie on one thing: sets grow until no two of them overlap."""
    found = [{k} for k in range(logits.shape[1])]
    while True:
        pairs = [(a, b) for a in found for b in found if a is not b]
        joined = [
            (a, b) for a, b in pairs if any(overlap(logits, i, j) > threshold for i in a for j in b)
        ]
        if not joined:
            return found
        a, b = joined[0]
        found = [group for group in found if group not in (a, b)] + [a | b]


def blobs(seed: int) -> Tensor:
    """Return logits (2, 3, 6, 20) of which some slots look alike, as slots of one thing do."""
    generator = torch.Generator().manual_seed(seed)
    things = torch.randn(2, 3, 2, 20, generator=generator)
    return things.repeat(1, 1, 3, 1) + 0.35 * torch.randn(2, 3, 6, 20, generator=generator)


@pytest.mark.parametrize("threshold", [0.4, 0.6, 0.8])
@pytest.mark.parametrize("seed", range(4))
def test_the_largest_of_a_chain_of_overlapping_slots_speaks_for_all(seed, threshold):
    logits = blobs(seed)
    labels = logits.argmax(dim=2).unflatten(-1, (4, 5))
    names = same_thing(logits, labels, threshold)
    for video in range(2):
        sizes = [(labels[video] == k).sum().item() for k in range(6)]
        for group in groups(logits[video], threshold):
            largest = max(sorted(group), key=lambda k: sizes[k])
            assert {names[video, k].item() for k in group} == {largest}


def test_the_cases_above_have_chains():
    """Of three slots, two pairs overlap and one does not; and all ends of thresholds are there."""
    sizes = set()
    for seed in range(4):
        for threshold in (0.4, 0.6, 0.8):
            for logits in blobs(seed):
                for group in groups(logits, threshold):
                    pairs = [overlap(logits, i, j) > threshold for i in group for j in group]
                    sizes.add((len(group), all(pairs)))
    assert {(1, True), (2, True), (3, False)} <= sizes


def test_slots_that_cover_nothing_are_not_joined():
    logits = torch.zeros(1, 2, 3, 4)
    assert same_thing(logits, torch.zeros(1, 2, 2, 2, dtype=torch.long), 0.5).tolist() == [
        [0, 1, 2]
    ]


def test_overlap_is_counted_exactly_in_mixed_precision():
    logits = torch.full((1, 1, 2, 1369), -1.0)
    logits[..., 0, :1000] = logits[..., 1, :699] = 1.0  # an overlap of 0.699
    labels = torch.zeros(1, 1, 37, 37, dtype=torch.long)
    with torch.autocast("cpu", torch.bfloat16):
        assert same_thing(logits, labels, 0.7).tolist() == [[0, 1]]
        assert same_thing(logits, labels, 0.698).tolist() == [[0, 0]]


def test_labels_are_renamed_in_each_video_by_itself():
    labels = torch.tensor([0, 1, 2]).repeat(2, 1).view(2, 1, 1, 3)
    names = torch.tensor([[2, 1, 2], [0, 0, 0]])
    assert rename(labels, names).flatten(1).tolist() == [[2, 1, 2], [0, 0, 0]]


@pytest.mark.parametrize("num_labels", [2, 4])
def test_boundaries_and_interiors_cell_by_cell(num_labels):
    generator = torch.Generator().manual_seed(num_labels)
    coarse = torch.randint(num_labels, (3, 2, 2, 3), generator=generator)
    labels = coarse.repeat_interleave(4, dim=2).repeat_interleave(3, dim=3)
    labels = labels.repeat_interleave(2, dim=1)  # (3, 4, 8, 9)
    labels[0, 1, 3, 3] = num_labels  # as nothing around: noise
    boundary, interior = boundary_and_interior(labels)
    noise = torch.zeros_like(interior)
    for b, t, y, x in torch.cartesian_prod(*(torch.arange(n) for n in labels.shape)).tolist():
        equal = []
        for dt in (-1, 0, 1):
            for dy in (-1, 0, 1):
                for dx in (-1, 0, 1):
                    elsewhere, later = (dy, dx) != (0, 0), dt != 0
                    if elsewhere != later:  # in the frame or in time, not both, not itself
                        at = (
                            min(max(t + dt, 0), 3),
                            min(max(y + dy, 0), 7),
                            min(max(x + dx, 0), 8),
                        )
                        equal.append((labels[b][at] == labels[b, t, y, x]).item())
        assert len(equal) == 10
        assert boundary[b, t, y, x] == (any(equal) and not all(equal))
        assert interior[b, t, y, x] == all(equal)
        noise[b, t, y, x] = not any(equal)
    assert boundary.any()
    assert interior.any()
    assert noise.nonzero().tolist() == [[0, 1, 3, 3]]
