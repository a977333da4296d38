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
        num_good: good things in a maze, at most.
        num_bad: bad things in a maze, at most.
        good_counts: int64 (V,), numbers of good things, of which an episode draws one.
        bad_counts: int64 (V,), numbers of bad things that go with them.
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
    good_counts: npt.NDArray[np.int64]
    bad_counts: npt.NDArray[np.int64]
    goal_kind: int
    good_kinds: npt.NDArray[np.int64]
    bad_kinds: npt.NDArray[np.int64]
    has_goal: bool
    fix_layout: bool
    fix_goal: bool
    fix_start: bool
    min_start_distance: int


def make_rules(
    level: Level,
    objects: str,
    counts: str,
    fix_layout: bool,
    fix_goal: bool | None,
    fix_start: bool,
) -> Rules:
    """Return the rules of a level.

    Args:
        level: what to do.
        objects: "train" or "test" kinds of things.
        counts: "train": as many things as the level has; "test": half as many or half as many
            again.
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
    most = np.array([level.num_good, level.num_bad], np.int64)
    good_counts, bad_counts = np.stack(
        [most - most // 2, most + most // 2] if counts == "test" else [most], axis=1
    )
    return Rules(
        num_good=int(good_counts.max()),
        num_bad=int(bad_counts.max()),
        good_counts=good_counts,
        bad_counts=bad_counts,
        goal_kind=KIND_NUMBERS[f"{prefix}goal"],
        good_kinds=np.array(good, np.int64),
        bad_kinds=np.array(bad, np.int64),
        has_goal=level.has_goal,
        fix_layout=fix_layout,
        fix_goal=level.fix_goal if fix_goal is None else fix_goal,
        fix_start=fix_start,
        min_start_distance=level.min_start_distance if level.has_goal else 0,
    )
