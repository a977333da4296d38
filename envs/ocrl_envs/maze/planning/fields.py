"""Distance fields: how far it is for the agent's box from anywhere to a thing."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ocrl_envs.maze.dynamics.state import State
from ocrl_envs.maze.dynamics.stepping import REACH_ACROSS, REACH_EAST, REACH_WEST
from ocrl_envs.maze.kernel import kernel
from ocrl_envs.maze.layout.maps import Maps
from ocrl_envs.maze.task.rules import Rules

# nodes per side of a cell: the outermost are those that a wall's clearance covers
NODES = 8
# what it costs more to come into the reach of a bad thing, in cells: no way around is as long
AVOIDANCE = 60.0
_SIDE, _DIAGONAL = 1 / NODES, 2**0.5 / NODES


@kernel
def mark_blocked(
    horizontal: npt.NDArray[np.int16],
    vertical: npt.NDArray[np.int16],
    blocked: npt.NDArray[np.bool_],
) -> None:
    """Mark the nodes, bool (rows * NODES, cols * NODES), at which the box would touch a wall."""
    rows, cols = vertical.shape[0], horizontal.shape[1]
    last = NODES - 1
    blocked[:] = False
    for row in range(rows):
        for col in range(cols):
            top, left = row * NODES, col * NODES
            for k in range(NODES):
                blocked[top, left + k] |= horizontal[row, col] >= 0
                blocked[top + last, left + k] |= horizontal[row + 1, col] >= 0
                blocked[top + k, left] |= vertical[row, col] >= 0
                blocked[top + k, left + last] |= vertical[row, col + 1] >= 0
    for row in range(1, rows):
        for col in range(1, cols):
            ends = vertical[row - 1, col] >= 0 or vertical[row, col] >= 0
            if ends or horizontal[row, col - 1] >= 0 or horizontal[row, col] >= 0:
                blocked[row * NODES - 1 : row * NODES + 1, col * NODES - 1 : col * NODES + 1] = True


@kernel
def _uncovered(node: int) -> int:
    """Return the row or column next to one at a cell's side, which no wall covers, else itself."""
    return node + (node % NODES == 0) - (node % NODES == NODES - 1)


@kernel
def mark_avoided(
    blocked: npt.NDArray[np.bool_],
    thing: int,
    x: float,
    y: float,
    avoided: npt.NDArray[np.int16],
) -> None:
    """Mark the nodes within reach of a bad thing, and those that have their field from such.

    Args:
        blocked: bool (R, C), nodes that a wall covers.
        thing: its number.
        x: where it is, in cells.
        y: where it is.
        avoided: int16 (R, C), written.
    """
    top, bottom = int((y - REACH_ACROSS) * NODES), int((y + REACH_ACROSS) * NODES)
    left, right = int((x - REACH_WEST) * NODES), int((x + REACH_EAST) * NODES)
    avoided[top : bottom + 1, left : right + 1] = thing
    first_row, first_col = int(y) * NODES, int(x) * NODES
    for row in range(first_row, first_row + NODES):
        for col in range(first_col, first_col + NODES):
            if blocked[row, col]:
                avoided[row, col] = avoided[_uncovered(row), _uncovered(col)]


@kernel
def mark_nodes(
    maps: Maps,
    rules: Rules,
    state: State,
    i: int,
    wanted: npt.NDArray[np.bool_],
    blocked: npt.NDArray[np.bool_],
    avoided: npt.NDArray[np.int16],
) -> None:
    """Mark the nodes of a maze that walls cover, and those that it is better not to enter.

    Args:
        maps: all layouts.
        rules: of the level.
        state: of all mazes.
        i: which maze.
        wanted: bool (K,), things to take.
        blocked: bool (R, C), written: nodes at which the agent cannot be.
        avoided: int16 (R, C), written: number of the bad thing, none of those to take, that is
            within reach of a node, -1: none.
    """
    mark_blocked(maps.horizontal[state.layout[i]], maps.vertical[state.layout[i]], blocked)
    avoided[:] = -1
    for thing in range(rules.has_goal + rules.num_good, len(wanted)):
        if state.present[i, thing] and not wanted[thing]:
            x, y = state.place[i, thing]
            mark_avoided(blocked, thing, x, y, avoided)


