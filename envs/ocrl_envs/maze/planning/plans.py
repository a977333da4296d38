"""Plans: what an agent that knows the maze intends, and when it thinks again."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ocrl_envs.maze.dynamics.motion import (
    ACTION_TABLE,
    FRAMES_PER_STEP,
    TURN_PER_FRAME,
    frame_seconds,
    glide,
)
from ocrl_envs.maze.dynamics.state import State
from ocrl_envs.maze.kernel import kernel
from ocrl_envs.maze.layout.maps import Maps
from ocrl_envs.maze.planning.fields import (
    AVOIDANCE,
    NODES,
    fill_field,
    mark_nodes,
)
from ocrl_envs.maze.planning.routes import PACE, plan_route
from ocrl_envs.maze.planning.search import DEPTH, KEPT, search_actions
from ocrl_envs.maze.planning.tolls import choose_things
from ocrl_envs.maze.task.rules import Rules

# decisions of a plan that are carried out before the next is made
COMMITTED = 4
# how far things may be that are watched for on the way, in cells
NEARBY = 4.5
# what things that the route does not visit next are worth, in decisions: those that it visits
# later, those that it leaves where time is worth nothing, and bad ones
LATER_WORTH, LEFT_WORTH, BAD_WORTH = 2.0, 4.0, -PACE * AVOIDANCE
# look left, where there is nothing to do
IDLE = 0
# an agent that is further from where it should be, in cells, has been put there
_SURPRISE = 1e-3


class Plans(NamedTuple):
    """The plans for N mazes of R x C nodes with K things.

    Attributes:
        actions: int64 (N, DEPTH), to be taken one after the other.
        planned: int64 (N,), for how many calls they are to be carried out.
        done: int64 (N,), for how many they have been.
        expected: float64 (N, 2), where the agent will be at the next decision.
        route: int64 (N, K + 1), things to visit, in order.
        visits: int64 (N,), how many.
        present: bool (N, K), things that there were when the route was made.
        wanted: bool (N, K), things to take.
        worth: float64 (N,), reward that a decision is worth.
        fields: float32 (N, 2, R, C), distances to the next two things of the route.
        shown: int64 (N, 2), which things the fields lead to, -1: none.
        avoided: int16 (N, R, C), number of the bad thing that is within reach of a node, -1: none.
    """

    actions: npt.NDArray[np.int64]
    planned: npt.NDArray[np.int64]
    done: npt.NDArray[np.int64]
    expected: npt.NDArray[np.float64]
    route: npt.NDArray[np.int64]
    visits: npt.NDArray[np.int64]
    present: npt.NDArray[np.bool_]
    wanted: npt.NDArray[np.bool_]
    worth: npt.NDArray[np.float64]
    fields: npt.NDArray[np.float32]
    shown: npt.NDArray[np.int64]
    avoided: npt.NDArray[np.int16]


def empty_plans(state: State) -> Plans:
    """Return plans for mazes that nobody has thought about."""
    num_envs, num_things = state.kind.shape
    rows, cols = state.distance.shape[1:]
    return Plans(
        actions=np.zeros((num_envs, DEPTH), np.int64),
        planned=np.zeros(num_envs, np.int64),
        done=np.zeros(num_envs, np.int64),
        expected=np.full((num_envs, 2), -1.0),
        route=np.zeros((num_envs, num_things + 1), np.int64),
        visits=np.zeros(num_envs, np.int64),
        present=np.zeros((num_envs, num_things), np.bool_),
        wanted=np.zeros((num_envs, num_things), np.bool_),
        worth=np.zeros(num_envs, np.float64),
        fields=np.zeros((num_envs, 2, rows * NODES, cols * NODES), np.float32),
        shown=np.full((num_envs, 2), -1, np.int64),
        avoided=np.full((num_envs, rows * NODES, cols * NODES), -1, np.int16),
    )


@kernel
def decide(
    maps: Maps,
    rules: Rules,
    state: State,
    plans: Plans,
    num_steps: int,
    repeat: int,
    actions: npt.NDArray[np.int64],
) -> None:
    """Write the next action of each maze, int64 (N,).

    Args:
        maps: all layouts.
        rules: of the level.
        state: of all mazes.
        plans: of all mazes, changed in place.
        num_steps: decisions in an episode.
        repeat: decisions that the environment holds an action for.
        actions: written.
    """
    kept = KEPT if repeat == 1 else repeat
    for i in range(len(actions)):
        gap = np.abs(plans.expected[i] - state.position[i]).max()
        is_lost = gap > _SURPRISE or state.steps[i] == 0
        first_bad = rules.has_goal + rules.num_good
        changed = plans.present[i] != state.present[i]
        if is_lost or changed.any():
            if is_lost or changed[first_bad:].any():
                plans.shown[i] = -1
                choose_things(maps, rules, state, i, plans.wanted[i])
            plans.present[i] = state.present[i]
            remaining = num_steps - state.steps[i]
            plans.visits[i], plans.worth[i] = plan_route(
                maps, rules, state, i, remaining, plans.wanted[i], plans.route[i]
            )
            _show_next(maps, rules, state, plans, i)
            plans.done[i] = plans.planned[i]
        if plans.visits[i] == 0:
            actions[i] = IDLE
        else:
            if plans.done[i] >= plans.planned[i]:
                length = _think(maps, rules, state, plans, i, kept, repeat)
                plans.planned[i] = min(length * kept, max(COMMITTED, kept)) // repeat
                plans.done[i] = 0
            actions[i] = plans.actions[i, plans.done[i] * repeat // kept]
            plans.done[i] += 1
        _foresee(maps, state, plans, i, actions[i], repeat)


@kernel
def _show_next(maps: Maps, rules: Rules, state: State, plans: Plans, i: int) -> None:
    """Fill the fields of the next two things, where they are not there already."""
    fields, shown, avoided = plans.fields[i], plans.shown[i], plans.avoided[i]
    blocked = np.empty(avoided.shape, np.bool_)
    mark_nodes(maps, rules, state, i, plans.wanted[i], blocked, avoided)
    if plans.visits[i] > 0 and shown[1] == plans.route[i, 0]:
        fields[0] = fields[1]
        shown[0], shown[1] = shown[1], -1
    for k in range(min(plans.visits[i], 2)):
        thing = plans.route[i, k]
        if shown[k] != thing:
            shown[k] = thing
            x, y = state.place[i, thing]
            fill_field(blocked, avoided, x, y, fields[k])


@kernel
def _think(
    maps: Maps, rules: Rules, state: State, plans: Plans, i: int, kept: int, repeat: int
) -> int:
    """Search for the next actions, each kept for some decisions; return how many there are."""
    layout = state.layout[i]
    x, y = state.position[i]
    count = min(plans.visits[i], 2)
    targets = np.empty((count, 2))
    for k in range(count):
        targets[k] = state.place[i, plans.route[i, k]]
    others = np.empty((state.kind.shape[1], 4))
    num_others = 0
    for thing in range(int(rules.has_goal), state.kind.shape[1]):
        place = state.place[i, thing]
        is_near = max(abs(place[0] - x), abs(place[1] - y)) < NEARBY
        if not is_near or not state.present[i, thing]:
            continue
        worth = 0.0 if plans.wanted[i, thing] else BAD_WORTH
        if thing < rules.has_goal + rules.num_good:
            worth = 1.0 / plans.worth[i] if plans.worth[i] > 0 else LEFT_WORTH
            for k in range(plans.visits[i]):
                if plans.route[i, k] == thing:
                    worth = LATER_WORTH if k >= count else 0.0
        if worth != 0.0:
            others[num_others, :2] = place
            others[num_others, 2], others[num_others, 3] = worth, thing
            num_others += 1
    start = np.empty(5)
    start[:2], start[2:4], start[4] = state.position[i], state.velocity[i], state.heading[i]
    return search_actions(
        maps.horizontal[layout],
        maps.vertical[layout],
        start,
        state.steps[i],
        kept,
        targets,
        plans.fields[i],
        plans.avoided[i],
        others[:num_others],
        0 if rules.has_goal or plans.visits[i] > count else repeat,
        plans.actions[i],
    )


@kernel
def _foresee(maps: Maps, state: State, plans: Plans, i: int, action: int, repeat: int) -> None:
    """Note where an action will lead that is held for some decisions."""
    layout = state.layout[i]
    turn, ahead, right = ACTION_TABLE[action]
    x, y = float(state.position[i, 0]), float(state.position[i, 1])
    vx, vy = float(state.velocity[i, 0]), float(state.velocity[i, 1])
    heading = float(state.heading[i])
    for frame in range(repeat * FRAMES_PER_STEP):
        heading += turn * TURN_PER_FRAME
        x, y, vx, vy = glide(
            maps.horizontal[layout],
            maps.vertical[layout],
            x,
            y,
            vx,
            vy,
            heading,
            ahead,
            right,
            frame_seconds(state.steps[i] + frame // FRAMES_PER_STEP),
        )
    plans.expected[i, 0], plans.expected[i, 1] = x, y
