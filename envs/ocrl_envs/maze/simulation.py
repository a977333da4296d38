"""The batch of mazes that both environments share: build, begin, step, draw."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ocrl_envs.errors import UsageError
from ocrl_envs.maze.appearance.looks import Looks
from ocrl_envs.maze.appearance.objects import KINDS, pack_kinds
from ocrl_envs.maze.appearance.styles import TEXTURE_SIZE
from ocrl_envs.maze.dynamics.episodes import begin_episode
from ocrl_envs.maze.dynamics.state import empty_state
from ocrl_envs.maze.dynamics.stepping import step_batch
from ocrl_envs.maze.layout.layout import Layout
from ocrl_envs.maze.layout.maps import Maps
from ocrl_envs.maze.rendering.camera import make_camera
from ocrl_envs.maze.rendering.mipmaps import shrink
from ocrl_envs.maze.rendering.raycast import render
from ocrl_envs.maze.rendering.views import Views, frames_only, truth_only
from ocrl_envs.maze.rng import random_state
from ocrl_envs.maze.task.levels import Level
from ocrl_envs.maze.task.rules import Rules

SUPERSAMPLING = 2


class Simulation:
    """N mazes of one level that are stepped and drawn together.

    Args:
        level: what to do.
        rules: the same as numbers.
        layouts: to play in.
        maps: the same as arrays.
        looks: textures.
        num_envs: N.
        image_size: height and width of the frames in pixels.
        action_repeat: decisions of 4 engine frames for which an action is held.
        senses: names of what observations hold beside the frame, see ``observations.SENSES``.

    Attributes:
        draws: whether observations are drawn. Where nobody looks at them, False saves the time;
            they are black then.
    """

    def __init__(
        self,
        level: Level,
        rules: Rules,
        layouts: Sequence[Layout],
        maps: Maps,
        looks: Looks,
        num_envs: int,
        image_size: int,
        action_repeat: int = 1,
        senses: Sequence[str] = (),
    ) -> None:
        self.level, self.rules = level, rules
        self.layouts, self.maps, self.looks = tuple(layouts), maps, looks
        self.num_envs, self.image_size = num_envs, image_size
        self.action_repeat, self.senses = action_repeat, tuple(senses)
        self.camera = make_camera(image_size, TEXTURE_SIZE)
        self.kinds = pack_kinds(KINDS)
        num_things = int(rules.has_goal) + rules.num_good + rules.num_bad
        self.state = empty_state(
            num_envs, num_things, looks.picture.shape[1], layouts[0].rows, layouts[0].cols
        )
        self.draws = True
        self._everyone = np.arange(num_envs)

    @property
    def frame_shape(self) -> tuple[int, int, int]:
        """Shape of one frame."""
        return self.image_size, self.image_size, 3

    def seed(self, index: int, seed: int) -> None:
        """Start the random numbers of one maze afresh."""
        self.state.rng[index] = random_state(seed)

    def begin(self, index: int, layout: int | None = None) -> None:
        """Begin an episode in one maze, in a layout given by number or drawn.

        Raises:
            UsageError: there is no such layout.
        """
        if layout is not None and layout not in range(len(self.layouts)):
            raise UsageError(
                f"no layout {layout}: this environment has layouts 0 to {len(self.layouts) - 1}"
            )
        begin_episode(
            self.maps,
            self.rules,
            self.looks,
            self.state,
            index,
            -1 if layout is None else int(layout),
        )

    def step(
        self, actions: npt.NDArray[np.int64], active: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.float64]:
        """Hold an action in each active maze and return the sums of rewards, float64 (N,).

        An episode whose time is up before the action has been held so often ends there.
        """
        rewards = np.zeros(self.num_envs, np.float64)
        for _ in range(self.action_repeat):
            step_batch(self.maps, self.rules, self.state, actions, active, rewards)
            active = active & ~self.out_of_time
        return rewards

    @property
    def out_of_time(self) -> npt.NDArray[np.bool_]:
        """Which episodes have reached their end, bool (N,)."""
        return self.state.steps >= self.level.num_steps

    def draw(
        self,
        frames: npt.NDArray[np.uint8] | None = None,
        which: npt.NDArray[np.int64] | None = None,
    ) -> npt.NDArray[np.uint8]:
        """Draw all mazes, or some of them into given frames, uint8 (N, H, W, 3)."""
        if frames is None:
            frames = np.empty((self.num_envs, *self.frame_shape), np.uint8)
        self._render(frames_only(frames), self._everyone if which is None else which)
        return frames

    def draw_truth(self) -> Views:
        """Return the segment and the depth of each pixel of all mazes; no colours are computed."""
        views = truth_only((self.num_envs, self.image_size, self.image_size))
        self._render(views, self._everyone)
        return views

    def picture(self, index: int, size: int) -> npt.NDArray[np.uint8]:
        """Return what one agent sees, uint8 (size, size, 3), sharper than the frames."""
        side = size * SUPERSAMPLING
        frames = np.empty((self.num_envs, side, side, 3), np.uint8)
        render(
            self.maps,
            self.state,
            self.looks,
            self.kinds,
            make_camera(side, TEXTURE_SIZE),
            np.array([index]),
            frames_only(frames),
        )
        return shrink(frames[index], SUPERSAMPLING)

    def summary(self, index: int) -> dict[str, float]:
        """Return the scores of the episode that one maze has played so far.

        Those of goals are left out where the level has none.
        """
        state = self.state
        apples = int(state.apples[index])
        if not self.level.has_goal:
            return {"apples": apples}
        success = bool(state.goals[index] > 0)
        shortest = float(state.shortest[index])
        way = max(float(state.travelled[index]), shortest)
        return {
            "goals": int(state.goals[index]),
            "apples": apples,
            "success": success,
            "spl": shortest / way if success and way > 0 else 0.0,
            "steps_to_goal": float(state.first_goal[index]) if success else float("nan"),
        }

    def _render(self, views: Views, which: npt.NDArray[np.int64]) -> None:
        render(self.maps, self.state, self.looks, self.kinds, self.camera, which, views)
