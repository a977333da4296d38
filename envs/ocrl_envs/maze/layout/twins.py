"""Twins: mazes of DeepMind Lab as far as recordings of it show them.

Walls were read off recorded frames, apples off frames and rewards; a test derives them again where
the recordings are at hand. Nothing is taken from the game's files.
"""

from __future__ import annotations

from dataclasses import dataclass

from ocrl_envs.maze.layout.layout import Layout


@dataclass(frozen=True)
class Twin:
    """A maze of DeepMind Lab.

    Attributes:
        level: the embedded level whose rules it has.
        text: the maze, as ``Layout.from_text`` reads it.
    """

    level: str
    text: str

    @property
    def layout(self) -> Layout:
        """The maze."""
        return Layout.from_text(self.text)


# Assumed are the goal and the four walls inside of the pocket south-west of the middle, five cells
# behind one gap, into which no recording looks; all other walls are seen.
_STATIC_01 = """
*********************
* *   *             *
* * * * *** *** *****
*A*A*   *       *   *
* * ***** * * * * * *
*   *   *     * *A*A*
* *** * ******* * * *
* *   *   * *    A* *
* * *** * * ******* *
*   *G  * *         *
*********************
"""

# Of 85 places for inner walls 65 are seen. Of the other 20, two corners that nobody looked into,
# those are open, from the north-west on, without which a cell could not be reached: 11.
_RANDOM_GOAL_01 = """
*********************
*   *   *           *
* * * ***** ***** * *
* * * *   *     * * *
* * * * * * * * * * *
* *   *   *     * * *
* ***** * * * * * * *
*     *   * *   * * *
***** * ********* ***
*                   *
*********************
"""

TWINS = {
    "nav_maze_static_01": Twin("nav_maze_1", _STATIC_01),
    "nav_maze_random_goal_01": Twin("nav_maze_random_goal_1", _RANDOM_GOAL_01),
}
