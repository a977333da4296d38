"""Search: the actions of the next second, by trying them in the true dynamics."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from ocrl_envs.maze.dynamics.motion import (
    ACTION_TABLE,
    FRAMES_PER_STEP,
    TURN_PER_FRAME,
    frame_seconds,
    glide,
    slide,
)
from ocrl_envs.maze.dynamics.stepping import is_within_reach
from ocrl_envs.maze.kernel import kernel
from ocrl_envs.maze.planning.fields import read_field
from ocrl_envs.maze.planning.routes import PACE

# decisions that an action is kept for, actions looked ahead, and places kept at each of them
KEPT, DEPTH, BEAM = 2, 8, 24
# seconds for which speed is worth what it would bring
MOMENTUM = 0.055
# frames after which an agent that nothing drives stands still
REST = 32
# places and headings closer than that, in cells and in turns, are one
GRAIN = 12.0

# columns of a node
_X, _Y, _VX, _VY, _HEADING, _TURNS, _STAGE, _TAKEN, _BONUS, _TIME, _COST = range(11)


@kernel
def search_actions(
    horizontal: npt.NDArray[np.int16],
    vertical: npt.NDArray[np.int16],
    start: npt.NDArray[np.float64],
    step: int,
    kept: int,
    targets: npt.NDArray[np.float64],
    fields: npt.NDArray[np.float32],
    avoided: npt.NDArray[np.int16],
    others: npt.NDArray[np.float64],
    rest: int,
    actions: npt.NDArray[np.int64],
) -> int:
    """Write the best actions found by a beam search.

    A node costs the decisions that it took and those that the fields say are left, less what the
    things that it took on the way are worth.

    Args:
        horizontal: walls that run east, int16 (rows + 1, cols), -1: open.
        vertical: walls that run south, int16 (rows, cols + 1), -1: open.
        start: x, y, velocity (2,) and heading.
        step: number of the decision in the episode.
        kept: decisions that an action is kept for.
        targets: (T, 2), the next one or two things of the route.
        fields: (T, R, C), distances to them in cells.
        avoided: int16 (R, C), number of the bad thing that is within reach of a node, -1: none.
        others: (M, 4), other things: place, worth in decisions, and number, below 62.
        rest: decisions that the environment holds an action for, where there is nothing left to do
            after the last target and the agent comes to rest; 0: it goes on.
        actions: int64 (DEPTH,), written.

    Returns:
        How many actions there are.
    """
    nodes = np.zeros((BEAM, 11))
    offspring = np.empty((BEAM * len(ACTION_TABLE), 11))
    ways = np.zeros((BEAM, DEPTH), np.int64)
    new_ways = np.empty((BEAM * len(ACTION_TABLE), DEPTH), np.int64)
    nodes[0, _X : _HEADING + 1] = start
    between = 0.0
    if len(targets) > 1:
        between = PACE * read_field(fields[1], avoided, 0, targets[0, 0], targets[0, 1])
    alive, best_cost, best_length = 1, np.inf, 0
    for depth in range(DEPTH):
        count = 0
        for parent in range(alive):
            for action in range(len(ACTION_TABLE)):
                child = offspring[count]
                child[:] = nodes[parent]
                now = step + depth * kept
                _try_action(horizontal, vertical, child, now, kept, action, targets, others, rest)
                new_ways[count] = ways[parent]
                new_ways[count, depth] = action
                if child[_STAGE] >= len(targets):
                    cost = child[_TIME] - child[_BONUS]
                    if cost < best_cost:
                        best_cost, best_length = cost, depth + 1
                        actions[:] = new_ways[count]
                    continue
                stage = int(child[_STAGE])
                x = slide(horizontal, vertical, child[_X], child[_Y], MOMENTUM * child[_VX])
                y = slide(vertical.T, horizontal.T, child[_Y], x, MOMENTUM * child[_VY])
                left = PACE * read_field(fields[stage], avoided, int(child[_TAKEN]), x, y)
                if stage == 0:
                    left += between
                child[_COST] = child[_TIME] + left - child[_BONUS]
                count += 1
        order = np.argsort(offspring[:count, _COST])
        alive = _keep_best(offspring, new_ways, order, nodes, ways)
        if alive == 0:
            break
    if alive > 0 and nodes[0, _COST] < best_cost:
        best_length = DEPTH
        actions[:] = ways[0]
    return best_length


@kernel
def _try_action(
    horizontal: npt.NDArray[np.int16],
    vertical: npt.NDArray[np.int16],
    node: npt.NDArray[np.float64],
    step: int,
    kept: int,
    action: int,
    targets: npt.NDArray[np.float64],
    others: npt.NDArray[np.float64],
    rest: int,
) -> None:
    """Advance a node by an action, kept until the last target is taken."""
    turn, ahead, right = ACTION_TABLE[action]
    x, y, vx, vy, heading = node[_X], node[_Y], node[_VX], node[_VY], node[_HEADING]
    for decision in range(kept):
        seconds = frame_seconds(step + decision)
        for frame in range(FRAMES_PER_STEP):
            stage = int(node[_STAGE])
            if is_within_reach(x - targets[stage, 0], y - targets[stage, 1]):
                node[_STAGE] += 1.0
                if node[_STAGE] >= len(targets):
                    node[_TIME] += decision + frame / FRAMES_PER_STEP
                    if rest > 0:
                        node[_X], node[_Y], node[_HEADING] = x, y, heading
                        node[_VX], node[_VY] = vx, vy
                        done = (decision * FRAMES_PER_STEP + frame) % (rest * FRAMES_PER_STEP)
                        driven = rest * FRAMES_PER_STEP - done
                        _come_to_rest(horizontal, vertical, node, seconds, action, driven, others)
                    return
            _take_others(node, x, y, others)
            heading += turn * TURN_PER_FRAME
            x, y, vx, vy = glide(horizontal, vertical, x, y, vx, vy, heading, ahead, right, seconds)
    node[_X], node[_Y], node[_VX], node[_VY], node[_HEADING] = x, y, vx, vy, heading
    node[_TURNS] += kept * turn
    node[_TIME] += kept


@kernel
def _come_to_rest(
    horizontal: npt.NDArray[np.int16],
    vertical: npt.NDArray[np.int16],
    node: npt.NDArray[np.float64],
    seconds: float,
    action: int,
    driven: int,
    others: npt.NDArray[np.float64],
) -> None:
    """Let a node take what lies where the agent slides when nothing is left to do.

    An action goes on for ``driven`` frames, then friction alone is left.
    """
    turn, ahead, right = ACTION_TABLE[action]
    x, y, vx, vy, heading = node[_X], node[_Y], node[_VX], node[_VY], node[_HEADING]
    for frame in range(driven + REST):
        _take_others(node, x, y, others)
        if frame == driven:
            turn, ahead, right = 0.0, 0.0, 0.0
        heading += turn * TURN_PER_FRAME
        x, y, vx, vy = glide(horizontal, vertical, x, y, vx, vy, heading, ahead, right, seconds)


@kernel
def _take_others(
    node: npt.NDArray[np.float64], x: float, y: float, others: npt.NDArray[np.float64]
) -> None:
    """Let a node take the other things that are within reach of a place."""
    for other in others:
        taken, bit = int(node[_TAKEN]), 1 << int(other[3])
        if taken & bit == 0 and is_within_reach(x - other[0], y - other[1]):
            node[_TAKEN] = taken | bit
            node[_BONUS] += other[2]


@kernel
def _keep_best(
    offspring: npt.NDArray[np.float64],
    new_ways: npt.NDArray[np.int64],
    order: npt.NDArray[np.int64],
    nodes: npt.NDArray[np.float64],
    ways: npt.NDArray[np.int64],
) -> int:
    """Copy the best of the offspring, no two of them alike, and return how many there are."""
    keys = np.empty(BEAM, np.int64)
    alive = 0
    for index in order:
        child = offspring[index]
        if alive == BEAM:
            break
        if not child[_COST] < math.inf:
            continue
        key = int(child[_X] * GRAIN) * 4096 + int(child[_Y] * GRAIN)
        key = (key * 256 + int(child[_TURNS]) + 128) * 4 + int(child[_STAGE])
        alike = False
        for other in range(alive):
            alike |= keys[other] == key
        if not alike:
            keys[alive] = key
            nodes[alive] = child
            ways[alive] = new_ways[index]
            alive += 1
    return alive
