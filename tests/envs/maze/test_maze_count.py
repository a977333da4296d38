"""A shift of count has fewer things or more, and changes nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from ocrl_envs.maze.task.levels import LEVELS
from ocrl_envs.maze.vector import MazeVectorEnv

EPISODES = 60


def begun(level: str, **options: object) -> MazeVectorEnv:
    envs = MazeVectorEnv(EPISODES, level=level, **options)
    envs.reset(seed=1)
    return envs


@pytest.mark.parametrize("level", ["nav_maze_1", "collect_good_objects", "seekavoid_arena_1"])
def test_there_are_half_as_many_things_or_half_as_many_again(level: str) -> None:
    plain, shifted = begun(level), begun(level, shift="count")
    good, bad = LEVELS[level].num_good, LEVELS[level].num_bad
    fewer, more = (good - good // 2, bad - bad // 2), (good + good // 2, bad + bad // 2)
    rules, truth = shifted.simulation.rules, shifted.ground_truth()
    first = int(rules.has_goal)
    seen = []
    for kinds, places in zip(truth.object_kind, truth.object_position, strict=True):
        split = first + rules.num_good
        assert set(kinds[first:split]) - {-1} <= set(rules.good_kinds)
        assert set(kinds[split:]) - {-1} <= set(rules.bad_kinds)
        seen.append(((kinds[first:split] >= 0).sum(), (kinds[split:] >= 0).sum()))
        assert len({tuple(place) for place in places[kinds >= 0]}) == (kinds >= 0).sum()
        assert not rules.has_goal or kinds[0] == rules.goal_kind
    assert set(seen) == {fewer, more}
    assert 0.25 < np.mean([count == more for count in seen]) < 0.75
    np.testing.assert_array_equal(rules.good_kinds, plain.simulation.rules.good_kinds)
    assert [*map(str, shifted.simulation.layouts)] == [*map(str, plain.simulation.layouts)]
    np.testing.assert_array_equal(shifted.simulation.looks.texels, plain.simulation.looks.texels)


def test_all_things_can_be_collected() -> None:
    envs = begun("collect_good_objects", shift="count")
    state, rules = envs.simulation.state, envs.simulation.rules
    many = int(np.argmax((state.kind >= 0).sum(1)))
    for thing in np.flatnonzero(state.kind[many] >= 0):
        state.position[many] = state.place[many, thing]
        state.velocity[many] = 0
        rewards = envs.step(np.zeros(EPISODES, np.int64))[1]
        assert rewards[many] == (1 if thing < rules.num_good else -1)
    assert not state.present[many].any()
    assert state.apples[many] == 15
