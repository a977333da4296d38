"""The keyword arguments that both environments take, turned into a simulation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

from envs.errors import UsageError
from envs.maze.layouts import Layout
from envs.maze.levels import get_level
from envs.maze.shifts import condition
from envs.maze.simulation import Simulation
from envs.maze.splits import split_layouts


class MazeOptions(TypedDict, total=False):
    """Keyword arguments of ``MazeEnv`` and ``MazeVectorEnv``; all have defaults.

    Attributes:
        level: a name of ``levels.LEVELS``; "nav_maze_1".
        split: "train", "validation" or "test" layouts; "train".
        num_layouts: how many layouts of the split to use, the first ones; None: all.
        image_size: height and width of the observations in pixels; 64.
        shift: None, or the factor that differs from training: "layout", "size", "texture",
            "objects" or "all", see ``shifts.condition``.
        fix_layout: play all episodes in the first layout; False.
        fix_goal: goal and things are where the layout, not the episode, puts them; None: as the
            level has it.
        fix_start: the agent starts where the layout, not the episode, puts it; False.
        layouts: your own mazes, as layouts or paths of text files, in place of a split's; None.
        textures: "procedural", or "labmaze" for DeepMind Lab's own; "procedural".
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


def build_simulation(
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
) -> Simulation:
    """Return the simulation of ``num_envs`` mazes that ``MazeOptions`` ask for.

    Raises:
        UsageError: an option is not one of those that ``MazeOptions`` names.
    """
    chosen = condition(get_level(level), split, shift)
    if layouts is None:
        own = split_layouts(chosen.level.architecture, chosen.layouts)
    else:
        own = tuple(
            item if isinstance(item, Layout) else Layout.from_file(item) for item in layouts
        )
    count = len(own) if num_layouts is None else num_layouts
    if not 1 <= count <= len(own):
        raise UsageError(
            f"num_layouts={num_layouts}: there are {len(own)} layouts here, choose 1 to {len(own)}"
        )
    return Simulation(
        level=chosen.level,
        layouts=own[:count],
        num_envs=num_envs,
        image_size=image_size,
        textures=textures,
        texture_split=chosen.textures,
        object_split=chosen.objects,
        fix_layout=fix_layout,
        fix_goal=chosen.level.fix_goal if fix_goal is None else fix_goal,
        fix_start=fix_start,
    )
