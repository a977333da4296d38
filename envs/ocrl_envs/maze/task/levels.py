"""Levels: what to do, in mazes of which size, for how long."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace

from ocrl_envs.errors import UsageError
from ocrl_envs.maze.layout.splits import Architecture


@dataclass(frozen=True)
class Level:
    """A task, after DeepMind Lab's level of nearly the same name.

    Attributes:
        name: what the level is called.
        architecture: of its layouts.
        larger: architecture of its layouts under a shift of size.
        num_steps: decisions of 4 engine frames in an episode.
        has_goal: whether there is a goal, worth +10, after which the agent starts anew.
        num_good: things worth +1.
        num_bad: things worth -1.
        collects: which things: "apples" (good) and lemons (bad), or kinds of "solids".
        fix_goal: whether goal and things are where the layout, not the episode, puts them.
        min_start_distance: steps between cells that the agent starts away from the goal, at least.
    """

    name: str
    architecture: Architecture
    larger: Architecture
    num_steps: int
    has_goal: bool
    num_good: int
    num_bad: int = 0
    collects: str = "apples"
    fix_goal: bool = False
    min_start_distance: int = 1


# the nav mazes' sizes, and one beyond them
_MAZES = [Architecture(*size, loops=0.2) for size in ((5, 10), (9, 15), (13, 20), (17, 25))]


def _nav_mazes(number: int, num_steps: int, apples: int) -> tuple[Level, Level]:
    """Return the two levels of a size: goal fixed by the layout, goal drawn for each episode."""
    fixed = Level(
        name=f"nav_maze_{number}",
        architecture=_MAZES[number - 1],
        larger=_MAZES[number],
        num_steps=num_steps,
        has_goal=True,
        num_good=apples,
        fix_goal=True,
    )
    name = f"nav_maze_random_goal_{number}"
    return fixed, replace(fixed, name=name, fix_goal=False, min_start_distance=5)


_SEEKAVOID_ARENA = Level(
    name="seekavoid_arena_1",
    architecture=Architecture(8, 8, loops=0.9),
    larger=Architecture(12, 12, loops=0.9),
    num_steps=300,
    has_goal=False,
    num_good=12,
    num_bad=8,
)
_COLLECT_GOOD_OBJECTS = Level(
    name="collect_good_objects",
    architecture=Architecture(6, 8, largest_room=4),
    larger=Architecture(9, 12, largest_room=4),
    num_steps=900,
    has_goal=False,
    num_good=10,
    num_bad=10,
    collects="solids",
)
LEVELS: dict[str, Level] = {
    level.name: level
    for level in (
        *_nav_mazes(1, num_steps=900, apples=5),
        *_nav_mazes(2, num_steps=2250, apples=13),
        *_nav_mazes(3, num_steps=4500, apples=26),
        _SEEKAVOID_ARENA,
        _COLLECT_GOOD_OBJECTS,
    )
}


def get_level(name: str) -> Level:
    """Return the level of a name.

    Raises:
        UsageError: there is no such level; the message says which is nearest.
    """
    if name not in LEVELS:
        near = difflib.get_close_matches(name, LEVELS, n=1, cutoff=0.0)[0]
        raise UsageError(
            f"no level {name!r}: choose from {', '.join(LEVELS)}; the nearest is {near!r}"
        )
    return LEVELS[name]
