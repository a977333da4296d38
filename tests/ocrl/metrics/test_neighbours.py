"""Neighbours, against votes counted one by one."""

import math
from collections import Counter

import pytest
import torch

from ocrl.errors import UsageError
from ocrl.metrics.neighbours import NeighbourProbe, patch_kinds, weighted_neighbours


def test_votes_are_those_counted_one_by_one():
    torch.manual_seed(0)
    bank, queries = torch.randn(40, 3), torch.randn(25, 3)
    labels = torch.randint(0, 4, (40,)) * 10
    found = weighted_neighbours(bank, labels, queries, num_neighbours=7, spread=0.5)
    for query, winner in zip(queries, found.tolist(), strict=True):
        distances = [(math.dist(query.tolist(), b.tolist()), i) for i, b in enumerate(bank)]
        votes = Counter()
        for distance, i in sorted(distances)[:7]:
            votes[labels[i].item()] += math.exp(-(distance**2))
        assert winner == votes.most_common(1)[0][0]


def test_a_patch_is_what_covers_most_of_it():
    torch.manual_seed(0)
    kinds = torch.randint(0, 3, (2, 8, 12))
    found = patch_kinds(kinds, (2, 3))
    for b in range(2):
        for row in range(2):
            for column in range(3):
                patch = kinds[b, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4]
                counts = torch.bincount(patch.flatten(), minlength=3)
                assert counts[found[b, row, column]] == counts.max()


def halves(kind_of_colour, num=6):
    """Frames with two halves of random colours, whose kinds depend on the colours."""
    generator = torch.Generator().manual_seed(num)
    colours = torch.randint(0, 2, (num, 1, 2, 1), generator=generator)
    frames = (255 * colours).expand(num, 8, 2, 3).repeat_interleave(4, 2).to(torch.uint8)
    return frames, kind_of_colour[(frames[..., 0] > 0).long()]


def colours_of(frames):
    return frames.unfold(1, 4, 4).unfold(2, 4, 4).float().mean((-1, -2)) / 255


def test_features_that_tell_kinds_apart_score_one_and_constants_guess_one_kind():
    kinds = torch.tensor([0, 2])
    probe = NeighbourProbe(*halves(kinds), *halves(kinds, 9), ("sky", "floor", "wall"))
    assert probe.accuracy(colours_of) == {"balanced": 1.0, "sky": 1.0, "wall": 1.0}
    blind = probe.accuracy(lambda frames: torch.zeros(len(frames), 2, 2, 5))
    assert blind["balanced"] == 0.5


def test_kinds_that_never_meet_are_an_error():
    with pytest.raises(UsageError, match="no kind"):
        NeighbourProbe(
            *halves(torch.tensor([0, 0])), *halves(torch.tensor([1, 1])), ("sky", "floor")
        )


def test_what_annotators_left_open_is_of_no_kind():
    kinds = torch.tensor([[[-1, -1, -1, -1], [-1, 2, -1, -1], [0, 0, 1, 1], [-1, -1, 1, 0]]])
    assert patch_kinds(kinds, (2, 2)).tolist() == [[[2, -1], [0, 1]]]
    frames, labels = halves(torch.tensor([0, 1]))
    bordered = labels.clone()
    bordered[:, :, 0] = -1  # a column, and all of the first frame
    bordered[0] = -1
    probe = NeighbourProbe(frames, bordered, frames, bordered, ("black", "white"))
    assert probe.accuracy(colours_of) == {"balanced": 1.0, "black": 1.0, "white": 1.0}
    with pytest.raises(UsageError, match="no kind of segment"):
        NeighbourProbe(frames, labels * 0 - 1, frames, labels * 0 - 1, ("black", "white"))
