from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest

from ocrl_envs.maze.appearance.objects import KIND_NUMBERS
from ocrl_envs.maze.env import MazeEnv
from ocrl_envs.maze.layout.layout import Layout
from ocrl_envs.maze.rendering.camera import EYE_HEIGHT, make_camera
from ocrl_envs.maze.rendering.mipmaps import mip_chain
from ocrl_envs.maze.rendering.raycast import PICTURE_HIGH, PICTURE_LOW
from ocrl_envs.maze.rendering.things import enter_kind
from ocrl_envs.maze.rendering.views import (
    FLOOR,
    OBJECT,
    PICTURE,
    SEGMENT_KINDS,
    SEGMENT_STRIDE,
    SKY,
    WALL,
)

SIZE = 48
HALL = Layout.from_text("\n".join(["*" * 11] + ["*" + " " * 9 + "*"] * 5 + ["*" * 11]))


def place_agent(env: MazeEnv, x: float, y: float, heading: float) -> None:
    state = env.simulation.state
    state.position[0], state.heading[0] = (x, y), heading


def brute_force(env: MazeEnv) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Return segments and depth from the intersection of every ray with every wall."""
    state, maps = env.simulation.state, env.simulation.maps
    layout = state.layout[0]
    x, y, heading = *map(float, state.position[0]), float(state.heading[0])
    centre = (np.arange(SIZE) + 0.5 - SIZE / 2) / (SIZE / 2)
    dx = math.cos(heading) - math.sin(heading) * centre
    dy = math.sin(heading) + math.cos(heading) * centre
    depth = np.where(centre > 0, EYE_HEIGHT / np.maximum(centre, 1e-9), np.inf)
    depth = np.repeat(depth[:, None], SIZE, 1)
    segments = np.where(np.isfinite(depth), FLOOR, SKY)
    walls = [(0, *place) for place in np.argwhere(maps.horizontal[layout] >= 0)]
    walls += [(1, *place) for place in np.argwhere(maps.vertical[layout] >= 0)]
    for upright, row, col in walls:
        with np.errstate(divide="ignore", invalid="ignore"):
            t = (col - x) / dx if upright else (row - y) / dy
            along = y + t * dy - row if upright else x + t * dx - col
            height = EYE_HEIGHT - np.outer(centre, t)
        hit = (t > 0) & (along >= 0) & (along < 1) & (height >= 0) & (height <= 1)
        hit &= t < depth
        names, pictures = (
            (maps.vertical, maps.vertical_picture)
            if upright
            else (maps.horizontal, maps.horizontal_picture)
        )
        far_side = (col if upright else row) < (x if upright else y)
        picture = pictures[layout, row, col, int(far_side)]
        framed = (picture >= 0) & (np.abs(along - 0.5) < (PICTURE_HIGH - PICTURE_LOW) / 2)
        framed = framed & (height > 1 - PICTURE_HIGH) & (height < 1 - PICTURE_LOW)
        name = np.where(framed, PICTURE + int(picture), WALL + int(names[layout, row, col]))
        segments = np.where(hit, name, segments)
        depth = np.where(hit, t, depth)
    return segments, depth


@pytest.mark.parametrize("seed", range(4))
def test_segments_and_depth_against_brute_force(seed: int) -> None:
    env = MazeEnv(image_size=SIZE, level="nav_maze_2")
    env.reset(seed=seed)
    env.simulation.state.present[:] = False
    rng = np.random.default_rng(seed)
    kinds: set[int] = set()
    for _ in range(20):
        cell = rng.integers((15, 9))
        x, y = cell + rng.uniform(0.2, 0.8, 2)
        place_agent(env, x, y, rng.uniform(0, 2 * np.pi))
        truth = env.ground_truth()
        segments, depth = brute_force(env)
        same = truth.segments == segments
        assert same.mean() > 0.995
        np.testing.assert_allclose(truth.depth[same], depth[same], rtol=1e-3)
        kinds |= set((segments // SEGMENT_STRIDE).ravel().tolist())
    assert {SEGMENT_KINDS[kind] for kind in kinds} == {"sky", "floor", "wall", "picture"}


def test_wall_runs_are_numbered_apart() -> None:
    env = MazeEnv(layouts=[HALL], image_size=SIZE)
    env.reset(seed=0)
    seen = set()
    for heading in np.linspace(0, 2 * np.pi, 16):
        place_agent(env, 2.5, 1.5, heading)
        segments = env.ground_truth().segments
        seen |= set(segments[segments // SEGMENT_STRIDE == WALL // SEGMENT_STRIDE].tolist())
    assert len(seen) == 4


def show(env: MazeEnv, *things: tuple[str, float, float]) -> None:
    """Put these things, and no others, into the maze."""
    state = env.simulation.state
    state.present[:] = False
    for number, (name, x, y) in enumerate(things):
        state.present[0, number] = True
        state.kind[0, number] = KIND_NUMBERS[name]
        state.place[0, number] = x, y


def test_ball_has_the_right_size_place_and_depth() -> None:
    env = MazeEnv(layouts=[HALL], image_size=256)
    env.reset(seed=0)
    show(env, ("large red ball", 3.0, 1.5))
    place_agent(env, 1.0, 1.5, 0.0)
    truth = env.ground_truth()
    rows, cols = np.nonzero(truth.segments == OBJECT)
    radius, height, distance = 0.18, 0.22, 2.0
    assert cols.mean() == pytest.approx(127.5, abs=0.6)
    expected = 128 / math.sqrt(distance**2 - radius**2) * radius
    assert (cols.max() - cols.min() + 1) / 2 == pytest.approx(expected, abs=1)
    assert rows.mean() == pytest.approx(127.5 + 128 * (EYE_HEIGHT - height) / distance, abs=1.5)
    assert truth.depth[rows, cols].min() == pytest.approx(distance - radius, abs=0.02)
    assert truth.object_pixels[0] == len(rows)


def test_things_are_drawn_wherever_a_ray_meets_them() -> None:
    env = MazeEnv(layouts=[HALL], image_size=32)
    env.reset(seed=0)
    rng = np.random.default_rng(0)
    centre = (np.arange(32) + 0.5 - 16) / 16
    seen = 0
    for name in ("goal", "apple", "lemon", "large red cube", "large blue cone", "small cyan post"):
        for _ in range(8):
            x, y = rng.uniform((0.5, 0.5), (4.5, 2.5))
            heading = rng.uniform(0, 2 * np.pi)
            show(env, (name, 2.5, 1.5))
            place_agent(env, x, y, heading)
            x, y = map(float, env.simulation.state.position[0])
            cos, sin = math.cos(heading), math.sin(heading)
            expected = np.zeros((32, 32), np.bool_)
            for line, column in np.ndindex(32, 32):
                ray = cos - sin * centre[column], sin + cos * centre[column], -centre[line]
                hit = enter_kind(
                    env.simulation.kinds,
                    KIND_NUMBERS[name],
                    x - 2.5,
                    y - 1.5,
                    EYE_HEIGHT,
                    *ray,
                    np.inf,
                )
                expected[line, column] = hit[1] >= 0
            drawn = env.ground_truth().segments == OBJECT
            assert (drawn != expected).sum() <= 2
            seen += drawn.any()
    assert seen > 10


def test_near_things_hide_far_ones_and_walls_hide_things() -> None:
    layout = Layout.from_text("*********\n*   *   *\n*   *   *\n*       *\n*********")
    env = MazeEnv(layouts=[layout], image_size=64, level="collect_good_objects")
    env.reset(seed=0)
    place_agent(env, 0.3, 0.5, 0.0)
    show(env, ("large blue cube", 1.5, 0.5), ("small red ball", 1.8, 0.5), ("apple", 3.0, 0.5))
    pixels = env.ground_truth().object_pixels
    assert pixels[0] > 0
    assert pixels[1] == pixels[2] == 0


def test_things_on_the_right_are_drawn_on_the_right() -> None:
    env = MazeEnv(layouts=[HALL], image_size=64)
    env.reset(seed=0)
    show(env, ("apple", 2.0, 2.0))
    place_agent(env, 1.0, 1.5, 0.0)
    assert np.nonzero(env.ground_truth().segments >= OBJECT)[1].mean() > 40
    env.simulation.state.heading[0] = math.pi / 2
    place_agent(env, 2.5, 1.0, math.pi / 2)
    assert np.nonzero(env.ground_truth().segments >= OBJECT)[1].mean() > 40


def test_light_falls_with_distance_and_differs_between_faces() -> None:
    env = MazeEnv(layouts=[HALL], image_size=64)
    env.reset(seed=0)
    env.simulation.looks.texels[:] = 0x808080
    show(env)

    def middle(x: float, y: float, heading: float) -> float:
        place_agent(env, x, y, heading)
        return float(env.simulation.draw()[0][30, 32].mean())

    east, west = middle(4.0, 1.5, 0.0), middle(1.0, 1.5, math.pi)
    south, north = middle(2.5, 2.0, math.pi / 2), middle(2.5, 1.0, -math.pi / 2)
    assert len({east, west, south, north}) == 4
    assert middle(0.5, 1.5, 0.0) < middle(2.0, 1.5, 0.0) < east


@pytest.mark.parametrize("heading", [0.0, math.pi / 2, math.pi, 3 * math.pi / 2])
def test_walls_are_not_mirrored(heading: float) -> None:
    env = MazeEnv(layouts=[Layout.from_text("***\n* *\n***")], image_size=64)
    env.reset(seed=0)
    show(env)
    maps = env.simulation.maps
    maps.horizontal_picture[:] = maps.vertical_picture[:] = -1
    tile = np.zeros((128, 128, 3), np.uint8)
    tile[:, 64:, 0] = tile[64:, :, 1] = 200
    env.simulation.looks.texels[:] = mip_chain(tile)
    place_agent(env, 0.5, 0.5, heading)
    frame = env.simulation.draw()[0].astype(int)
    assert frame[30, 45, 0] > 100 > frame[30, 20, 0]
    assert frame[50, 32, 1] > 100 > frame[10, 32, 1]


def test_far_walls_do_not_shimmer() -> None:
    hall = ["*" * 61] + ["*" + " " * 59 + "*"] * 17 + ["*" * 61]
    env = MazeEnv(layouts=[Layout.from_text("\n".join(hall))])
    env.reset(seed=0)
    show(env)
    simulation = env.simulation
    fine = np.random.default_rng(0).integers(0, 256, (128, 128, 3)).astype(np.uint8)
    simulation.looks.texels[:] = mip_chain(fine)
    frames = []
    for y in np.linspace(4.3, 4.7, 16):
        place_agent(env, 1.0, y, 0.0)
        frames.append(simulation.draw()[0].astype(float))
    # the end of the hall, 29 cells away, covers the pixels in the middle
    far = np.stack(frames)[:, 32, 30:34].std(axis=0).mean()
    near = np.stack(frames)[:, 50:60, 20:44].std(axis=0).mean()
    assert far < 0.05 * near


@pytest.mark.parametrize("size", [8, 33, 64, 100])
def test_any_size(size: int) -> None:
    env = MazeEnv(image_size=size)
    frame, _ = env.reset(seed=0)
    truth = env.ground_truth()
    assert frame.shape == (size, size, 3)
    assert truth.segments.shape == truth.depth.shape == (size, size)


def test_picture_is_the_same_view_as_the_frame() -> None:
    env = MazeEnv(image_size=64)
    frame, _ = env.reset(seed=1)
    large = env.simulation.picture(0, 256).astype(float)
    small = large.reshape(64, 4, 64, 4, 3).mean(axis=(1, 3))
    assert np.abs(small - frame).mean() < 8


def test_camera_meets_the_floor_where_geometry_says() -> None:
    camera = make_camera(64, 128)
    line = 50
    angle = math.atan((line + 0.5 - 32) / 32)
    assert camera.row_distance[line] == pytest.approx(EYE_HEIGHT / math.tan(angle), rel=1e-5)
    assert np.isinf(camera.row_distance[:32]).all()
