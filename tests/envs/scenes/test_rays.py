"""The ray caster against MuJoCo's, on random objects."""

from __future__ import annotations

import mujoco
import numpy as np
import numpy.typing as npt
import pytest
from scipy.spatial.transform import Rotation

from ocrl_envs.scenes.physics import Bodies, build_model
from ocrl_envs.scenes.rays import FAR, is_blocked, nearest
from ocrl_envs.scenes.records import SURROUNDINGS, Stage, placed
from ocrl_envs.scenes.shapes import SIMPLE, THINGS, Shape, cube, normalised, records_of

Array = npt.NDArray[np.float64]
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


class Reference:
    """MuJoCo's own rays against the same bodies, the floor left out."""

    def __init__(self, shapes: list[Shape], bodies: Bodies) -> None:
        self.model = build_model(shapes, np.zeros(len(shapes)), 0.01)
        self.model.geom_pos[0, 2] = -1e6
        self.data = mujoco.MjData(self.model)
        self.data.qpos[:] = np.concatenate([bodies.positions, bodies.quaternions], axis=1).ravel()
        mujoco.mj_forward(self.model, self.data)

    def nearest(self, origin: Array, towards: Array) -> tuple[float, int, int, Array]:
        geom, normal = np.zeros(1, np.int32), np.zeros(3)
        distance = mujoco.mj_ray(self.model, self.data, origin, towards, None, 1, -1, geom, normal)
        if distance < 0 or geom[0] == 0:
            return FAR, -1, -1, np.zeros(3)
        return distance, self.model.geom_bodyid[geom[0]] - 1, geom[0] - 1, normal


def assert_same_hit(stage: Stage, reference: Reference, origin: Array, towards: Array) -> bool:
    distance, owner, part, normal = reference.nearest(origin, towards)
    hit = nearest(stage, tuple(origin), tuple(towards))
    assert is_blocked(stage, tuple(origin), tuple(towards)) == (owner >= 0)
    assert (hit.object, hit.part) == (owner, part)
    assert hit.distance == pytest.approx(distance, abs=1e-6)
    np.testing.assert_allclose(hit.normal, normal, atol=1e-5)
    return owner >= 0


@pytest.mark.parametrize("seed", range(6))
def test_hits_equal_mujocos(seed: int) -> None:
    shapes, bodies, stage = random_stage(seed, 6)
    reference = Reference(shapes, bodies)
    rng = np.random.default_rng(seed)
    hits = 0
    for _ in range(400):
        origin = rng.normal(size=3)
        origin = 8 * origin / np.linalg.norm(origin) + MIDDLE
        towards = rng.uniform(-2.5, 2.5, 3) + MIDDLE - origin
        hits += assert_same_hit(stage, reference, origin, towards / np.linalg.norm(towards))
    assert hits > 50


def test_rays_that_start_near_a_surface() -> None:
    """Shadow rays do, within the ball that stands for the object at first."""
    shapes = [normalised(cube(np.random.default_rng(0)), 1.0)] * 2
    still = np.zeros((2, 3))
    places = np.array([[0.0, 0.0, 4.0], [1.3, 0.0, 4.0]])
    bodies = Bodies(places, np.tile([1.0, 0.0, 0.0, 0.0], (2, 1)), still, still)
    stage = placed(Stage(*records_of(shapes), np.zeros(1, SURROUNDINGS)), places, bodies.rotations)
    reference = Reference(shapes, bodies)
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(200):
        # between the two cubes, 0.15 apart
        origin = np.array([0.65, *rng.uniform(-0.4, 0.4, 2)]) + MIDDLE
        towards = rng.normal(size=3)
        hits += assert_same_hit(stage, reference, origin, towards / np.linalg.norm(towards))
    assert hits > 100


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
