"""One maze behind the Gymnasium interface."""

from __future__ import annotations

from typing import Any, Unpack

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from ocrl_envs.errors import UsageError
from ocrl_envs.maze.dynamics.motion import ACTION_NAMES
from ocrl_envs.maze.ground_truth import GroundTruth, observe_truth
from ocrl_envs.maze.observations import Observation, observation_space, observe, of_env
from ocrl_envs.maze.options import MazeOptions, build_simulation
from ocrl_envs.maze.rendering.topdown import Trails
from ocrl_envs.maze.simulation import Simulation
from ocrl_envs.maze.world import MazeWorld

DECISIONS_PER_SECOND = 15
METADATA: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": DECISIONS_PER_SECOND}

Frame = npt.NDArray[np.uint8]


class MazeEnv(MazeWorld, gymnasium.Env[Observation, np.int64]):
    """A maze seen from inside; find the goal, collect apples.

    Observations are frames, uint8 (image_size, image_size, 3), with ``velocity=True`` a Dict, see
    ``observations.observation_space``; actions are the 8 of ``dynamics.motion.ACTION_NAMES``, each
    lasting 4 engine frames, or ``action_repeat`` times as long. An episode ends by the clock alone
    (``truncated``); ``info`` is empty until then, and then holds ``goals``, ``apples``,
    ``success``, ``spl`` and ``steps_to_goal`` (in decisions of 4 frames).

    ``reset`` takes ``options={"layout": number}`` to play in a given layout; together with a seed
    it gives the same episode every time.

    Args:
        render_mode: None, or "rgb_array" for a sharper view beside the map.
        **options: see ``MazeOptions``.

    Raises:
        UsageError: an option is not one of those that ``MazeOptions`` names.

    Example:
        >>> env = gymnasium.make("ocrl_envs:ocrl/NavMaze-v0", level="nav_maze_1", num_layouts=1)
        >>> frame, info = env.reset(seed=0)
        >>> frame, reward, terminated, truncated, info = env.step(2)
        >>> frame.shape, reward, info
        ((64, 64, 3), 0.0, {})
    """

    metadata = METADATA

    def __init__(self, render_mode: str | None = None, **options: Unpack[MazeOptions]) -> None:
        self.simulation = build_simulation(1, options)
        self.render_mode = check_render_mode(render_mode)
        self._trails = Trails(self.simulation) if render_mode else None
        self.metadata = frame_rate(self.simulation)
        self.observation_space = observation_space(self.simulation)
        self.action_space = spaces.Discrete(len(ACTION_NAMES))
        self._running = np.zeros(1, np.bool_)
        self._seeded = np.zeros(1, np.bool_)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an episode.

        Args:
            seed: of the random numbers; None goes on with them.
            options: ``{"layout": number}`` plays in that layout, otherwise one is drawn.

        Returns:
            The first observation and an empty dictionary.
        """
        super().reset(seed=seed)
        if seed is None and not self._seeded.any():
            seed = int(self.np_random.integers(2**63))
        if seed is not None:
            self.simulation.seed(0, seed)
        self._seeded[:] = self._running[:] = True
        self.simulation.begin(0, (options or {}).get("layout"))
        if self._trails:
            self._trails.begin(0)
        return of_env(observe(self.simulation), 0), {}

    def step(self, action: np.int64 | int) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Hold an action for 4 engine frames, or ``action_repeat`` times as long.

        Returns:
            Observation, reward, False (no episode ends but by the clock), whether the time is up,
            and the episode's scores if it is.
        """
        if not self._running.any():
            raise gymnasium.error.ResetNeeded("no episode is running: call reset() first")
        if not self.action_space.contains(action):
            raise UsageError(
                f"action {action}: choose an integer from 0 to {len(ACTION_NAMES) - 1}"
            )
        rewards = self.simulation.step(np.array([action], np.int64), np.ones(1, np.bool_))
        if self._trails:
            self._trails.extend()
        truncated = bool(self.simulation.out_of_time[0])
        self._running[:] = not truncated
        info: dict[str, Any] = self.simulation.summary(0) if truncated else {}
        observation = of_env(observe(self.simulation), 0)
        return observation, float(rewards[0]), False, truncated, info

    def render(self) -> Frame | None:
        """Return a sharper view beside the map, uint8 (512, 1024, 3), or None without a mode."""
        return self._trails.view_and_map(0) if self._trails else None

    def ground_truth(self) -> GroundTruth:
        """Return segments, depth, pose, distance to the goal and things, as they are now."""
        return observe_truth(self.simulation).of_env(0)


def frame_rate(simulation: Simulation) -> dict[str, Any]:
    """Return the metadata of an environment, with its own steps per second."""
    return METADATA | {"render_fps": DECISIONS_PER_SECOND / simulation.action_repeat}


def check_render_mode(render_mode: str | None) -> str | None:
    """Return a render mode if it is one.

    Raises:
        UsageError: it is not.
    """
    if render_mode not in (None, "rgb_array"):
        raise UsageError(f"no render_mode {render_mode!r}: choose 'rgb_array' or None")
    return render_mode
