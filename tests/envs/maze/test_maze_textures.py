from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from ocrl_envs.maze.appearance.looks import choose_looks
from ocrl_envs.maze.appearance.noise import cells, fractal_noise
from ocrl_envs.maze.appearance.styles import make_picture, make_style
from ocrl_envs.maze.appearance.texture_families import (
    FLOOR_FAMILIES,
    WALL_FAMILIES,
    Family,
    hsv,
    to_image,
)
from ocrl_envs.maze.rendering.mipmaps import level_offsets, mip_chain, pack_texels, shrink
from ocrl_envs.maze.rendering.texels import mix, sample

FAMILIES = [
    family
    for families in (WALL_FAMILIES, FLOOR_FAMILIES)
    for split in families.values()
    for family in split
]


def unpack(texels: np.ndarray) -> np.ndarray:
    return np.stack([texels & 255, texels >> 8 & 255, texels >> 16], axis=-1)


def test_mip_chain_keeps_the_mean_at_every_scale() -> None:
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 3)).astype(np.uint8)
    chain, offsets = mip_chain(image), level_offsets(32)
    assert len(chain) == offsets[-1]
    np.testing.assert_array_equal(
        unpack(chain[: offsets[1]]).reshape(32, 32, 3), image.transpose(1, 0, 2)
    )
    for first, last in pairwise(offsets):
        mean = unpack(chain[first:last]).mean(axis=0)
        np.testing.assert_allclose(mean, image.mean(axis=(0, 1)), atol=0.6)


def test_mix_against_floats() -> None:
    rng = np.random.default_rng(0)
    for _ in range(100):
        first, second = rng.integers(0, 256, (2, 3))
        weight = int(rng.integers(0, 257))
        texels = [pack_texels(colour.astype(np.float32)) for colour in (first, second)]
        mixed = unpack(mix(*map(np.uint32, texels), np.uint32(weight)))
        np.testing.assert_allclose(mixed, first + (second - first) * weight / 256, atol=1.01)


def test_sample_goes_through_the_texels_and_repeats() -> None:
    image = np.random.default_rng(0).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    chain = mip_chain(image)
    for row, col in np.ndindex(8, 8):
        for tile in (0, 3):
            texel = sample(chain, 0, 8, tile + (col + 0.5) / 8, tile + (row + 0.5) / 8)
            np.testing.assert_array_equal(unpack(np.uint32(texel)), image[row, col])
    between = unpack(np.uint32(sample(chain, 0, 8, 2 / 8, 0.5 / 8)))
    mean = (image[0, 1].astype(float) + image[0, 2]) / 2
    np.testing.assert_allclose(between, mean, atol=1.01)


def seam(image: np.ndarray, axis: int) -> float:
    """Return the step across the seam over the largest step inside."""
    lines = np.moveaxis(image.astype(float), axis, 0)
    steps = np.abs(np.diff(np.concatenate([lines, lines[:1]]), axis=0)).mean(axis=(1, 2))
    return float(steps[-1] / steps[:-1].max())


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_families_tile_and_vary(family: Family) -> None:
    images = [
        to_image(family(np.random.default_rng(seed), 64, hsv(0.1, 0.6, 0.7))) for seed in range(3)
    ]
    for image in images:
        assert image.shape == (64, 64, 3)
        assert 3 < image.std() < 110
        assert seam(image, 1) <= 1.5
    assert not np.array_equal(images[0], images[1])


def test_floors_tile_both_ways() -> None:
    for family in (*FLOOR_FAMILIES["train"], *FLOOR_FAMILIES["test"]):
        image = to_image(family(np.random.default_rng(0), 64, hsv(0.1, 0.6, 0.7)))
        assert seam(image, 0) <= 1.5, family.__name__


def test_noise_range_and_cells() -> None:
    rng = np.random.default_rng(0)
    noise = fractal_noise(rng, 64, (4, 4))
    assert 0 <= noise.min() < 0.35 < 0.65 < noise.max() <= 1
    number, centre, gap = cells(rng, 64, (4, 4), 0.8)
    assert set(np.unique(number)) == set(range(16))
    assert centre.min() < 0.03
    assert gap.min() < 0.01
    assert gap.max() > 0.05


def test_styles_are_seeded_unlimited_and_split() -> None:
    assert not set(WALL_FAMILIES["train"]) & set(WALL_FAMILIES["test"])
    assert not set(FLOOR_FAMILIES["train"]) & set(FLOOR_FAMILIES["test"])
    first = make_style("train", 10**6)
    make_style.cache_clear()
    again = make_style("train", 10**6)
    np.testing.assert_array_equal(first.wall, again.wall)
    walls = {make_style("train", index).wall.tobytes() for index in range(20)}
    walls |= {make_style("test", index).wall.tobytes() for index in range(20)}
    assert len(walls) == 40


def test_pictures_differ() -> None:
    small = [shrink(make_picture("train", index), 16).astype(float) for index in range(20)]
    gaps = [np.abs(a - b).mean() for i, a in enumerate(small) for b in small[:i]]
    assert min(gaps) > 15


def test_a_layout_shows_no_picture_twice() -> None:
    seeds = np.arange(1, 9, dtype=np.uint64)
    pictures = choose_looks("by_layout", "procedural", "train", seeds, num_pictures=7).picture
    assert all(len(set(row)) == 7 for row in pictures.tolist())
    assert len({tuple(row) for row in pictures.tolist()}) == 8
