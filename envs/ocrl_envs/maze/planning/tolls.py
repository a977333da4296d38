"""Tolls: bad things that are worth taking, since good ones lie behind them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ocrl_envs.maze.dynamics.state import State
from ocrl_envs.maze.kernel import kernel
from ocrl_envs.maze.layout.maps import Maps
from ocrl_envs.maze.planning.fields import NODES, fill_field, mark_nodes, step_length
from ocrl_envs.maze.task.rules import Rules


@kernel
def choose_things(
    maps: Maps, rules: Rules, state: State, i: int, wanted: npt.NDArray[np.bool_]
) -> None:
    """Mark the things to take: good ones, and bad ones on the way to at least as many good ones.

    Of the shortest ways to each good thing, past as few bad things as can be, the one that opens
    most is accepted with the bad things on it, and as long as that pays, another.

    Args:
        maps: all layouts.
        rules: of the level.
        state: of all mazes.
        i: which maze.
        wanted: bool (K,), written.
    """
    first_good, first_bad = int(rules.has_goal), rules.has_goal + rules.num_good
    things = len(wanted)
    rows, cols = state.distance.shape[1:]
    blocked = np.empty((rows * NODES, cols * NODES), np.bool_)
    avoided = np.empty(blocked.shape, np.int16)
    field = np.empty(blocked.shape, np.float32)
    on_way = np.zeros((things, things), np.bool_)
    wanted[:] = state.present[i]
    wanted[first_bad:] = False
    while first_bad < things:
        mark_nodes(maps, rules, state, i, wanted, blocked, avoided)
        fill_field(blocked, avoided, state.position[i, 0], state.position[i, 1], field)
        for good in range(first_good, first_bad):
            on_way[good] = False
            if state.present[i, good]:
                x, y = state.place[i, good]
                _note_tolls(blocked, avoided, field, x, y, on_way[good])
        best, best_gain = -1, -1
        for good in range(first_good, first_bad):
            gain = -on_way[good].sum()
            for other in range(first_good, first_bad):
                gain += on_way[other].any() and (on_way[good] | ~on_way[other]).all()
            if on_way[good].any() and gain > best_gain:
                best, best_gain = good, gain
        if best < 0:
            break
        wanted |= on_way[best]
    for good in range(first_good, first_bad):
        wanted[good] &= not on_way[good].any()


@kernel
def _note_tolls(
    blocked: npt.NDArray[np.bool_],
    avoided: npt.NDArray[np.int16],
    field: npt.NDArray[np.float32],
    x: float,
    y: float,
    passed: npt.NDArray[np.bool_],
) -> None:
    """Mark the bad things, bool (K,), on the shortest way from a place to where a field leads."""
    rows, cols = field.shape
    row, col = int(y * NODES), int(x * NODES)
    while 0.0 < field[row, col] < np.inf:
        if avoided[row, col] >= 0:
            passed[avoided[row, col]] = True
        shortest, next_row, next_col = np.inf, row, col
        for down in (-1, 0, 1):
            for right in (-1, 0, 1):
                before_row, before_col = row + down, col + right
                if not (0 <= before_row < rows and 0 <= before_col < cols):
                    continue
                if blocked[before_row, before_col]:
                    continue
                length = step_length(blocked, avoided, before_row, before_col, -down, -right)
                if field[before_row, before_col] + length < shortest:
                    shortest = field[before_row, before_col] + length
                    next_row, next_col = before_row, before_col
        if field[next_row, next_col] >= field[row, col]:
            return
        row, col = next_row, next_col
