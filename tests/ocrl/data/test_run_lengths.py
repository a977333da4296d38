"""Masks as run lengths, against pixels."""

from __future__ import annotations

from pathlib import Path

import miniatures
import numpy as np
import pytest

from ocrl.data.run_lengths import decode_mask, encode_mask, read_counts
from ocrl.errors import UsageError


def test_masks_come_back_from_run_lengths():
    mask = np.random.default_rng(0).random((9, 7)) < 0.4
    for encoded in (encode_mask(mask), miniatures.run_lengths(mask)):
        assert (decode_mask(encoded, mask.shape, Path("x.json")) == mask).all()


@pytest.mark.parametrize("seed", range(3))
def test_the_text_of_run_lengths_says_the_same(seed):
    rng = np.random.default_rng(seed)
    mask = np.repeat(rng.random((40, 70)) < rng.random(), 20, axis=0)
    runs = read_counts(encode_mask(mask)["counts"])
    assert runs == miniatures.run_lengths(mask)["counts"]


@pytest.mark.parametrize(
    ("encoded", "match"),
    [
        ({"size": [9, 7], "counts": [10, 20]}, "30 pixels in all"),  # the rest was never written
        ({"size": [9, 7], "counts": [62.5, 0.5]}, "whole numbers"),
        ({"size": [9, 7], "counts": [-1, 64]}, "whole numbers"),
        ({"size": [9, 7], "counts": "0" * 8}, "0 pixels in all"),
        ({"size": [9, 7], "counts": "zz"}, "no digit 'z'"),
        ({"size": [9, 7], "counts": "P"}, "end within a number"),
        ({"size": [9, 7], "counts": "P" * 99}, "too many digits"),
        ({"size": [400_000, 600_000], "counts": "PPYo1"}, "a mask is 400000 x 600000"),
        ({"size": [7, 9], "counts": [63]}, "a mask is 7 x 9"),
    ],
)
def test_run_lengths_of_another_mask_are_refused_before_they_are_decoded(encoded, match):
    with pytest.raises(UsageError, match=match):
        decode_mask(encoded, (9, 7), Path("x.json"))
