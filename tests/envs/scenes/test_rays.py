"""The ray caster against MuJoCo's, on random objects."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from envs.scenes.physics import Bodies, build_model
from envs.scenes.rays import FAR, is_blocked, nearest
from envs.scenes.records import SURROUNDINGS, Stage, placed
from envs.scenes.shapes import SIMPLE, THINGS, Shape, normalised, records_of

MIDDLE = np.array([0.0, 0.0, 4.0])


def random_stage(seed: int, number: int) -> tuple[list[Shape], Bodies, Stage]:
    rng = np.random.default_rng(seed)
    kinds = [*SIMPLE, *THINGS]
    shapes = [normalised(kinds[(seed + i) % len(kinds)](rng), 0.8) for i in range(number)]
    still = np.zeros((number, 3))
    turns = Rotation.random(number, rng=rng).as_quat(scalar_first=True)
    places = rng.uniform(-2, 2, (number, 3)) + MIDDLE
    bodies = Bodies(places, turns, still, still)
    stage = Stage(*records_of(shapes), np.zeros(1, SURROUNDINGS))
    return shapes, bodies, placed(stage, bodies.positions, bodies.rotations)


@pytest.mark.parametrize("seed", range(6))
def test_hits_equal_mujocos(seed: int) -> None:
    shapes, bodies, stage = random_stage(seed, 6)
    model = build_model(shapes, np.zeros(6), 0.01)
    data = mujoco.MjData(model)
    data.qpos[:] = np.concatenate([bodies.positions, bodies.quaternions], axis=1).ravel()
    mujoco.mj_forward(model, data)
    rng = np.random.default_rng(seed)
    geom, normal = np.zeros(1, np.int32), np.zeros(3)
    hits = 0
    for _ in range(400):
        origin = rng.normal(size=3)
        origin = 8 * origin / np.linalg.norm(origin) + MIDDLE
        towards = rng.uniform(-2.5, 2.5, 3) + MIDDLE - origin
        towards /= np.linalg.norm(towards)
        group = np.array([1, 1, 1, 1, 1, 1], np.uint8)
        distance = mujoco.mj_ray(model, data, origin, towards, group, 1, -1, geom, normal)
        if geom[0] == 0:  # the floor
            distance = -1.0
        hit = nearest(stage, tuple(origin), tuple(towards))
        assert is_blocked(stage, tuple(origin), tuple(towards)) == (hit.object >= 0)
        if distance < 0:
            assert hit.object == -1 or origin[2] < 0
            continue
        hits += 1
        assert hit.distance == pytest.approx(distance, abs=1e-6)
        assert hit.object == model.geom_bodyid[geom[0]] - 1
        assert hit.part == geom[0] - 1
        np.testing.assert_allclose(hit.normal, normal, atol=1e-5)
    assert hits > 50


def test_rays_that_miss_are_far() -> None:
    _, _, stage = random_stage(0, 3)
    hit = nearest(stage, (0.0, 0.0, 20.0), (0.0, 0.0, 1.0))
    assert (hit.distance, hit.object, hit.part) == (FAR, -1, -1)


@pytest.mark.parametrize("kind", THINGS + SIMPLE, ids=lambda kind: kind.__name__)
def test_shapes_fit_their_reach(kind) -> None:
    shape = normalised(kind(np.random.default_rng(0)), 0.7)
    objects, parts = records_of([shape])
    assert objects["reach"][0] == pytest.approx(0.7)
    assert len(parts) == len(shape)
    assert {part.tone for part in shape} <= {0, 1}
