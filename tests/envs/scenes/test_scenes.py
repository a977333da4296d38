"""Scenes: pictures agree with their ground truth, and chance with its seed."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy.spatial.transform import Rotation

from ocrl_envs.errors import UsageError
from ocrl_envs.scenes import (
    Recipe,
    Scene,
    generate_scene,
    generate_scenes,
    movi_a_like,
    movi_c_like,
    movi_e_like,
)

RECIPES = [movi_a_like, movi_c_like, movi_e_like]
Array = npt.NDArray[np.float64]


def project(scene: Scene, time: int, points: Array) -> Array:
    """World points (..., 3) as pixels (x, y) of a frame, by plain pinhole geometry."""
    height, width = scene.video.shape[1:3]
    seen = (points - scene.camera_positions[time]) @ scene.camera_rotations[time]
    focal = 0.5 * height / np.tan(np.radians(scene.field_of_view / 2))
    x = 0.5 * width + focal * seen[..., 0] / -seen[..., 2]
    y = 0.5 * height - focal * seen[..., 1] / -seen[..., 2]
    return np.stack([x, y], axis=-1)


def unproject(scene: Scene, time: int) -> Array:
    """World points (H, W, 3) that the pixels of a frame show, from its depth."""
    height, width = scene.video.shape[1:3]
    y, x = np.mgrid[:height, :width] + 0.5
    step = np.tan(np.radians(scene.field_of_view / 2)) / (0.5 * height)
    rays = np.stack([(x - 0.5 * width) * step, (0.5 * height - y) * step, -np.ones_like(x)], -1)
    rays = rays @ scene.camera_rotations[time].T
    rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
    return scene.camera_positions[time] + scene.depth[time][..., None] * rays


@pytest.mark.parametrize("make", RECIPES)
def test_same_seed_same_scene(make: Any) -> None:
    recipe = make(num_frames=3)
    first, again, other = (generate_scene(recipe, seed) for seed in (1, 1, 2))
    for field in fields(Scene):
        np.testing.assert_array_equal(getattr(first, field.name), getattr(again, field.name))
    assert (first.video != other.video).mean() > 0.5


def test_workers_change_nothing_and_more_scenes_add_to_fewer() -> None:
    recipe = movi_a_like(num_frames=2)
    alone = [scene.video for scene in generate_scenes(recipe, 4, seed=3)]
    shared = [scene.video for scene in generate_scenes(recipe, 5, seed=3, num_workers=2)]
    assert len(shared) == 5
    np.testing.assert_array_equal(np.stack(alone), np.stack(shared[:4]))


@pytest.mark.parametrize("make", RECIPES)
def test_depth_puts_the_floor_at_zero_and_objects_above(make: Any) -> None:
    scene = generate_scene(make(num_frames=4), seed=5)
    for time in range(4):
        points = unproject(scene, time)
        background = (scene.segmentations[time] == 0) & np.isfinite(scene.depth[time])
        assert np.abs(points[background, 2]).max() < 1e-3 * scene.depth[time][background].max()
        assert points[scene.segmentations[time] > 0, 2].min() > -0.1


@pytest.mark.parametrize("make", RECIPES)
def test_flow_is_the_motion_of_what_each_pixel_shows(make: Any) -> None:
    scene = generate_scene(make(num_frames=4), seed=6)
    height, width = scene.video.shape[1:3]
    y, x = np.mgrid[:height, :width] + 0.5
    moving = 0
    for time in range(3):
        points = unproject(scene, time)
        for thing in range(scene.positions.shape[1]):
            shown = scene.segmentations[time] == thing + 1
            here, there = (
                Rotation.from_quat(scene.quaternions[t, thing], scalar_first=True)
                for t in (time, time + 1)
            )
            local = here.inv().apply(points[shown] - scene.positions[time, thing]).reshape(-1, 3)
            points[shown] = there.apply(local) + scene.positions[time + 1, thing]
            moving += shown.sum()
        visible = np.isfinite(scene.depth[time])
        expected = project(scene, time + 1, points) - np.stack([x, y], -1)
        close = np.abs(expected).max(-1) < 20
        np.testing.assert_allclose(
            scene.forward_flow[time][visible & close], expected[visible & close], atol=5e-3
        )
    assert moving > 100


def test_camera_at_rest_and_moving() -> None:
    still, moving = generate_scene(movi_a_like(), 0), generate_scene(movi_e_like(), 0)
    assert np.ptp(still.camera_positions, axis=0).max() == 0
    background = still.segmentations == 0
    assert np.abs(still.forward_flow[background]).max() < 1e-3
    steps = np.diff(moving.camera_positions, axis=0)
    assert np.linalg.norm(steps, axis=1).min() > 0.01
    np.testing.assert_allclose(steps, steps[:1].repeat(len(steps), 0), atol=1e-9)
    for rotation in moving.camera_rotations:
        np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(rotation) == pytest.approx(1)
        assert abs(rotation[2, 0]) < 1e-12


def test_balls_are_drawn_where_they_are() -> None:
    recipe = movi_a_like(num_frames=6)
    checked = 0
    for seed in range(8):
        scene = generate_scene(recipe, seed)
        for thing, name in enumerate(scene.names):
            for time in range(6):
                shown = scene.segmentations[time] == thing + 1
                x, y = project(scene, time, scene.positions[time, thing])
                if name == "ball" and shown.sum() > 20 and 1 <= x < 63 and 1 <= y < 63:
                    # Its centre shows the ball, unless something nearer hides it.
                    front = scene.depth[time][int(y), int(x)]
                    distance = np.linalg.norm(
                        scene.positions[time, thing] - scene.camera_positions[time]
                    )
                    assert shown[int(y), int(x)] or front < distance
                    checked += 1
    assert checked > 10


def test_things_fall_and_stay_on_the_floor() -> None:
    for make in RECIPES:
        scene = generate_scene(make(), seed=7)
        assert scene.positions[..., 2].min() > 0
        assert np.abs(scene.positions).max() < 20
        assert np.isfinite(scene.positions).all()
        assert scene.positions[0, :, 2].max() > scene.positions[-1, :, 2].max()
        np.testing.assert_allclose(np.linalg.norm(scene.quaternions, axis=-1), 1, atol=1e-9)


def test_free_fall_is_newtons() -> None:
    recipe = movi_a_like(num_thrown=(1, 1), num_frames=3, frames_per_second=24.0)
    scene = max(
        (generate_scene(recipe, seed) for seed in range(4)), key=lambda s: s.positions[0, 0, 2]
    )
    height, speed = scene.positions[:, 0, 2], scene.velocities[:, 0, 2]
    assert height[0] > 2
    np.testing.assert_allclose(np.diff(speed), -9.81 / 24, rtol=1e-6)
    np.testing.assert_allclose(height[2] - height[0], -9.81 / 2 * (2 / 24) ** 2, rtol=0.05)


def test_resting_things_rest() -> None:
    recipe = movi_e_like(num_thrown=(0, 0), num_resting=(6, 6))
    speeds = np.linalg.norm(generate_scene(recipe, seed=1).velocities, axis=-1)
    assert np.median(speeds[1:]) < 0.2


def test_antialiasing_approaches_a_finer_picture() -> None:
    """Drawn at four times the size and averaged, the same scene looks the same."""
    small = generate_scene(movi_a_like(num_frames=1), seed=3)
    large = generate_scene(movi_a_like(num_frames=1, image_size=(256, 256)), seed=3)
    averaged = large.video[0].reshape(64, 4, 64, 4, 3).mean((1, 3))
    at_edges = np.zeros((64, 64), bool)
    ids = small.segmentations[0]
    at_edges[:, 1:] = ids[:, 1:] != ids[:, :-1]
    difference = np.abs(small.video[0] - averaged).mean(-1)
    jagged = np.abs(large.video[0, 2::4, 2::4] - averaged).mean(-1)
    assert at_edges.sum() > 40
    assert difference[at_edges].mean() < 0.6 * jagged[at_edges].mean()
    assert difference.mean() < 2
    agreement = (large.segmentations[0, 2::4, 2::4] == ids).mean()
    assert agreement > 0.97


def test_recipes_differ_as_they_say() -> None:
    textured, plain = generate_scene(movi_c_like(), 0), generate_scene(movi_a_like(), 0)
    assert set(plain.names) <= {"cube", "ball", "cylinder"}
    inner = plain.segmentations[0] == 0
    assert plain.video[0][inner].std(0).max() < textured.video[0].reshape(-1, 3).std(0).max()
    many = [len(generate_scene(movi_e_like(num_frames=1), seed).names) for seed in range(5)]
    assert min(many) >= 9
    assert max(many) <= 19


def test_stored_arrays_follow_movis_layout() -> None:
    scene = generate_scene(movi_a_like(num_frames=2), 0)
    arrays = scene.arrays()
    assert arrays["video"].shape == (2, 64, 64, 3)
    assert arrays["segmentations"].shape == arrays["depth"].shape == (2, 64, 64, 1)
    assert arrays["forward_flow"].shape == (2, 64, 64, 2)
    assert all(not array.dtype.hasobject for array in arrays.values())
    assert arrays["names"].tolist() == list(scene.names)


def test_bad_recipes_are_refused() -> None:
    with pytest.raises(UsageError, match="1 to 255 objects"):
        movi_a_like(num_thrown=(0, 4))
    with pytest.raises(UsageError, match="1 to 255 objects"):
        movi_e_like(num_resting=(10, 300))
    with pytest.raises(UsageError, match="larger numbers"):
        movi_a_like(image_size=(8, 8))
    for changes in (
        {"num_thrown": (5, 1)},
        {"num_resting": (-2, 0)},
        {"reach": (1.0, 0.5)},
        {"reach": (0.0, 1.0)},
        {"camera_distance": (0.0, 0.0)},
        {"camera_travel": -1.0},
    ):
        with pytest.raises(UsageError, match=next(iter(changes))):
            movi_e_like(**changes)
    with pytest.raises(TypeError):
        Recipe(shapes=(), textured=True)
