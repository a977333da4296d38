"""Many mazes behind the Gymnasium interface, stepped and drawn in one call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from ocrl_envs.errors import UsageError
from ocrl_envs.maze.dynamics.motion import ACTION_NAMES
from ocrl_envs.maze.env import check_render_mode, frame_rate
from ocrl_envs.maze.ground_truth import GroundTruth, observe_truth
from ocrl_envs.maze.observations import (
    Observation,
    observation_space,
    observe,
    of_env,
    renew,
)
from ocrl_envs.maze.options import MazeOptions, build_simulation
from ocrl_envs.maze.rendering.topdown import Trails
from ocrl_envs.maze.world import MazeWorld

Frames = npt.NDArray[np.uint8]
Batch = npt.NDArray[Any]
StepResult = tuple[Observation, Batch, Batch, Batch, dict[str, Any]]


class MazeVectorEnv(MazeWorld, VectorEnv[Observation, Batch, Batch]):
    """N mazes, identical to N ``MazeEnv``.

    ``reset(seed=s)`` gives environment i the seed that ``env_seeds(s, N)[i]`` names;
    ``reset(seed=[...])`` names them. ``reset(options={"layout": [...]})`` plays in the given
    layouts. ``ground_truth()`` describes the mazes as they are after the last call: under
    ``SAME_STEP``, an ended episode's next one.

    Args:
        num_envs: N.
        autoreset_mode: when a maze whose episode has ended begins the next: in the same step
            (``SAME_STEP``, last frame and scores in ``final_obs`` and ``final_info``), in the
            next (``NEXT_STEP``), or when ``reset(options={"reset_mask": ...})`` says so
            (``DISABLED``).
        render_mode: None, or "rgb_array" for a sharper view beside the map.
        **options: see ``MazeOptions``.

    Raises:
        UsageError: an option is not one of those that ``MazeOptions`` names.

    Example:
        >>> envs = gymnasium.make_vec("ocrl_envs:ocrl/NavMaze-v0", num_envs=3, num_layouts=1)
        >>> frames, infos = envs.reset(seed=0)
        >>> frames, rewards, terminations, truncations, infos = envs.step(np.array([2, 2, 0]))
        >>> frames.shape
        (3, 64, 64, 3)
    """

    def __init__(
        self,
        num_envs: int = 1,
        autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
        **options: Unpack[MazeOptions],
    ) -> None:
        self.simulation = build_simulation(num_envs, options)
        self.num_envs = num_envs
        self.autoreset_mode = as_autoreset_mode(autoreset_mode)
        self.metadata = frame_rate(self.simulation) | {"autoreset_mode": self.autoreset_mode}
        self.render_mode = check_render_mode(render_mode)
        self._trails = Trails(self.simulation) if render_mode else None
        self.single_observation_space = observation_space(self.simulation)
        self.single_action_space = spaces.Discrete(len(ACTION_NAMES))
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._seeded = np.zeros(num_envs, np.bool_)
        self._running = np.zeros(num_envs, np.bool_)

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an episode in all mazes, or in those of a mask.

        Args:
            seed: one for all, from which each maze gets its own, or one for each; None goes on.
            options: ``"layout"``: numbers of the layouts, one for each maze or one for all;
                ``"reset_mask"``: bool (N,), which mazes begin.

        Returns:
            Observations, each array with a first axis of N, and an empty dictionary.
        """
        options = options or {}
        mask = self._check_mask(options.get("reset_mask"))
        layouts = self._own_layouts(options.get("layout"))
        for index, own_seed in enumerate(self._own_seeds(seed)):
            if not mask[index]:
                continue
            if own_seed is None and not self._seeded[index]:
                own_seed = int(self.np_random.integers(2**63))
            if own_seed is not None:
                self.simulation.seed(index, own_seed)
                self._seeded[index] = True
            self._begin(index, layouts[index])
        return observe(self.simulation), {}

    def step(self, actions: Batch) -> StepResult:
        """Hold an action in each maze for 4 engine frames, or ``action_repeat`` times as long.

        Args:
            actions: integers (N,).

        Returns:
            Observations, rewards, terminations (all False), truncations and infos.
        """
        given = np.asarray(actions)
        is_whole = np.issubdtype(given.dtype, np.integer) and given.shape == (self.num_envs,)
        if not is_whole or given.min() < 0 or given.max() >= len(ACTION_NAMES):
            raise UsageError(
                f"actions {given.tolist()}: give {self.num_envs} integers from 0 to "
                f"{len(ACTION_NAMES) - 1}"
            )
        actions = given.astype(np.int64)
        if not self._seeded.all():
            raise gymnasium.error.ResetNeeded("no episodes are running: call reset() first")
        waiting = ~self._running
        if waiting.any() and self.autoreset_mode is not AutoresetMode.NEXT_STEP:
            over = np.flatnonzero(waiting).tolist()
            raise gymnasium.error.ResetNeeded(
                f"the episodes of {over} have ended: call reset() with a reset_mask first"
            )
        rewards = self.simulation.step(actions, self._running)
        if self._trails:
            self._trails.extend()
        for index in np.flatnonzero(waiting):
            self._begin(int(index))
        truncations = self.simulation.out_of_time
        observations = observe(self.simulation)
        infos: dict[str, Any] = {}
        ended = np.flatnonzero(truncations)
        for index in ended:
            self._end(int(index), observations, infos)
        if self.autoreset_mode is AutoresetMode.SAME_STEP and len(ended):
            renew(self.simulation, observations, ended)
        return observations, rewards, np.zeros(self.num_envs, np.bool_), truncations, infos

    def render(self) -> tuple[Frames, ...] | None:
        """Return, for each maze, what ``MazeEnv.render`` does."""
        if self._trails is None:
            return None
        return tuple(self._trails.view_and_map(index) for index in range(self.num_envs))

    def ground_truth(self) -> GroundTruth:
        """Return segments, depth, poses, distances to the goal and things, as they are now."""
        return observe_truth(self.simulation)

    def _begin(self, index: int, layout: int | None = None) -> None:
        self.simulation.begin(index, layout)
        if self._trails:
            self._trails.begin(index)
        self._running[index] = True

    def _end(self, index: int, observations: Observation, infos: dict[str, Any]) -> None:
        """Report the scores of an episode, and begin the next if it is time."""
        scores = self.simulation.summary(index)
        if self.autoreset_mode is AutoresetMode.SAME_STEP:
            final = {"final_obs": of_env(observations, index), "final_info": scores}
            infos.update(self._add_info(infos, final, index))
            self._begin(index)
        else:
            infos.update(self._add_info(infos, scores, index))
            self._running[index] = False

    def _check_mask(self, mask: Any) -> npt.NDArray[np.bool_]:
        """Return which mazes to begin."""
        checked = np.ones(self.num_envs, np.bool_) if mask is None else np.asarray(mask)
        if checked.dtype != np.bool_ or checked.shape != (self.num_envs,):
            raise UsageError(f"reset_mask {mask}: give {self.num_envs} booleans")
        return checked

    def _own_layouts(self, layout: Any) -> list[int | None]:
        """Return the layout of each maze, None where it is to be drawn."""
        if np.ndim(layout) == 0:
            return [layout] * self.num_envs
        if len(layout) != self.num_envs:
            raise UsageError(
                f"{len(layout)} layouts for {self.num_envs} environments: give one number, "
                "or as many as there are environments"
            )
        return list(layout)

    def _own_seeds(self, seed: int | Sequence[int | None] | None) -> list[int | None]:
        """Return the seed of each maze."""
        if seed is None:
            return [None] * self.num_envs
        if isinstance(seed, int | np.integer):
            super().reset(seed=int(seed))
            return list(env_seeds(int(seed), self.num_envs))
        if len(seed) != self.num_envs:
            raise UsageError(
                f"{len(seed)} seeds for {self.num_envs} environments: give one integer, "
                "or as many as there are environments"
            )
        return list(seed)


def env_seeds(seed: int, num_envs: int) -> list[int]:
    """Return the seed of each environment of a batch; neighbouring batches share none.

    Example:
        >>> env_seeds(0, 2) == env_seeds(0, 3)[:2]
        True
    """
    return [int(word) for word in np.random.SeedSequence(seed).generate_state(num_envs, np.uint64)]


def as_autoreset_mode(mode: str | AutoresetMode) -> AutoresetMode:
    """Return an autoreset mode given as such or by its name, e.g. "SAME_STEP".

    Raises:
        UsageError: there is no such mode.
    """
    if isinstance(mode, AutoresetMode):
        return mode
    if mode not in AutoresetMode.__members__:
        raise UsageError(
            f"no autoreset_mode {mode!r}: choose one of {list(AutoresetMode.__members__)}"
        )
    return AutoresetMode[mode]
