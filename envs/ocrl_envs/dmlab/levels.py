"""Which of DeepMind Lab's levels our names stand for."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

LEVELS = {
    "nav_maze_1": "nav_maze_static_01",
    "nav_maze_2": "nav_maze_static_02",
    "nav_maze_3": "nav_maze_static_03",
    "nav_maze_random_goal_1": "nav_maze_random_goal_01",
    "nav_maze_random_goal_2": "nav_maze_random_goal_02",
    "nav_maze_random_goal_3": "nav_maze_random_goal_03",
    "seekavoid_arena_1": "seekavoid_arena_01",
    "collect_good_objects": "contributed/dmlab30/rooms_collect_good_objects_train",
}
"""Levels that the embedded maze has too, by the name that both go by."""

GENERATED_LEVELS = {
    "explore_goal_locations_small": "contributed/dmlab30/explore_goal_locations_small",
    "explore_goal_locations_large": "contributed/dmlab30/explore_goal_locations_large",
}
"""Levels that compile a map for every new seed, and take one of ours in its place."""


def level_path(level: str) -> str:
    """Return DeepMind Lab's path of a level: of one of our names, or the path that was given.

    Example:
        >>> level_path("nav_maze_1"), level_path("contributed/dmlab30/rooms_watermaze")
        ('nav_maze_static_01', 'contributed/dmlab30/rooms_watermaze')
    """
    return (LEVELS | GENERATED_LEVELS).get(level, level)


def takes_maze_text(level: str) -> bool:
    """Whether the map of a level, one with a goal, can be replaced by a text of ours."""
    return "explore_goal_locations" in level


def nearest(level: str, levels: Iterable[str]) -> str:
    """Return the level whose name is most alike.

    Example:
        >>> nearest("nav_maze_random_goals_2", LEVELS)
        'nav_maze_random_goal_2'
    """
    return difflib.get_close_matches(level, levels, n=1, cutoff=0.0)[0]
