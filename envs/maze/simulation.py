"""The batch of mazes that both environments share: build, begin, step, draw."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from envs.errors import UsageError
from envs.maze.camera import make_camera
from envs.maze.episodes import begin_episode
from envs.maze.layouts import Layout
from envs.maze.levels import Level
from envs.maze.looks import NUM_PICTURES, choose_looks
from envs.maze.mipmaps import shrink
from envs.maze.objects import KIND_NUMBERS, KINDS, pack_kinds, solid_numbers
from envs.maze.raycast import render
from envs.maze.rng import random_state
from envs.maze.stepping import step_batch
from envs.maze.styles import TEXTURE_SIZE
from envs.maze.views import Views, frames_only
from envs.maze.world import Rules, build_maps, empty_state

SUPERSAMPLING = 2
CELLS_PER_PICTURE = 8


class Simulation:
    """N mazes of one level that are stepped and drawn together.

    Args:
        level: what to do.
        layouts: to play in, all of one size.
        num_envs: N.
        image_size: height and width of the frames in pixels.
        textures: "procedural" or "labmaze".
        texture_split: "train" or "test" looks.
        object_split: "train" or "test" kinds of things.
        fix_layout: all episodes in the first layout.
        fix_goal: goal and things where the layout, not the episode, puts them.
        fix_start: the agent starts where the layout, not the episode, puts it.

    Raises:
        UsageError: layouts of different sizes, or a picture size below 8.
    """

    def __init__(
        self,
        level: Level,
        layouts: Sequence[Layout],
        num_envs: int,
        image_size: int,
        textures: str,
        texture_split: str,
        object_split: str,
        fix_layout: bool,
        fix_goal: bool,
        fix_start: bool,
    ) -> None:
        if image_size < 8:
            raise UsageError(f"image_size={image_size} is too small: choose at least 8 pixels")
        self.level = level
        self.layouts = tuple(layouts)
        self.num_envs = num_envs
        self.image_size = image_size
        self.rows, self.cols = layouts[0].rows, layouts[0].cols
        self.camera = make_camera(image_size, TEXTURE_SIZE)
        self.kinds = pack_kinds(KINDS)
        num_pictures = min(1 + self.rows * self.cols // CELLS_PER_PICTURE, NUM_PICTURES)
        self.maps = build_maps(layouts, num_pictures)
        self.looks = choose_looks(textures, texture_split, self.maps.seed, num_pictures)
        self.rules = self._make_rules(object_split == "test", fix_layout, fix_goal, fix_start)
        num_things = int(level.has_goal) + level.num_good + level.num_bad
        self.state = empty_state(num_envs, num_things, self.rows, self.cols)
        self._everyone = np.arange(num_envs)

    def _make_rules(
        self, held_out: bool, fix_layout: bool, fix_goal: bool, fix_start: bool
    ) -> Rules:
        level = self.level
        prefix = "held-out " if held_out else ""
        if level.collects == "solids":
            good, bad = solid_numbers(True, held_out), solid_numbers(False, held_out)
        else:
            good, bad = [KIND_NUMBERS[f"{prefix}apple"]], [KIND_NUMBERS[f"{prefix}lemon"]]
        return Rules(
            num_good=level.num_good,
            num_bad=level.num_bad,
            goal_kind=KIND_NUMBERS[f"{prefix}goal"],
            good_kinds=np.array(good, np.int64),
            bad_kinds=np.array(bad, np.int64),
            has_goal=level.has_goal,
            fix_layout=fix_layout,
            fix_goal=fix_goal,
            fix_start=fix_start,
            min_start_distance=level.min_start_distance if level.has_goal else 0,
        )

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
        if layout is not None and not 0 <= layout < len(self.layouts):
            raise UsageError(
                f"no layout {layout}: this environment has layouts 0 to {len(self.layouts) - 1}"
            )
        begin_episode(self.maps, self.rules, self.state, index, -1 if layout is None else layout)

    def step(
        self, actions: npt.NDArray[np.int64], active: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.float64]:
        """Take one decision in each active maze and return the rewards, float64 (N,)."""
        rewards = np.empty(self.num_envs, np.float64)
        step_batch(self.maps, self.rules, self.state, actions, active, rewards)
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

    def draw_with_truth(self) -> Views:
        """Draw all mazes with the segment and the depth of each pixel."""
        shape = (self.num_envs, self.image_size, self.image_size)
        views = Views(
            np.empty((*shape, 3), np.uint8), np.empty(shape, np.uint16), np.empty(shape, np.float32)
        )
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
        """Return the scores of the episode that one maze has played so far."""
        state = self.state
        success = bool(state.goals[index] > 0)
        shortest = float(state.shortest[index])
        way = max(float(state.travelled[index]), shortest)
        return {
            "goals": int(state.goals[index]),
            "apples": int(state.apples[index]),
            "success": success,
            "spl": shortest / way if success and way > 0 else 0.0,
            "steps_to_goal": float(state.first_goal[index]) if success else float("nan"),
        }

    def _render(self, views: Views, which: npt.NDArray[np.int64]) -> None:
        render(self.maps, self.state, self.looks, self.kinds, self.camera, which, views)
