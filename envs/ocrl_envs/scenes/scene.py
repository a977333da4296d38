"""One video of falling and colliding things, with all that is known about it.

In the manner of MOVi (Greff et al., *Kubric: a scalable dataset generator*, 2022).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from ocrl_envs.scenes.appearance import outdoors, paint, pattern, studio
from ocrl_envs.scenes.camera import FIELD_OF_VIEW, views
from ocrl_envs.scenes.physics import Bodies, simulate
from ocrl_envs.scenes.recipes import Recipe
from ocrl_envs.scenes.records import Records, Stage, placed
from ocrl_envs.scenes.renderer import render
from ocrl_envs.scenes.shapes import Shape, normalised, records_of

Array = npt.NDArray[np.float64]
SETTLING_SECONDS = 2.0
# corners of the boxes in which objects start
THROWN = ((-3.5, -3.5, 1.0), (3.5, 3.5, 3.5))
RESTING = ((-4.5, -4.5, 0.0), (4.5, 4.5, 0.0))


@dataclass(frozen=True)
class Scene:
    """A video of T frames and N objects, and its ground truth.

    Attributes:
        video: uint8 (T, H, W, 3).
        segmentations: uint8 (T, H, W), 0 for the background, 1 to N for the objects.
        depth: float32 (T, H, W), distance along each pixel's ray, inf for the sky.
        forward_flow: float32 (T, H, W, 2), pixels right and down until the next frame.
        camera_positions: (T, 3).
        camera_rotations: (T, 3, 3); columns point right, up and backwards.
        field_of_view: vertical, in degrees.
        positions: (T, N, 3) of the objects.
        quaternions: (T, N, 4) of the objects, w first.
        velocities: (T, N, 3) of the objects.
        angular_velocities: (T, N, 3), each in the frame of its object.
        names: what each object is.
    """

    video: npt.NDArray[np.uint8]
    segmentations: npt.NDArray[np.uint8]
    depth: npt.NDArray[np.float32]
    forward_flow: npt.NDArray[np.float32]
    camera_positions: Array
    camera_rotations: Array
    field_of_view: float
    positions: Array
    quaternions: Array
    velocities: Array
    angular_velocities: Array
    names: tuple[str, ...]

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return what is stored of a scene, by name, in the layout of MOVi.

        Segmentations and depth have a last axis of one channel; depth and flow are float16.
        """
        return {
            "video": self.video,
            "segmentations": self.segmentations[..., None],
            "depth": self.depth[..., None].astype(np.float16),
            "forward_flow": self.forward_flow.astype(np.float16),
            "camera_positions": self.camera_positions,
            "camera_rotations": self.camera_rotations,
            "field_of_view": np.array(self.field_of_view),
            "positions": self.positions,
            "quaternions": self.quaternions,
            "velocities": self.velocities,
            "angular_velocities": self.angular_velocities,
            "names": np.array(self.names),
        }


