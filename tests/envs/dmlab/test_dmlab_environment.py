"""Episodes of the lab behind the Gymnasium interface."""

from __future__ import annotations

import gc

import fake_deepmind_lab
import gymnasium
import numpy as np
import pytest
from fake_deepmind_lab import RING_ROWS
from gymnasium.utils.env_checker import check_env
from lab_episodes import SHORT, play

from ocrl_envs.dmlab import DeepMindLabEnv
from ocrl_envs.errors import UsageError
from ocrl_envs.maze.task.levels import LEVELS as EMBEDDED_LEVELS

GENERATED = "explore_goal_locations_small"
# Of this level there is no recording: its frames and rewards are invented.
INVENTED = "collect_good_objects"
MAZE = "*****\n*P G*\n*****"
ALL = ("rgb", "depth", "velocity", "pose", "instruction")


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    "kwargs",
    [
        {},
        {"observations": ALL, "actions": "raw"},
        {"actions": "impala9", "image_size": (72, 96), "render_mode": "rgb_array"},
        {"actions": "extended15", "decision_frames": 1, "observations": ("rgb", "depth")},
    ],
)
def test_gymnasium_finds_no_fault(deepmind_lab, make_env, kwargs):
    env = make_env(settings=SHORT, **kwargs)
    env.spec = gymnasium.spec("ocrl/DeepMindLab-v0")
    assert env.spec.nondeterministic  # for one seed twice in one process
    check_env(env, skip_render_check=True)


def test_one_seed_twice_in_a_process_differs_in_the_ring_alone(fake_lab, make_env):
    env = make_env(settings=SHORT)
    first, _ = env.reset(seed=0)
    for _ in range(3):
        env.step(0)
    again, _ = env.reset(seed=0)
    assert (first != again).any()
    np.testing.assert_array_equal(first[:-RING_ROWS], again[:-RING_ROWS])


def test_episode_is_truncated_at_the_clock_with_its_last_frame(deepmind_lab, make_env):
    env = make_env(settings=SHORT)
    env.reset(seed=0)
    steps = play(env)
    assert len(steps) == 30
    assert not any(terminated for _, _, terminated, _, _ in steps)
    assert [truncated for _, _, _, truncated, _ in steps] == [False] * 29 + [True]
    assert [info for *_, info in steps[:-1]] == [{}] * 29
    assert set(steps[-1][-1]) == {"goals", "apples", "success", "maze"}
    np.testing.assert_array_equal(steps[-1][0], steps[-2][0])
    assert not np.shares_memory(steps[-1][0], steps[-2][0])


def test_whole_episode_has_the_decisions_of_the_level(fake_lab, make_env):
    env = make_env("seekavoid_arena_1")
    env.reset(seed=0)
    assert len(play(env)) == EMBEDDED_LEVELS["seekavoid_arena_1"].num_steps


def test_first_frame_belongs_to_its_episode(fake_lab, make_env):
    env = make_env(settings=SHORT)
    for seed in range(4):
        frame, _ = env.reset(seed=seed)
        episode = fake_deepmind_lab._episode("nav_maze_static_01", env._lab.seeds[-1])
        np.testing.assert_array_equal(frame[:-RING_ROWS], episode["frames"][0][:-RING_ROWS])
        play(env)


def test_every_reset_is_seeded_from_the_generator_of_the_environment(fake_lab, make_env):
    def engine_seeds(seed):
        env = make_env()
        env.reset(seed=seed)
        for _ in range(4):
            env.reset()
        seeds = env._lab.seeds
        env.close()
        return seeds

    first, again, other = engine_seeds(7), engine_seeds(7), engine_seeds(8)
    assert first == again
    assert len({*first, *other}) == 10
    assert len({*engine_seeds(None), *engine_seeds(None)}) == 10


def test_rewards_are_counted(fake_lab, make_env):
    env = make_env(INVENTED, settings={"episodeLengthSeconds": 1})
    for _ in range(2):
        env.reset(seed=0)
        steps = play(env)
        assert [(t, r) for t, (_, r, *_) in enumerate(steps) if r] == [(2, 1), (5, 11), (9, -1)]
        assert steps[-1][-1] == {"goals": 1, "apples": 2, "success": True, "maze": 0}
        assert all(type(reward) is float for _, reward, *_ in steps)


def test_reward_of_the_first_frame_is_paid(fake_lab, make_env, monkeypatch):
    step = fake_lab.Lab.step
    monkeypatch.setattr(
        fake_lab.Lab, "step", lambda lab, action, num_steps=1: step(lab, action, num_steps) + 1
    )
    env = make_env(settings={"episodeLengthSeconds": 0.1})
    env.reset(seed=0)
    assert [reward for _, reward, *_ in play(env)] == [2, 1]


def test_engine_gets_its_settings_as_text(fake_lab, make_env):
    env = make_env(image_size=(24, 32), mixer_seed=5, settings=SHORT | {"logLevel": "NEVER"})
    env.reset(seed=0)
    assert env._lab._config == {
        "width": "32",
        "height": "24",
        "minimalUI": "true",
        "mixerSeed": "5",
        "episodeLengthSeconds": "2",
        "logLevel": "NEVER",
    }


def test_one_lab_in_a_process(deepmind_lab, make_env):
    first, second = make_env("nav_maze_1"), make_env("nav_maze_2")
    first.reset(seed=0)
    with pytest.raises(UsageError, match="runs a Lab already, for level=nav_maze_1"):
        second.reset(seed=0)
    first.close()
    second.reset(seed=0)


def test_forgotten_lab_does_not_block_the_next(fake_lab, make_env):
    DeepMindLabEnv().reset(seed=0)
    gc.collect()
    make_env().reset(seed=0)


def test_the_engine_prints_nothing_into_the_progress_bar(fake_lab, make_env, capfd):
    env = make_env(GENERATED, maze_text=MAZE)
    for _ in range(2):
        print("before", flush=True)
        env.reset()
        print("after", flush=True)
    assert capfd.readouterr() == ("before\nafter\n" * 2, "")
