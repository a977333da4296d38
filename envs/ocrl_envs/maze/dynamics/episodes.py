"""How an episode begins: where goal, things and agent are put."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from ocrl_envs.maze.appearance.looks import Looks, dress
from ocrl_envs.maze.dynamics.state import State
from ocrl_envs.maze.kernel import kernel
from ocrl_envs.maze.layout.distances import fill_distances
from ocrl_envs.maze.layout.maps import MAY_APPLE, MAY_GOAL, MAY_START, Maps
from ocrl_envs.maze.rng import random_index, random_unit
from ocrl_envs.maze.task.rules import Rules

_START_STREAM = np.uint64(0x5354415254)


@kernel
def _draw_cell(free: npt.NDArray[np.bool_], state: npt.NDArray[np.uint64]) -> int:
    """Draw one of the free cells, bool (cells,), and occupy it; -1 if there is none."""
    count = 0
    for cell in range(len(free)):
        count += free[cell]
    if count == 0:
        return -1
    chosen = random_index(state, count)
    for cell in range(len(free)):
        if free[cell]:
            if chosen == 0:
                free[cell] = False
                return cell
            chosen -= 1
    return -1


@kernel
def _put_things(maps: Maps, rules: Rules, state: State, i: int) -> None:
    """Draw kind and cell of the goal and of each thing of maze ``i``."""
    layout = state.layout[i]
    rng = maps.seed[layout : layout + 1].copy() if rules.fix_goal else state.rng[i]
    rows, cols = state.distance.shape[1:]
    marks = maps.marks[layout].ravel()
    taken = np.zeros(rows * cols, np.bool_)
    state.kind[i] = -1
    thing = 0
    if rules.has_goal:
        free = (marks & MAY_GOAL) != 0
        cell = _draw_cell(free, rng)
        taken[cell] = True
        state.kind[i, 0] = rules.goal_kind
        state.place[i, 0, 0], state.place[i, 0, 1] = cell % cols + 0.5, cell // cols + 0.5
        fill_distances(
            maps.horizontal[layout],
            maps.vertical[layout],
            taken.reshape(rows, cols),
            np.zeros((rows, cols), np.bool_),
            state.distance[i],
        )
        thing = 1
    free = ((marks & MAY_APPLE) != 0) & ~taken
    variant, num_variants = np.int64(0), len(rules.good_counts)
    if num_variants > 1:
        variant = np.int64(random_index(rng, num_variants))
    num_good, num_bad = rules.good_counts[variant], rules.bad_counts[variant]
    for number in range(rules.num_good + rules.num_bad):
        is_good = number < rules.num_good
        if (is_good and number >= num_good) or number >= rules.num_good + num_bad:
            continue
        kinds = rules.good_kinds if is_good else rules.bad_kinds
        kind = kinds[random_index(rng, len(kinds))]
        cell = _draw_cell(free, rng)
        if cell >= 0:
            state.kind[i, thing + number] = kind
            state.place[i, thing + number, 0] = cell % cols + 0.5
            state.place[i, thing + number, 1] = cell // cols + 0.5


@kernel
def put_agent(maps: Maps, rules: Rules, state: State, i: int) -> None:
    """Place agent ``i``, at rest, away from the goal and from things, and put all things back."""
    layout = state.layout[i]
    rng = state.rng[i]
    if rules.fix_start:
        rng = maps.seed[layout : layout + 1] ^ _START_STREAM
    cols = state.distance.shape[2]
    may_start = (maps.marks[layout].ravel() & MAY_START) != 0
    distance = state.distance[i].ravel()
    free = may_start & (distance >= rules.min_start_distance)
    for thing in range(state.kind.shape[1]):
        if state.kind[i, thing] >= 0:
            place = state.place[i, thing]
            free[int(place[1]) * cols + int(place[0])] = False
    cell = _draw_cell(free, rng)
    if cell < 0:
        free = may_start & (distance >= min(1, rules.min_start_distance))
        cell = _draw_cell(free, rng)
    if cell < 0:
        cell = _draw_cell(may_start, rng)
    state.position[i, 0], state.position[i, 1] = cell % cols + 0.5, cell // cols + 0.5
    state.velocity[i] = 0.0
    state.heading[i] = np.float32(2 * math.pi * random_unit(rng))
    for thing in range(state.kind.shape[1]):
        state.present[i, thing] = state.kind[i, thing] >= 0


@kernel
def begin_episode(
    maps: Maps, rules: Rules, looks: Looks, state: State, i: int, layout: int
) -> None:
    """Begin an episode in maze ``i``.

    Args:
        maps: all layouts.
        rules: of the level.
        looks: of the environment.
        state: of all mazes, changed in place.
        i: which maze.
        layout: which layout; -1 draws one. Both use up the same random numbers.
    """
    drawn = random_index(state.rng[i], len(maps.seed))
    if rules.fix_layout:
        drawn = 0
    state.layout[i] = drawn if layout < 0 else layout
    dress(looks, state.layout[i], state.rng[i], state.style[i], state.picture[i])
    state.distance[i] = 0
    _put_things(maps, rules, state, i)
    put_agent(maps, rules, state, i)
    state.turning[i] = 0.0
    state.steps[i] = 0
    state.goals[i] = 0
    state.apples[i] = 0
    state.travelled[i] = 0.0
    state.first_goal[i] = -1
    x, y = state.position[i]
    state.shortest[i] = state.distance[i, int(y), int(x)]