def generate_scene(recipe: Recipe, seed: int | np.random.SeedSequence) -> Scene:
    """Return a random scene, the same for the same recipe and seed.

    Args:
        recipe: what scenes are made of.
        seed: of all that is random.

    Example:
        >>> from ocrl_envs.scenes.recipes import movi_a_like
        >>> generate_scene(movi_a_like(num_frames=2), seed=0).video.shape
        (2, 64, 64, 3)
    """
    rng = np.random.default_rng(seed)
    num_resting = int(rng.integers(*recipe.num_resting, endpoint=True))
    num_thrown = int(rng.integers(*recipe.num_thrown, endpoint=True))
    names, shapes = _draw_shapes(rng, recipe, num_resting + num_thrown)
    number = len(shapes)
    gloss = rng.uniform(0, 0.4, number) if recipe.textured else rng.choice([0.0, 0.85], number)
    bounciness = 0.6 - 0.4 * gloss
    start = _starting_bodies(rng, recipe, shapes, bounciness, num_resting)
    # One frame more than is shown, for the flow of the last.
    frames = simulate(shapes, bounciness, start, recipe.num_frames + 1, recipe.frames_per_second)
    cameras = views(rng, recipe.num_frames + 1, recipe.camera_distance, recipe.camera_travel)

    objects, parts = records_of(shapes)
    objects["gloss"] = gloss
    parts["texture"] = np.concatenate([t for shape in shapes for t in _dress(rng, recipe, shape)])
    around = outdoors(rng) if recipe.textured else studio(rng)
    stage = Stage(objects, parts, around)
    stages = [placed(stage, bodies.positions, bodies.rotations) for bodies in frames]
    pictures = [
        render(stages[t], cameras[t], stages[t + 1], cameras[t + 1], recipe.image_size)
        for t in range(recipe.num_frames)
    ]
    return Scene(
        video=np.stack([picture.frame for picture in pictures]),
        segmentations=np.stack([picture.segments for picture in pictures]),
        depth=np.stack([picture.depth for picture in pictures]),
        forward_flow=np.stack([picture.flow for picture in pictures]),
        camera_positions=np.concatenate([view["position"] for view in cameras[:-1]]),
        camera_rotations=np.concatenate(
            [np.stack([v["right"], v["up"], v["backward"]], axis=2) for v in cameras[:-1]]
        ),
        field_of_view=FIELD_OF_VIEW,
        positions=np.stack([bodies.positions for bodies in frames[:-1]]),
        quaternions=np.stack([bodies.quaternions for bodies in frames[:-1]]),
        velocities=np.stack([bodies.velocities for bodies in frames[:-1]]),
        angular_velocities=np.stack([bodies.angular_velocities for bodies in frames[:-1]]),
        names=tuple(names),
    )


def _draw_shapes(
    rng: np.random.Generator, recipe: Recipe, number: int
) -> tuple[list[str], list[Shape]]:
    kinds = [recipe.shapes[i] for i in rng.integers(len(recipe.shapes), size=number)]
    reaches = rng.uniform(*recipe.reach, number)
    shapes = [normalised(kind(rng), reach) for kind, reach in zip(kinds, reaches, strict=True)]
    return [kind.__name__ for kind in kinds], shapes


def _dress(rng: np.random.Generator, recipe: Recipe, shape: Shape) -> list[Records]:
    """Return the texture of each part of a shape: two per object, or one plain colour."""
    if not recipe.textured:
        return [paint(rng)] * len(shape)
    tones = pattern(rng), pattern(rng)
    return [tones[part.tone] for part in shape]


def _starting_bodies(
    rng: np.random.Generator,
    recipe: Recipe,
    shapes: list[Shape],
    bounciness: Array,
    num_resting: int,
) -> Bodies:
    """Lay some objects down and throw the others towards the middle, as MOVi does."""
    reaches = records_of(shapes)[0]["reach"]
    number = len(shapes)
    low, high = np.tile(THROWN, (number, 1, 1)).swapaxes(0, 1)
    low[:num_resting], high[:num_resting] = RESTING
    positions = _apart(rng, low, high, reaches)
    quaternions = Rotation.random(number, rng=rng).as_quat(scalar_first=True)
    velocities = rng.uniform(-4, 4, (number, 3)) - positions
    velocities[:, 2] = 0
    spins = rng.uniform(-3, 3, (number, 3))
    velocities[:num_resting] = spins[:num_resting] = 0
    if num_resting:
        fps = recipe.frames_per_second
        lying = Bodies(*(v[:num_resting] for v in (positions, quaternions, velocities, spins)))
        num_frames = round(SETTLING_SECONDS * fps)
        settled = simulate(shapes[:num_resting], bounciness[:num_resting], lying, num_frames, fps)
        positions[:num_resting] = settled[-1].positions
        quaternions[:num_resting] = settled[-1].quaternions
    return Bodies(positions, quaternions, velocities, spins)


def _apart(rng: np.random.Generator, low: Array, high: Array, reaches: Array) -> Array:
    """Return places for balls within boxes that do not overlap, if a few tries find any."""
    positions = np.empty_like(low)
    for i, reach in enumerate(reaches):
        tries = rng.uniform(low[i], high[i], (50, 3))
        tries[:, 2] = np.maximum(tries[:, 2], reach)
        gaps = np.linalg.norm(tries[:, None] - positions[:i], axis=2) - reaches[:i] - reach
        positions[i] = tries[gaps.min(axis=1, initial=0.0).argmax()]
    return positions
