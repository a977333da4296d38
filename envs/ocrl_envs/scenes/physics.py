"""Rigid bodies that fall and collide: MuJoCo."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from ocrl_envs.scenes.rays import BOX, CAPSULE, CYLINDER, ELLIPSOID
from ocrl_envs.scenes.shapes import Shape

try:
    import mujoco
except ModuleNotFoundError as error:
    advice = "mujoco is not installed: pip install 'ocrl[maze]'"
    raise ModuleNotFoundError(advice, name=error.name) from error

SUBSTEPS = 10
FRICTION = [0.6, 0.02, 0.01]  # sliding, spinning, rolling
GEOMS = {
    ELLIPSOID: mujoco.mjtGeom.mjGEOM_ELLIPSOID,
    BOX: mujoco.mjtGeom.mjGEOM_BOX,
    CYLINDER: mujoco.mjtGeom.mjGEOM_CYLINDER,
    CAPSULE: mujoco.mjtGeom.mjGEOM_CAPSULE,
}


@dataclass(frozen=True)
class Bodies:
    """Rigid bodies at one time.

    Attributes:
        positions: (N, 3).
        quaternions: (N, 4), w first.
        velocities: (N, 3).
        angular_velocities: (N, 3), in the frame of each body.
    """

    positions: npt.NDArray[np.float64]
    quaternions: npt.NDArray[np.float64]
    velocities: npt.NDArray[np.float64]
    angular_velocities: npt.NDArray[np.float64]

    @property
    def rotations(self) -> npt.NDArray[np.float64]:
        """Rotation matrices (N, 3, 3)."""
        matrices: npt.NDArray[np.float64] = Rotation.from_quat(
            self.quaternions, scalar_first=True
        ).as_matrix()
        return matrices


def simulate(
    shapes: list[Shape],
    bounciness: npt.NDArray[np.float64],
    start: Bodies,
    num_frames: int,
    frames_per_second: float,
) -> list[Bodies]:
    """Let bodies move over the plane z = 0.

    Args:
        shapes: of the bodies.
        bounciness: 0 to 1 of each body.
        start: the first frame.
        num_frames: how many frames to return, the first one included.
        frames_per_second: between frames.
    """
    model = build_model(shapes, bounciness, 1.0 / frames_per_second / SUBSTEPS)
    data = mujoco.MjData(model)
    data.qpos[:] = np.concatenate([start.positions, start.quaternions], axis=1).ravel()
    data.qvel[:] = np.concatenate([start.velocities, start.angular_velocities], axis=1).ravel()
    frames = [start]
    for _ in range(num_frames - 1):
        mujoco.mj_step(model, data, SUBSTEPS)
        position, velocity = data.qpos.reshape(-1, 7).copy(), data.qvel.reshape(-1, 6).copy()
        frames.append(Bodies(position[:, :3], position[:, 3:], velocity[:, :3], velocity[:, 3:]))
    return frames


def build_model(
    shapes: list[Shape], bounciness: npt.NDArray[np.float64], timestep: float
) -> mujoco.MjModel:
    """Return a model of free bodies over a plane; geom 0 is the plane, the parts follow."""
    spec = mujoco.MjSpec()
    spec.option.timestep = timestep
    spec.worldbody.add_geom(type=mujoco.mjtGeom.mjGEOM_PLANE, size=[0, 0, 1], friction=FRICTION)
    for shape, bounce in zip(shapes, bounciness, strict=True):
        body = spec.worldbody.add_body()
        body.add_freejoint()
        for part in shape:
            quaternion = np.empty(4)
            mujoco.mju_mat2Quat(quaternion, part.rotation.ravel())
            body.add_geom(
                type=GEOMS[part.kind],
                size=part.size,
                pos=part.offset,
                quat=quaternion,
                density=100.0,
                friction=FRICTION,
                # Little damping of contacts is what makes a body bounce.
                solref=[0.02, 1.0 - 0.85 * bounce],
                condim=6,
            )
    return spec.compile()
