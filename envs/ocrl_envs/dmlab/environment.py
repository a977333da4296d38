"""One DeepMind Lab as a Gymnasium environment."""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium.error import ResetNeeded

from ocrl_envs.dmlab.actions import NO_ACTION, action_space, engine_action
from ocrl_envs.dmlab.engine_output import engine_output_hidden
from ocrl_envs.dmlab.entity_layer import entity_layers
from ocrl_envs.dmlab.lab import check_installed, open_lab
from ocrl_envs.dmlab.level_cache import LevelCache
from ocrl_envs.dmlab.named_mazes import maze_texts
from ocrl_envs.dmlab.observations import (
    EngineObservation,
    Observation,
    engine_names,
    frame,
    observation,
    observation_names,
    observation_space,
)
from ocrl_envs.dmlab.seeds import texture_seed
from ocrl_envs.dmlab.settings import engine_settings
from ocrl_envs.errors import UsageError

FRAMES_PER_SECOND = 60
GOAL_REWARD = 10
RENDERERS = ("software", "hardware")
METADATA: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": FRAMES_PER_SECOND / 4}


class DeepMindLabEnv(gymnasium.Env[Any, Any]):
    """A level of DeepMind Lab.

    Episodes end by the clock alone, so they are truncated, never terminated; the last observation
    is the last that the engine gave. Every reset draws its seed from the environment's own
    generator, ``np_random``. The engine starts with the first reset. Its state is global, so there
    is one at a time in a process: ``make_vector_env`` runs several.

    The ``info`` of an episode's last step has ``goals`` (rewards of +10), ``apples`` (of +1),
    ``success`` (whether a goal was reached) and ``maze`` (the index of the maze text, else 0).

    Args:
        level: a name in ``LEVELS`` or ``GENERATED_LEVELS``, or a path below DeepMind Lab's
            ``game_scripts/levels``.
        image_size: side of the frames, or height and width, in pixels: multiples of 4.
        observations: ``rgb``, and any of ``depth``, ``velocity``, ``pose``, ``instruction``. The
            frame alone is a Box, more is a Dict: see ``observation_space``.
        velocity: observe ``velocity`` too, whatever ``observations`` says.
        pose: likewise.
        actions: ``navigation8``, ``impala9``, ``extended15`` or ``raw``: see ``action_space``.
        decision_frames: engine frames, 60 a second, of a decision.
        action_repeat: decisions for which an action is held.
        renderer: ``software`` (on the processor) or ``hardware`` (on the graphics card).
        level_cache: where compiled maps are kept, or the folder for it; generated levels are slow
            without.
        maze_text: a layout of the embedded maze for a generated level, or several of which every
            episode draws one: see ``entity_layer``.
        mazes_of: a level of the embedded maze, whose layouts take the place of ``maze_text``.
        split: of these layouts: ``train``, ``validation`` or ``test``.
        num_layouts: how many of them, the first ones; None: all.
        texture_seeds: seeds for each maze text, from which every episode draws one. Textures and
            the first start come from the seed, so a new seed is a new map to compile, and few make
            the level cache hit. None: a new seed for every episode.
        mixer_seed: mixed into every seed: other ones generate other maps.
        settings: further settings of the level, for instance ``{"episodeLengthSeconds": 30}``.
        render_mode: None or ``rgb_array``.

    Raises:
        UsageError: ``deepmind_lab`` is not installed, or an argument is out of range.

    Example:
        >>> env = DeepMindLabEnv("nav_maze_1")  # doctest: +SKIP
        >>> frame, info = env.reset(seed=0)  # doctest: +SKIP
        >>> frame, reward, terminated, truncated, info = env.step(2)  # doctest: +SKIP
    """

    metadata = METADATA
    _with_lab: ClassVar[weakref.ReferenceType[DeepMindLabEnv] | None] = None

    def __init__(
        self,
        level: str = "nav_maze_1",
        *,
        image_size: int | Sequence[int] = 64,
        observations: str | Sequence[str] = "rgb",
        velocity: bool = False,
        pose: bool = False,
        actions: str = "navigation8",
        decision_frames: int = 4,
        action_repeat: int = 1,
        renderer: str = "software",
        level_cache: LevelCache | str | None = None,
        maze_text: str | Sequence[str] | None = None,
        mazes_of: str | None = None,
        split: str = "train",
        num_layouts: int | None = None,
        texture_seeds: int | None = None,
        mixer_seed: int | None = None,
        settings: Mapping[str, Any] | None = None,
        render_mode: str | None = None,
    ):
        check_installed(level)
        height, width = _height_and_width(image_size)
        if action_repeat < 1 or decision_frames < 1:
            raise UsageError(
                f"action_repeat={action_repeat}: hold an action for 1 decision or more, of "
                f"decision_frames={decision_frames}, 1 frame or more"
            )
        if renderer not in RENDERERS:
            raise UsageError(f"renderer={renderer!r}: choose from {', '.join(RENDERERS)}")
        if render_mode not in (None, *METADATA["render_modes"]):
            raise UsageError(f"render_mode={render_mode!r}: choose rgb_array or none at all")
        self.level = level
        self.actions = actions
        self.num_frames = decision_frames * action_repeat
        self.render_mode = render_mode
        self.metadata = METADATA | {"render_fps": FRAMES_PER_SECOND / self.num_frames}
        self.action_space = action_space(actions)
        asked_for = [observations] if isinstance(observations, str) else list(observations)
        senses = ["velocity"] * velocity + ["pose"] * pose
        self.observations = observation_names([*asked_for, *senses])
        self.observation_space = observation_space(self.observations, height, width)
        if texture_seeds is not None and texture_seeds < 1:
            raise UsageError(f"texture_seeds={texture_seeds}: give 1 or more, or None for new ones")
        if mazes_of is not None:
            if maze_text is not None:
                raise UsageError(f"mazes_of={mazes_of} and maze_text are both mazes: give one")
            maze_text = maze_texts(mazes_of, split, num_layouts)
        elif split != "train" or num_layouts is not None:
            raise UsageError(
                f"split={split} and num_layouts={num_layouts} choose among the layouts of "
                "mazes_of: say which level's with it, or leave them out"
            )
        self._mazes = entity_layers(level, maze_text)
        self._texture_seeds = texture_seeds if self._mazes else None
        self._settings = engine_settings(level, settings or {}, height, width, mixer_seed)
        if self._mazes:
            self._settings["overrideEntityLayer"] = self._mazes[0]
        self._renderer = renderer
        self._level_cache = LevelCache(level_cache) if isinstance(level_cache, str) else level_cache
        self._asks_for_speed = False
        self._lab: Any = None
        self._seen: EngineObservation = {}

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start an episode, and the engine if it is not running.

        Args:
            seed: starts the generator from which this and all later episodes are drawn.
            options: not used.

        Raises:
            UsageError: another environment in this process has a Lab, or DeepMind Lab does not know
                the level, an observation or a setting.
        """
        super().reset(seed=seed)
        if self._lab is None:
            self._lab = self._start_lab()
        self._maze = 0
        if len(self._mazes) > 1:
            self._maze = int(self.np_random.integers(len(self._mazes)))
            self._lab.write_property("params.overrideEntityLayer", self._mazes[self._maze])
        with engine_output_hidden():
            self._lab.reset(seed=self._draw_seed())
        # The first observation may still be the last one of the previous episode: one frame cures
        # it. What that frame earns is paid with the first decision.
        self._unpaid = self._lab.step(NO_ACTION, num_steps=1)
        self._goals = self._apples = 0
        self._seen = self._lab.observations()
        self._look = 0
        return self._observe(), {}

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Hold an action for ``action_repeat`` decisions.

        Raises:
            ResetNeeded: no episode is running.
            UsageError: the action is not in ``action_space``; the engine would take it silently.
        """
        if self._lab is None or not self._lab.is_running():
            raise ResetNeeded("no episode is running: call reset() first")
        if not self.action_space.contains(action):
            raise UsageError(f"action {action!r} is not in {self.action_space}")
        held = engine_action(self.actions, action)
        reward = self._unpaid + self._lab.step(held, num_steps=self.num_frames)
        self._unpaid = 0.0
        self._look = int(held[0])
        goals, apples = divmod(int(max(reward, 0)), GOAL_REWARD)
        self._goals += goals
        self._apples += apples
        info: dict[str, Any] = {}
        truncated = not self._lab.is_running()
        if truncated:
            info = {
                "goals": self._goals,
                "apples": self._apples,
                "success": self._goals > 0,
                "maze": self._maze,
            }
        else:
            self._seen = self._lab.observations()
        return self._observe(), float(reward), False, truncated, info

    def render(self) -> npt.NDArray[np.uint8] | None:
        """Return the current frame, uint8 (height, width, 3), in render mode ``rgb_array``."""
        if self.render_mode is None:
            return None
        if not self._seen:
            raise ResetNeeded("nothing to render yet: call reset() first")
        return frame(self._seen)

    def close(self) -> None:
        """Stop the engine; a later reset starts it again."""
        if self._lab is not None:
            self._lab.close()
            self._lab = None
            DeepMindLabEnv._with_lab = None

    def ask_for_speed(self) -> None:
        """Let the engine tell ``speed`` too, whatever is observed; before the first reset."""
        self._asks_for_speed = True

    def speed(self) -> float:
        """Return how fast the agent is on the ground, in units a second."""
        return float(np.hypot(*self._seen["VEL.TRANS"][:2]))

    def _observe(self) -> Observation:
        """Return what the agent sees now."""
        return observation(self.observations, self._seen, self._look)

    def _draw_seed(self) -> int:
        """Return a seed for the engine: any, or one of the few of the maze text."""
        if self._texture_seeds is None:
            return int(self.np_random.integers(2**31))
        number = int(self.np_random.integers(self._texture_seeds))
        return texture_seed(self._mazes[self._maze], number)

    def _start_lab(self) -> Any:
        """Return a Lab, the only one in this process."""
        other = DeepMindLabEnv._with_lab and DeepMindLabEnv._with_lab()
        if other:
            raise UsageError(
                f"this process runs a Lab already, for level={other.level}: close() that one, or "
                "let make_vector_env give each environment a process of its own"
            )
        names = engine_names(self.observations)
        if self._asks_for_speed and "VEL.TRANS" not in names:
            names.append("VEL.TRANS")
        lab = open_lab(
            self.level,
            names,
            self._settings,
            self._renderer,
            self._level_cache,
        )
        DeepMindLabEnv._with_lab = weakref.ref(self)
        return lab


def _height_and_width(image_size: int | Sequence[int]) -> tuple[int, int]:
    """Return both sides of the frames, or raise UsageError if the engine cannot draw them."""
    sides = [image_size, image_size] if isinstance(image_size, int) else image_size
    if len(sides) != 2 or any(side < 4 or side % 4 for side in sides):
        raise UsageError(
            f"image_size={image_size}: DeepMind Lab draws frames whose height and width are "
            "multiples of 4"
        )
    return sides[0], sides[1]
