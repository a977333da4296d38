"""What a learner may not see and an evaluation needs, computed when asked for."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from ocrl_envs.maze.rendering.views import OBJECT
from ocrl_envs.maze.simulation import Simulation


@dataclass(frozen=True)
class GroundTruth:
    """The truth about N mazes with K things each; of a single environment without the N.

    Lengths are in cells, x to the east, y to the south.

    Attributes:
        segments: uint16 (N, H, W), ``kind * 4096 + index`` with kind a place in
            ``SEGMENT_KINDS``; index counts wall runs, pictures or things of the maze.
        depth: float32 (N, H, W), distance along the view; inf in the sky.
        position: float32 (N, 2), (x, y) of the agent.
        heading: float32 (N,), radians in [0, 2 pi); 0 looks east, pi / 2 south.
        cell: int64 (N, 2), (row, column) of the agent.
        goal_distance: float32 (N,), steps between cells to the goal; nan without a goal.
        object_kind: int64 (N, K), place in ``appearance.objects.KINDS``; -1: no such thing.
        object_position: float32 (N, K, 2), (x, y).
        object_present: bool (N, K), False once taken.
        object_pixels: int64 (N, K), pixels of the frame that show the thing; 0: not visible.
    """

    segments: npt.NDArray[np.uint16]
    depth: npt.NDArray[np.float32]
    position: npt.NDArray[np.float32]
    heading: npt.NDArray[np.float32]
    cell: npt.NDArray[np.int64]
    goal_distance: npt.NDArray[np.float32]
    object_kind: npt.NDArray[np.int64]
    object_position: npt.NDArray[np.float32]
    object_present: npt.NDArray[np.bool_]
    object_pixels: npt.NDArray[np.int64]

    def of_env(self, index: int) -> GroundTruth:
        """Return the truth about one maze, without the axis over mazes."""
        return GroundTruth(
            **{field.name: getattr(self, field.name)[index] for field in fields(self)}
        )


def goal_distances(simulation: Simulation) -> npt.NDArray[np.float32]:
    """Return the number of steps between cells to each goal, float32 (N,); nan without a goal."""
    state = simulation.state
    cell = state.position.astype(np.int64)
    steps = state.distance[np.arange(simulation.num_envs), cell[:, 1], cell[:, 0]]
    return (
        steps.astype(np.float32)
        if simulation.level.has_goal
        else np.full(len(steps), np.nan, np.float32)
    )


def observe_truth(simulation: Simulation) -> GroundTruth:
    """Return the truth about all mazes of a simulation as they are now."""
    state = simulation.state
    views = simulation.draw_truth()
    num_things = state.kind.shape[1]
    flat = views.segments.reshape(simulation.num_envs, -1).astype(np.int64) - OBJECT
    pixels = np.stack(
        [np.bincount(row[row >= 0], minlength=num_things)[:num_things] for row in flat]
    )
    return GroundTruth(
        segments=views.segments,
        depth=views.depth,
        position=state.position.copy(),
        heading=state.heading.copy(),
        cell=state.position[:, ::-1].astype(np.int64),
        goal_distance=goal_distances(simulation),
        object_kind=state.kind.copy(),
        object_position=state.place.copy(),
        object_present=state.present.copy(),
        object_pixels=pixels,
    )
