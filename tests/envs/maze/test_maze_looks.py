"""Looks are a factor of their own: they tell nothing of the layout, and change nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2_contingency

from ocrl_envs.errors import UsageError
from ocrl_envs.maze.appearance.looks import LOOKS, NUM_PICTURES, NUM_STYLES
from ocrl_envs.maze.env import MazeEnv
from ocrl_envs.maze.vector import MazeVectorEnv

NUM_LAYOUTS = 6
EPISODES = 480


def episodes(looks: str, **options: object) -> tuple[MazeVectorEnv, np.ndarray]:
    """Begin many episodes at once, and return the mazes and their first frames."""
    envs = MazeVectorEnv(EPISODES, num_layouts=NUM_LAYOUTS, looks=looks, image_size=8, **options)
    return envs, envs.reset(seed=0)[0]


def dependence(layout: np.ndarray, style: np.ndarray) -> float:
    """Return the p-value of a chi-square test that layout and style are independent."""
    table = np.zeros((NUM_LAYOUTS, style.max() + 1))
    np.add.at(table, (layout, style), 1)
    return float(chi2_contingency(table[:, table.sum(0) > 0]).pvalue)


def layout_by_colour(frames: np.ndarray, layout: np.ndarray) -> float:
    """Return how often the episode whose mean colours are nearest is in the same layout."""
    top, bottom = frames[:, :4].mean((1, 2)), frames[:, 4:].mean((1, 2))
    colours = np.concatenate([top, bottom], axis=1)
    gaps = np.square(colours[:, None] - colours).sum(-1)
    np.fill_diagonal(gaps, np.inf)
    return float((layout[gaps.argmin(1)] == layout).mean())


def test_looks_by_episode_tell_nothing_of_the_layout() -> None:
    chance = 1 / NUM_LAYOUTS
    spread = np.sqrt(chance * (1 - chance) / EPISODES)
    envs, frames = episodes("by_episode")
    state = envs.simulation.state
    assert dependence(state.layout, state.style[:, 0]) > 0.01
    assert dependence(state.layout, state.picture[:, 0]) > 0.01
    assert abs(layout_by_colour(frames, state.layout) - chance) < 4 * spread
    envs, frames = episodes("by_layout")
    state = envs.simulation.state
    assert dependence(state.layout, state.style[:, 0]) < 1e-9
    assert layout_by_colour(frames, state.layout) > 4 * chance


@pytest.mark.parametrize("split", ["train", "test"])
def test_training_and_test_layouts_draw_from_the_same_looks(split: str) -> None:
    shift = None if split == "train" else "layout"
    envs, _ = episodes("by_episode", shift=shift)
    reference = MazeVectorEnv(1, num_layouts=1, looks="by_episode").simulation.looks
    np.testing.assert_array_equal(envs.simulation.looks.texels, reference.texels)
    state = envs.simulation.state
    counts = np.bincount(state.style[:, 0], minlength=NUM_STYLES["train"])
    mean = EPISODES / NUM_STYLES["train"]
    assert len(counts) == NUM_STYLES["train"]
    assert np.square(counts - mean).sum() / mean < 45  # 0.4 % of uniform draws are further off
    assert set(np.unique(state.picture)) == set(range(NUM_PICTURES))
    assert all(len(set(row)) == len(row) for row in state.picture.tolist())


def test_looks_change_nothing_but_the_frames() -> None:
    options = {"num_layouts": 4, "level": "nav_maze_random_goal_1"}
    mazes = {looks: MazeVectorEnv(8, looks=looks, **options) for looks in LOOKS}
    frames = {looks: envs.reset(seed=3)[0] for looks, envs in mazes.items()}
    truths = [envs.ground_truth() for envs in mazes.values()]
    for truth in truths[1:]:
        for name in ("segments", "depth", "position", "heading", "object_kind", "object_position"):
            np.testing.assert_array_equal(getattr(truth, name), getattr(truths[0], name))
    assert not np.array_equal(frames["by_layout"], frames["by_episode"])
    assert len(np.unique(mazes["one"].simulation.state.style)) == 1
    assert len(np.unique(mazes["one"].simulation.state.picture, axis=0)) == 1
    random = [envs.simulation.state.rng for envs in mazes.values()]
    assert all(np.array_equal(state, random[0]) for state in random[1:])


def test_a_new_episode_has_new_looks_and_a_seed_brings_them_back() -> None:
    env = MazeEnv(num_layouts=1, looks="by_episode", fix_start=True)
    frames = [env.reset(seed=0 if k == 0 else None)[0] for k in range(6)]
    assert len({frame.tobytes() for frame in frames}) > 3
    np.testing.assert_array_equal(env.reset(seed=0)[0], frames[0])


def test_unknown_looks_are_one_line() -> None:
    with pytest.raises(UsageError, match="by_episode"):
        MazeEnv(looks="by_epsiode")
