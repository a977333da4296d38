"""Sprites: pictures agree with their masks, and chance with its seed."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import label

from ocrl_envs.errors import UsageError
from ocrl_envs.sprites import digits, generate_sprites, moving_digits, moving_sprites, sprites
from ocrl_envs.sprites.scene import generate_many
from ocrl_envs.sprites.shapes import SHAPES


def test_a_seed_makes_one_scene_and_another_one_another():
    first, again, other = (
        generate_sprites(moving_sprites(num_frames=2), seed) for seed in (0, 0, 1)
    )
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first.video, other.video)


def test_each_segment_is_of_one_colour_and_no_other_has_it():
    for scene in generate_many(sprites(num_sprites=(3, 5)), 10, seed=0):
        colours = {}
        for segment in np.unique(scene.segments):
            pixels = scene.video[scene.segments == segment]
            values, counts = np.unique(pixels, axis=0, return_counts=True)
            colours[segment] = tuple(values[counts.argmax()])
        assert len(set(colours.values())) == len(colours)


@pytest.mark.parametrize("name", ["square", "ellipse", "disc", "triangle", "cross"])
def test_areas_of_shapes(name):
    expected = {
        "square": 1.8**2,
        "ellipse": np.pi / 2,
        "disc": np.pi,
        "triangle": 3**0.5 / 4 * 3,
        "cross": 4 * 0.7 - 0.7**2,
    }[name]
    axis = (np.arange(1000) + 0.5) / 500 - 1
    x, y = np.meshgrid(axis, axis)
    assert SHAPES[name](x, y).sum() / 500**2 == pytest.approx(expected, rel=5e-3)


def test_digits_differ_and_fit_into_their_box():
    axis = (np.arange(60) + 0.5) / 30 - 1
    x, y = np.meshgrid(axis, axis)
    masks = [SHAPES[f"digit_{number}"](x, y) for number in range(10)]
    for i, mask in enumerate(masks):
        assert 0.05 < mask.mean() < 0.4
        assert not mask[:, [0, -1]].any()
        assert not mask[[0, -1]].any()
        assert all((mask != other).mean() > 0.03 for other in masks[:i])


def test_digits_are_as_many_as_there_are_patches_of_white():
    counts = []
    for scene in generate_many(digits(), 40, seed=1):
        patches, number = label(scene.segments[0] > 0, structure=np.ones((3, 3)))
        assert number == scene.present.sum()
        counts.append(number)
        assert np.unique(patches).size == number + 1
    assert set(counts) == {0, 1, 2}


def test_moving_sprites_stay_inside_and_are_where_their_masks_are():
    seen = 0
    for scene in generate_many(moving_sprites(overlapping=False, shapes=("disc",)), 10, seed=2):
        steps = np.abs(np.diff(scene.positions, axis=0))
        assert (steps <= 0.04 * 64 + 1e-9).all()
        for t, i in np.argwhere(scene.present):
            rows, columns = np.nonzero(scene.segments[t] == i + 1)
            alone = np.hypot(*(scene.positions[t] - scene.positions[t, i]).T) < 24
            if alone.sum() == 1:
                seen += 1
                centre = columns.mean() + 0.5, rows.mean() + 0.5
                np.testing.assert_allclose(centre, scene.positions[t, i], atol=0.5)
    assert seen > 50


def test_nearer_sprites_hide_farther_ones():
    recipe = sprites(num_sprites=(2, 2), shapes=("disc",), size=(0.45, 0.45))
    scene = generate_sprites(recipe, 0)
    areas = [(scene.segments == i).sum() for i in (1, 2)]
    assert areas[1] == pytest.approx(np.pi * (0.45 * 64) ** 2, rel=0.02)
    assert areas[0] < 0.5 * areas[1]


def test_some_sprites_come_and_go():
    scenes = list(generate_many(moving_digits(lifetime=0.3, num_sprites=(2, 2)), 20, seed=3))
    changes = [np.diff(scene.present.astype(int), axis=0) for scene in scenes]
    assert any((change > 0).any() for change in changes)
    assert any((change < 0).any() for change in changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"shapes": ("star",)},
        {"num_sprites": (3, 2)},
        {"size": (0.1, 0.6)},
        {"num_frames": 0},
        {"lifetime": 0.0},
        {"image_size": (64, 20)},
    ],
)
def test_recipes_out_of_range_are_refused_in_one_line(changes):
    with pytest.raises(UsageError) as caught:
        sprites(**changes)
    assert "\n" not in str(caught.value)
