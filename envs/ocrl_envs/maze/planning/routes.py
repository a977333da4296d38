"""Routes: which things to visit, in which order, so that each step of the way pays most."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ocrl_envs.maze.dynamics.state import State
from ocrl_envs.maze.dynamics.stepping import GOAL_REWARD, THING_REWARD
from ocrl_envs.maze.kernel import kernel
from ocrl_envs.maze.layout.distances import fill_distances
from ocrl_envs.maze.layout.maps import Maps
from ocrl_envs.maze.task.rules import Rules

# decisions that a cell takes at full speed
PACE = 5.0
# how much further, in cells, a way past bad things is held to be
UNWELCOME = 1000.0


@kernel
def _measure_ways(
    maps: Maps,
    rules: Rules,
    state: State,
    i: int,
    blocked: npt.NDArray[np.bool_],
    extra: float,
    ways: npt.NDArray[np.float64],
) -> None:
    """Shorten the ways, float64 (K, K + 1), from each thing to visit to the others and the agent.

    Args:
        maps: all layouts.
        rules: of the level.
        state: of all mazes.
        i: which maze.
        blocked: bool (rows, cols), cells that no way leads through.
        extra: added to each length.
        ways: in steps between cells, changed.
    """
    layout = state.layout[i]
    target, steps = np.zeros(blocked.shape, np.bool_), np.empty(blocked.shape, np.int32)
    for thing in range(rules.has_goal + rules.num_good):
        if not state.present[i, thing]:
            continue
        row, col = int(state.place[i, thing, 1]), int(state.place[i, thing, 0])
        target[row, col] = True
        fill_distances(maps.horizontal[layout], maps.vertical[layout], target, blocked, steps)
        target[row, col] = False
        for end in range(len(ways) + 1):
            x, y = state.position[i] if end == len(ways) else state.place[i, end]
            if steps[int(y), int(x)] >= 0:
                ways[thing, end] = min(ways[thing, end], steps[int(y), int(x)] + extra)


@kernel
def plan_route(
    maps: Maps,
    rules: Rules,
    state: State,
    i: int,
    remaining: int,
    wanted: npt.NDArray[np.bool_],
    route: npt.NDArray[np.int64],
) -> tuple[int, float]:
    """Write the things to visit, in order.

    Good things are inserted into the way to the goal, the best one first, where it costs least,
    as long as one is worth more than what the time of its detour would bring elsewhere (cheapest
    insertion; Rosenkrantz et al., 1977). Without a goal, or without time to get there, all are
    that time allows.

    Args:
        maps: all layouts.
        rules: of the level.
        state: of all mazes.
        i: which maze.
        remaining: decisions left.
        wanted: bool (K,), things to take.
        route: int64 (K + 1,), written: numbers of things.

    Returns:
        How many things the route visits, and the reward that a decision is worth.
    """
    rows, cols = state.distance.shape[1:]
    things = state.kind.shape[1]
    blocked = np.zeros((rows, cols), np.bool_)
    for thing in range(rules.has_goal + rules.num_good, things):
        if state.present[i, thing] and not wanted[thing]:
            blocked[int(state.place[i, thing, 1]), int(state.place[i, thing, 0])] = True
    # from each thing to each other one, and, in the last column, from the agent
    ways = np.full((things, things + 1), np.inf)
    _measure_ways(maps, rules, state, i, np.zeros((rows, cols), np.bool_), UNWELCOME, ways)
    _measure_ways(maps, rules, state, i, blocked, 0.0, ways)
    budget = remaining / PACE
    worth = 0.0
    length, count = 0.0, 0
    if rules.has_goal and ways[0, things] < budget:
        reached = state.distance[i] >= 0
        mean = state.distance[i].sum() / max(reached.sum(), 1)
        worth = GOAL_REWARD / (PACE * max(mean, 1.0))
        route[0], count, length = 0, 1, ways[0, things]
    fixed = count
    used = np.zeros(things, np.bool_)
    while True:
        best, best_gain, best_at, best_length = -1, 0.0, 0, 0.0
        for thing in range(int(rules.has_goal), rules.has_goal + rules.num_good):
            if used[thing] or not state.present[i, thing] or not wanted[thing]:
                continue
            for at in range(count + 1 - fixed):
                before = ways[thing, things] if at == 0 else ways[thing, route[at - 1]]
                more = before
                if at < count:
                    skipped = ways[route[at], things] if at == 0 else ways[route[at], route[at - 1]]
                    more = before + ways[thing, route[at]] - skipped
                gain = THING_REWARD - worth * PACE * more
                if not fixed:
                    gain = THING_REWARD / (1.0 + more)
                if gain > best_gain and (length + more < budget or not rules.has_goal):
                    best, best_gain, best_at, best_length = thing, gain, at, more
        if best < 0:
            return count, worth
        for k in range(count, best_at, -1):
            route[k] = route[k - 1]
        route[best_at] = best
        used[best] = True
        count += 1
        length += best_length
