"""The rules of a level, as numbers for the simulator."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ocrl_envs.maze.appearance.objects import KIND_NUMBERS, solid_numbers
from ocrl_envs.maze.task.levels import Level


class Rules(NamedTuple):
    """The level as numbers.

    Attributes:
        num_good: good things in a maze.
        num_bad: bad things in a maze.
        goal_kind: of the goal.
        good_kinds: int64, kinds that good things are drawn from.
        bad_kinds: int64, kinds that bad things are drawn from.
        has_goal: whether there is a goal.
        fix_layout: whether all episodes are in the first layout.
        fix_goal: whether the layout, not the episode, places goal and things.
        fix_start: whether the layout, not the episode, places the agent.
        min_start_distance: steps between cells from start to goal, at least.
    """

    num_good: int
    num_bad: int
    goal_kind: int
    good_kinds: npt.NDArray[np.int64]
    bad_kinds: npt.NDArray[np.int64]
    has_goal: bool
    fix_layout: bool
    fix_goal: bool
    fix_start: bool
    min_start_distance: int


def make_rules(
    level: Level, objects: str, fix_layout: bool, fix_goal: bool | None, fix_start: bool
) -> Rules:
    """Return the rules of a level.

    Args:
        level: what to do.
        objects: "train" or "test" kinds of things.
        fix_layout: all episodes in the first layout.
        fix_goal: goal and things where the layout, not the episode, puts them; None: as the
            level has it.
        fix_start: the agent starts where the layout, not the episode, puts it.
    """
    held_out = objects == "test"
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
        fix_goal=level.fix_goal if fix_goal is None else fix_goal,
        fix_start=fix_start,
        min_start_distance=level.min_start_distance if level.has_goal else 0,
    )