@kernel
def step_length(
    blocked: npt.NDArray[np.bool_],
    avoided: npt.NDArray[np.int16],
    row: int,
    col: int,
    down: int,
    right: int,
) -> float:
    """Return what it costs to come to a node from one of its eight neighbours, in cells.

    Args:
        blocked: bool (R, C), nodes at which the agent cannot be.
        avoided: int16 (R, C), number of the bad thing that is within reach of a node, -1: none.
        row: of the node.
        col: of the node.
        down: where the neighbour is, -1, 0 or 1.
        right: likewise.

    Returns:
        The length of the step, and ``AVOIDANCE`` if it leads into the reach of a bad thing; inf
        around the end of a wall.
    """
    length = _SIDE
    if down != 0 and right != 0:
        if blocked[row, col + right] or blocked[row + down, col]:
            return np.inf
        length = _DIAGONAL
    if avoided[row, col] >= 0 and avoided[row, col] != avoided[row + down, col + right]:
        length += AVOIDANCE
    return length


@kernel
def fill_field(
    blocked: npt.NDArray[np.bool_],
    avoided: npt.NDArray[np.int16],
    x: float,
    y: float,
    field: npt.NDArray[np.float32],
) -> None:
    """Write the length of the shortest way, in cells, from each node to a place.

    Ways lead from node to node, straight and across. Nodes that a wall covers get the distance of
    their neighbour that none covers, so that the field can be read between nodes.

    Args:
        blocked: bool (R, C), nodes at which the agent cannot be.
        avoided: int16 (R, C), number of the bad thing that is within reach of a node, -1: none.
        x: of the place, in cells.
        y: of the place.
        field: float32 (R, C), written; inf: no way.
    """
    rows, cols = field.shape
    field[:] = np.inf
    queue = np.empty(rows * cols + 1, np.int64)
    waits = np.zeros((rows, cols), np.bool_)
    first, last = 0, 1
    row, col = int(y * NODES), int(x * NODES)
    queue[0] = row * cols + col
    field[row, col] = 0.0
    while first != last:
        row, col = queue[first] // cols, queue[first] % cols
        first = (first + 1) % len(queue)
        waits[row, col] = False
        for down in (-1, 0, 1):
            for right in (-1, 0, 1):
                to_row, to_col = row + down, col + right
                if not (0 <= to_row < rows and 0 <= to_col < cols) or blocked[to_row, to_col]:
                    continue
                length = field[row, col] + step_length(blocked, avoided, row, col, down, right)
                if length < field[to_row, to_col] - 1e-6:
                    field[to_row, to_col] = length
                    if not waits[to_row, to_col]:
                        waits[to_row, to_col] = True
                        queue[last] = to_row * cols + to_col
                        last = (last + 1) % len(queue)
    for row in range(rows):
        for col in range(cols):
            if blocked[row, col]:
                field[row, col] = field[_uncovered(row), _uncovered(col)] + _SIDE


@kernel
def read_field(
    field: npt.NDArray[np.float32],
    avoided: npt.NDArray[np.int16],
    taken: int,
    x: float,
    y: float,
) -> float:
    """Return a field's value at a place, linear between the nodes that count there.

    Nodes within reach of a bad thing count once it has been taken: until then the agent is not
    among them.

    Args:
        field: float32 (R, C).
        avoided: int16 (R, C), number of the bad thing that is within reach of a node, -1: none.
        taken: numbers of the things taken, as bits.
        x: of the place, in cells.
        y: of the place.
    """
    rows, cols = field.shape
    down = min(max(y * NODES - 0.5, 0.0), rows - 1.001)
    right = min(max(x * NODES - 0.5, 0.0), cols - 1.001)
    top, left = int(down), int(right)
    total, weights = 0.0, 0.0
    for row in (top, top + 1):
        for col in (left, left + 1):
            weight = (1 - abs(down - row)) * (1 - abs(right - col))
            thing = avoided[row, col]
            if weight > 0.0 and (thing < 0 or taken >> thing & 1):
                total += weight * field[row, col]
                weights += weight
    if weights > 0.0:
        return total / weights
    return float(field[int(down + 0.5), int(right + 0.5)]) + AVOIDANCE
