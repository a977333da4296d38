"""Light: shadows, textures that move with their objects, the sky."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from ocrl_envs.scenes.appearance import PATTERNS, linear, pattern, studio, uniform
from ocrl_envs.scenes.records import Records, Stage, placed
from ocrl_envs.scenes.shading import FLOOR, SKY, Sight, encode, look
from ocrl_envs.scenes.shapes import ball, normalised, records_of
from ocrl_envs.scenes.textures import texture_colour

Array = npt.NDArray[np.float64]


def stage_of_one_ball(position: list[float], texture: Records, turn: Array | None = None) -> Stage:
    """A ball of radius 0.5 under a sun at 45 degrees over the x axis."""
    objects, parts = records_of([normalised(ball(np.random.default_rng(0)), 0.5)])
    parts["texture"] = texture
    around = studio(np.random.default_rng(0))
    around["sun"] = np.array([1.0, 0.0, 1.0]) / np.sqrt(2)
    rotations = np.eye(3)[None] if turn is None else turn[None]
    return placed(Stage(objects, parts, around), np.array([position]), rotations)


def look_down(stage: Stage, x: float, y: float) -> Sight:
    return look(stage, (x, y, 20.0), (0.0, 0.0, -1.0))


def test_a_ball_in_the_air_shades_the_floor_away_from_the_sun() -> None:
    stage = stage_of_one_ball([0.0, 0.0, 5.0], uniform(linear([200, 0, 0])))
    shaded, lit = look_down(stage, -5.0, 0.0), look_down(stage, 5.0, 0.0)
    assert shaded.object == lit.object == FLOOR
    assert shaded.distance == lit.distance == pytest.approx(20)
    around = stage.surroundings[0]
    sunlight = around["floor_colour"] * around["sunlight"] * np.sqrt(0.5) * np.exp(-20 / 40)
    np.testing.assert_allclose(np.subtract(lit.colour, shaded.colour), sunlight, rtol=1e-6)
    edge = [look_down(stage, -5.0, y).colour[0] for y in (0.45, 0.55)]
    assert edge[0] == pytest.approx(shaded.colour[0])
    assert edge[1] == pytest.approx(lit.colour[0])


def test_contact_darkens_the_floor() -> None:
    stage = stage_of_one_ball([0.0, 0.0, 0.5], uniform(linear([200, 0, 0])))
    near, far = look_down(stage, 0.0, 0.52), look_down(stage, 0.0, 6.0)
    assert near.colour[0] < 0.97 * far.colour[0]


def test_the_lit_side_is_brighter_and_has_the_colour() -> None:
    stage = stage_of_one_ball([0.0, 0.0, 3.0], uniform(linear([200, 40, 40])))
    towards_sun = look(stage, (5.0, 0.0, 3.2), (-1.0, 0.0, 0.0))
    away = look(stage, (-5.0, 0.0, 3.2), (1.0, 0.0, 0.0))
    assert towards_sun.object == away.object == 0
    assert towards_sun.colour[0] > 1.5 * away.colour[0]
    assert towards_sun.colour[0] > 2 * towards_sun.colour[1]


def test_the_sky_is_seen_above_the_horizon() -> None:
    stage = stage_of_one_ball([0.0, 0.0, 3.0], uniform(linear([200, 40, 40])))
    up = look(stage, (0.0, 5.0, 3.0), (0.0, 0.0, 1.0))
    assert up.object == SKY
    np.testing.assert_allclose(up.colour, stage.surroundings["zenith"][0], rtol=1e-6)
    level = look(stage, (0.0, 5.0, 3.0), (0.0, 1.0, 0.0))
    np.testing.assert_allclose(level.colour, stage.surroundings["horizon"][0], rtol=1e-6)


def test_patterns_move_with_their_object() -> None:
    texture = pattern(np.random.default_rng(3))
    texture["kind"], texture["frequency"] = PATTERNS[2], 4.0
    quarter = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    here = stage_of_one_ball([0.0, 0.0, 3.0], texture)
    moved = stage_of_one_ball([2.0, 1.0, 3.0], texture)
    turned = stage_of_one_ball([0.0, 0.0, 3.0], texture, quarter)
    changes = 0
    for x, y in [(0.1, 0.2), (-0.3, 0.1), (0.2, -0.25), (0.0, 0.4)]:
        colour = look_down(here, x, y).colour
        np.testing.assert_allclose(look_down(moved, x + 2, y + 1).colour, colour, rtol=1e-6)
        changes += not np.allclose(look_down(turned, x, y).colour, colour, rtol=0.05)
    assert changes > 0


@pytest.mark.parametrize("kind", PATTERNS)
def test_patterns_stay_between_their_colours_and_vary(kind: int) -> None:
    texture = pattern(np.random.default_rng(1), contrast=(1.0, 1.0))
    texture["kind"] = kind
    points = np.random.default_rng(0).uniform(-5, 5, (500, 3))
    colours = np.array([texture_colour(texture[0], tuple(point)) for point in points])
    palette = texture["colours"][0]
    assert (colours >= 0.74 * palette.min(0) - 1e-9).all()
    assert (colours <= palette.max(0) + 1e-9).all()
    assert colours.std(0).max() > 0.02


def test_display_values_rise_with_light_and_stay_in_range() -> None:
    values = np.array([encode((v, v, v))[0] for v in np.linspace(0, 20, 400)])
    assert values[0] == 0
    assert (np.diff(values) >= 0).all()
    assert values[-1] <= 255
    np.testing.assert_allclose(encode((0.25, 0.25, 0.25))[0], 127.5)
