"""The keyword arguments that both environments take, turned into a simulation."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

from ocrl_envs.errors import UsageError
from ocrl_envs.maze.appearance.looks import NUM_PICTURES, choose_looks
from ocrl_envs.maze.layout.layout import Layout
from ocrl_envs.maze.layout.maps import build_maps
from ocrl_envs.maze.layout.splits import split_layouts
from ocrl_envs.maze.layout.twins import TWINS
from ocrl_envs.maze.observations import POSE, VELOCITY
from ocrl_envs.maze.simulation import Simulation
from ocrl_envs.maze.task.levels import get_level
from ocrl_envs.maze.task.rules import make_rules
from ocrl_envs.maze.task.shifts import condition

MIN_IMAGE_SIZE = 8
CELLS_PER_PICTURE = 8


class MazeOptions(TypedDict, total=False):
    """Keyword arguments of ``MazeEnv`` and ``MazeVectorEnv``; all have defaults.

    Attributes:
        level: a name of ``task.levels.LEVELS``, or of ``layout.twins.TWINS``; "nav_maze_1".
        split: "train", "validation" or "test" layouts; "train".
        num_layouts: how many layouts of the split to use, the first ones; None: all.
        image_size: height and width of the observations in pixels; 64.
        shift: None, or the factor that differs from training: "layout", "size", "texture",
            "objects", "count" or "all", see ``task.shifts.condition``.
        fix_layout: play all episodes in the first layout; False.
        fix_goal: goal and things are where the layout, not the episode, puts them; None: as the
            level has it.
        fix_start: the agent starts where the layout, not the episode, puts it; False.
        layouts: your own mazes, as layouts or paths of text files, in place of a split's; None.
        textures: "procedural", or "labmaze" for DeepMind Lab's own; "procedural".
        looks: style and pictures "by_layout", "by_episode" (drawn anew in each) or "one" for all;
            "by_layout".
        action_repeat: decisions of 4 engine frames for which each action is held; 1.
        velocity: show the agent's own velocity beside the frame, see ``observations``; False.
        pose: show where the agent is and looks, see ``observations``; False.
    """

    level: str
    split: str
    num_layouts: int | None
    image_size: int
    shift: str | None
    fix_layout: bool
    fix_goal: bool | None
    fix_start: bool
    layouts: Sequence[Layout | str | Path] | None
    textures: str
    looks: str
    action_repeat: int
    velocity: bool
    pose: bool


def build_simulation(num_envs: int, options: MazeOptions) -> Simulation:
    """Return the simulation of ``num_envs`` mazes that ``MazeOptions`` ask for.

    Raises:
        UsageError: an option is not one of those that ``MazeOptions`` names.
    """
    names = list(MazeOptions.__annotations__)
    for name in options:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1, cutoff=0.0)[0]
            raise UsageError(f"no option {name!r}: choose {near!r} or another of {names}")
    return _build(num_envs, **options)


def _build(
    num_envs: int,
    level: str = "nav_maze_1",
    split: str = "train",
    num_layouts: int | None = None,
    image_size: int = 64,
    shift: str | None = None,
    fix_layout: bool = False,
    fix_goal: bool | None = None,
    fix_start: bool = False,
    layouts: Sequence[Layout | str | Path] | None = None,
    textures: str = "procedural",
    looks: str = "by_layout",
    action_repeat: int = 1,
    velocity: bool = False,
    pose: bool = False,
) -> Simulation:
    """Return a simulation; these are the defaults of ``MazeOptions``."""
    if image_size < MIN_IMAGE_SIZE:
        raise UsageError(
            f"image_size={image_size} is too small: choose at least {MIN_IMAGE_SIZE} pixels"
        )
    if action_repeat < 1:
        raise UsageError(f"action_repeat={action_repeat}: hold an action for 1 decision or more")
    if num_envs < 1:
        raise UsageError(f"num_envs={num_envs}: give at least one environment")
    if level in TWINS and layouts is None:
        level, layouts = TWINS[level].level, (TWINS[level].layout,)
    chosen = condition(get_level(level), split, shift)
    if layouts is None:
        own = split_layouts(chosen.level.architecture, chosen.layouts)
    else:
        own = _own_layouts(layouts, shift)
    count = len(own) if num_layouts is None else num_layouts
    if not 1 <= count <= len(own):
        raise UsageError(
            f"num_layouts={num_layouts}: there are {len(own)} layouts here, choose 1 to {len(own)}"
        )
    own = own[:count]
    num_pictures = min(1 + own[0].rows * own[0].cols // CELLS_PER_PICTURE, NUM_PICTURES)
    maps = build_maps(own, num_pictures)
    return Simulation(
        level=chosen.level,
        rules=make_rules(
            chosen.level, chosen.objects, chosen.counts, fix_layout, fix_goal, fix_start
        ),
        layouts=own,
        maps=maps,
        looks=choose_looks(looks, textures, chosen.textures, maps.seed, num_pictures),
        num_envs=num_envs,
        image_size=image_size,
        action_repeat=action_repeat,
        senses=[VELOCITY] * velocity + [POSE] * pose,
    )


def _own_layouts(items: Sequence[Layout | str | Path], shift: str | None) -> tuple[Layout, ...]:
    """Return a user's own layouts, read from files where paths are given."""
    if shift in ("layout", "size", "all"):
        raise UsageError(f"shift={shift!r} chooses the layouts: leave out either it or layouts")
    if isinstance(items, str | Path):
        raise UsageError(f"layouts={str(items)!r} is no list: give [{items}], one layout or more")
    if not items:
        raise UsageError("layouts is empty: give at least one layout, or None for a split's")
    own = tuple(item if isinstance(item, Layout) else Layout.from_file(item) for item in items)
    for number, layout in enumerate(own):
        if (layout.rows, layout.cols) != (own[0].rows, own[0].cols):
            raise UsageError(
                f"layout {number} has {layout.rows} x {layout.cols} cells, layout 0 has "
                f"{own[0].rows} x {own[0].cols}: give layouts of one size"
            )
    return own
