"""Layouts of the embedded maze by name, as texts that a generated level takes."""

from __future__ import annotations

from dataclasses import replace

from ocrl_envs.errors import UsageError
from ocrl_envs.maze.appearance.objects import KIND_NUMBERS
from ocrl_envs.maze.options import build_simulation
from ocrl_envs.maze.task.levels import LEVELS


def maze_texts(level: str, split: str, num_layouts: int | None = None) -> tuple[str, ...]:
    """Return the layouts of a level's split, with goal and apples where the layouts put them.

    Args:
        level: of the embedded maze, one with a goal.
        split: ``train``, ``validation`` or ``test``.
        num_layouts: the first so many; None: all.

    Raises:
        UsageError: there is no such level, split or number of layouts, or the level has no goal.

    Example:
        >>> (text,) = maze_texts("nav_maze_1", "test", 1)
        >>> text.count("G"), text.count("A"), len(text.splitlines())
        (1, 5, 11)
    """
    simulation = build_simulation(
        1, {"level": level, "split": split, "num_layouts": num_layouts, "fix_goal": True}
    )
    if not simulation.level.has_goal:
        with_goal = ", ".join(name for name, known in LEVELS.items() if known.has_goal)
        raise UsageError(
            f"mazes_of={level}: a generated level needs a goal, choose from {with_goal}"
        )
    texts = []
    for number, layout in enumerate(simulation.layouts):
        simulation.begin(0, number)
        kinds, places = simulation.state.kind[0], simulation.state.place[0]
        cells = {
            name: tuple((int(y), int(x)) for x, y in places[kinds == KIND_NUMBERS[name]])
            for name in ("goal", "apple")
        }
        texts.append(replace(layout, goals=cells["goal"], apples=cells["apple"]).to_text())
    return tuple(texts)
