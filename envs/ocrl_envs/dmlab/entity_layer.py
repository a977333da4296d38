"""Our layouts as maps of DeepMind Lab."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ocrl_envs.dmlab.levels import GENERATED_LEVELS, takes_maze_text
from ocrl_envs.errors import UsageError
from ocrl_envs.maze.layout.layout import Layout


def entity_layer(maze_text: str) -> str:
    r"""Turn a layout of the embedded maze into the text that ``overrideEntityLayer`` takes.

    DeepMind Lab makes a block of 100 units out of each character, so that walls become as thick as
    corridors are wide, and neighbouring cells lie 200 units apart instead of 100. Of several goals
    it draws one per episode, and after each goal one of the starts; every apple is there.

    Args:
        maze_text: (2 rows + 1) lines of (2 cols + 1) characters, ``*`` a wall, ``P`` a start, ``G``
            a goal, ``A`` an apple: see ``Layout.from_text``. Without a start, every cell that holds
            nothing else is one.

    Raises:
        UsageError: the text is no layout, or has no goal, or no cell to start in.

    Example:
        >>> print(entity_layer("*******\n*  A G*\n*******"), end="")
        *******
        *P A G*
        *******
    """
    layout = Layout.from_text(maze_text)
    if not layout.goals:
        raise UsageError("the maze text has no goal: put a 'G' into at least one cell")
    taken = {*layout.goals, *layout.apples}
    cells = np.ndindex(layout.rows, layout.cols)
    starts = layout.starts or tuple(cell for cell in cells if cell not in taken)
    if not starts:
        raise UsageError("the maze text has no cell to start in: leave one empty, or mark it 'P'")
    return replace(layout, starts=starts).to_text() + "\n"


def entity_layers(level: str, maze_text: str | Sequence[str] | None) -> tuple[str, ...]:
    """Turn one layout, several or none into maps for a level.

    Raises:
        UsageError: the map of the level cannot be replaced, or what ``entity_layer`` objects to.
    """
    if maze_text is None:
        return ()
    if not takes_maze_text(level):
        raise UsageError(
            f"level={level} has a map of its own: to replace it by maze_text, choose a level from "
            f"{', '.join(GENERATED_LEVELS)}"
        )
    texts = [maze_text] if isinstance(maze_text, str) else maze_text
    if not texts:
        raise UsageError("maze_text is an empty list: give at least one layout, or None")
    return tuple(entity_layer(text) for text in texts)
