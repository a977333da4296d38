from __future__ import annotations

import gc
import re

import fake_deepmind_lab
import gymnasium
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env

from ocrl_envs.dmlab import LEVELS, DeepMindLabEnv, LevelCache
from ocrl_envs.errors import UsageError
from ocrl_envs.maze.task.levels import LEVELS as EMBEDDED_LEVELS

SHORT = {"episodeLengthSeconds": 2}  # 120 frames: 30 decisions of 4
GENERATED = "explore_goal_locations_small"
# Of this level there is no recording: its frames and rewards are invented.
INVENTED = "collect_good_objects"
MAZE = "*****\n*P G*\n*****"
OTHER_MAZE = "*****\n*P  *\n*** *\n*G  *\n*****"

ALL = ("rgb", "depth", "velocity", "instruction")


def play(env, action=2):
    """Play an episode to its end, and return what each step returned."""
    steps = [env.step(action)]
    while not (steps[-1][2] or steps[-1][3]):
        steps.append(env.step(action))
    return steps


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    "kwargs",
    [
        {},
        {"observations": ALL, "actions": "raw"},
        {"actions": "impala9", "image_size": (72, 96), "render_mode": "rgb_array"},
        {"actions": "extended15", "action_repeat": 1, "observations": ("rgb", "depth")},
    ],
)
def test_gymnasium_finds_no_fault(deepmind_lab, make_env, kwargs):
    check_env(make_env(settings=SHORT, **kwargs))


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


def test_no_step_without_an_episode(deepmind_lab, make_env):
    env = make_env(settings=SHORT, render_mode="rgb_array")
    for before_reset in (lambda: env.step(0), env.render):
        with pytest.raises(ResetNeeded):
            before_reset()
    env.reset(seed=0)
    play(env)
    with pytest.raises(ResetNeeded):
        env.step(0)
    env.close()
    with pytest.raises(ResetNeeded):
        env.step(0)
    env.reset(seed=0)
    assert env.step(0)[1] == 0


def test_first_frame_belongs_to_its_episode(fake_lab, make_env):
    env = make_env(settings=SHORT)
    for seed in range(4):
        frame, _ = env.reset(seed=seed)
        episode = fake_deepmind_lab._episode("nav_maze_static_01", env._lab.seeds[-1])
        np.testing.assert_array_equal(frame, episode["frames"][0])
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


NAVIGATION8 = [
    [-20, 0, 0, 0, 0, 0, 0],
    [20, 0, 0, 0, 0, 0, 0],
    [0, 0, 0, 1, 0, 0, 0],
    [0, 0, 0, -1, 0, 0, 0],
    [0, 0, -1, 0, 0, 0, 0],
    [0, 0, 1, 0, 0, 0, 0],
    [-20, 0, 0, 1, 0, 0, 0],
    [20, 0, 0, 1, 0, 0, 0],
]


def test_actions_reach_the_engine(fake_lab, make_env):
    env = make_env()
    env.reset(seed=0)
    for number, expected in enumerate(NAVIGATION8):
        env.step(np.int64(number))
        assert env._lab.actions[-1] == expected
    assert env.action_space.n == 8


@pytest.mark.parametrize("name", ["navigation8", "impala9", "extended15", "raw"])
def test_actions_stay_within_what_the_engine_specifies(fake_lab, make_env, name):
    env = make_env(actions=name)
    env.reset(seed=0)
    spec = env._lab.action_spec()
    env.action_space.seed(0)
    discrete = isinstance(env.action_space, gymnasium.spaces.Discrete)
    tried = (
        range(env.action_space.n) if discrete else [env.action_space.sample() for _ in range(99)]
    )
    for action in tried:
        env.step(action)
    reached = env._lab.actions[1:]
    assert len({tuple(action) for action in reached}) == len(tried)
    assert all(
        s["min"] <= a <= s["max"] for action in reached for a, s in zip(action, spec, strict=True)
    )


def test_raw_actions_cover_the_specification(fake_lab, make_env):
    env = make_env(actions="raw")
    env.reset(seed=0)
    for action, bound in ((np.zeros(7, int), "min"), (env.action_space.nvec - 1, "max")):
        env.step(action)
        assert env._lab.actions[-1] == [spec[bound] for spec in env._lab.action_spec()]


def test_action_is_held(fake_lab, make_env):
    env = make_env(action_repeat=7)
    env.reset(seed=0)
    env.step(0)
    assert env._lab.num_steps() == 1 + 7
    assert env.metadata["render_fps"] == pytest.approx(60 / 7)


@pytest.mark.parametrize("action", [8, -1, 0.5, [1], None])
def test_unknown_action(deepmind_lab, make_env, action):
    env = make_env()
    env.reset(seed=0)
    with pytest.raises(UsageError, match=r"not in Discrete\(8\)"):
        env.step(action)


def test_observations(fake_lab, make_env):
    names = ["instruction", "velocity", "rgb", "depth"]
    env = make_env(INVENTED, observations=names, image_size=(24, 32))
    observation, _ = env.reset(seed=0)
    engine = env._lab._observe()
    assert set(observation) == set(ALL)
    np.testing.assert_array_equal(observation["rgb"], engine["RGB_INTERLEAVED"])
    np.testing.assert_array_equal(observation["depth"], engine["RGBD_INTERLEAVED"][..., 3:])
    np.testing.assert_array_equal(observation["velocity"][:3], engine["VEL.TRANS"].astype("f4"))
    np.testing.assert_array_equal(observation["velocity"][3:], engine["VEL.ROT"].astype("f4"))
    assert observation["instruction"] == engine["INSTR"]
    assert observation["rgb"].shape == (24, 32, 3)


def test_render_shows_the_current_frame(deepmind_lab, make_env):
    env = make_env(settings=SHORT, observations=("rgb", "depth"), render_mode="rgb_array")
    env.reset(seed=0)
    observation = play(env)[-1][0]
    np.testing.assert_array_equal(env.render(), observation["rgb"])
    env.render()[:] = 0
    assert env.render().any()
    env.render_mode = None
    assert env.render() is None


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


def test_one_maze(fake_lab, make_env):
    env = make_env(GENERATED, maze_text=MAZE, settings=SHORT)
    env.reset(seed=0)
    assert env._lab.read_property("params.overrideEntityLayer") == MAZE + "\n"
    assert play(env)[-1][-1]["maze"] == 0


def test_every_episode_draws_one_of_several_mazes(fake_lab, make_env):
    mazes = [MAZE, OTHER_MAZE]

    def drawn(seed):
        env = make_env(GENERATED, maze_text=mazes, settings={"episodeLengthSeconds": 0.1})
        for episode in range(12):
            env.reset(seed=seed if episode == 0 else None)
            maze = play(env)[-1][-1]["maze"]
            assert env._lab.read_property("params.overrideEntityLayer").startswith(mazes[maze])
            yield maze
        env.close()

    first = list(drawn(0))
    assert set(first) == {0, 1}
    assert first == list(drawn(0)) != list(drawn(1))


def test_maps_are_compiled_once(fake_lab, make_env, tmp_path, monkeypatch):
    writes = []
    write = LevelCache.write
    monkeypatch.setattr(
        LevelCache, "write", lambda cache, *args: (writes.append(args), write(cache, *args))
    )
    folder = tmp_path / "cache"
    for level_cache in (LevelCache(folder), str(folder)):
        env = make_env(GENERATED, maze_text=MAZE, level_cache=level_cache)
        for _ in range(3):
            env.reset()
        env.close()
    assert len(writes) == 1
    (entry,) = folder.iterdir()
    assert entry.read_text() == MAZE + "\n"


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"image_size": 66}, "image_size=66: .* multiples of 4"),
        ({"image_size": (64, 0)}, r"image_size=\(64, 0\): .* multiples of 4"),
        ({"image_size": (64, 64, 3)}, r"image_size=\(64, 64, 3\): .* multiples of 4"),
        ({"action_repeat": 0}, "action_repeat=0: "),
        ({"renderer": "gpu"}, "renderer='gpu': choose from software, hardware"),
        ({"render_mode": "human"}, "render_mode='human': choose rgb_array"),
        ({"actions": "navigation9"}, "actions='navigation9': choose from navigation8, .*, raw"),
        ({"observations": ("rgb", "depht")}, "no observation 'depht': .* nearest is 'depth'"),
        ({"observations": ("depth",)}, "add 'rgb'"),
        ({"maze_text": MAZE}, "level=nav_maze_1 has a map of its own: .*explore_goal_locations"),
        ({"level": GENERATED, "maze_text": []}, "maze_text is an empty list"),
        ({"level": GENERATED, "maze_text": [MAZE, "*"]}, "both must be odd"),
    ],
)
def test_bad_arguments(fake_lab, kwargs, message):
    with pytest.raises(UsageError, match=message) as error:
        DeepMindLabEnv(**kwargs)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"level": "nav_maze_4"}, "Level not found.*the nearest is nav_maze_"),
        ({"level": "nav_maze_statik_01"}, "Level not found.*the nearest is nav_maze_static_01"),
        ({"settings": {"botCount": 3}}, "botCount"),
    ],
)
def test_what_deepmind_lab_does_not_know(deepmind_lab, make_env, kwargs, message):
    with pytest.raises(UsageError, match=message) as error:
        make_env(**kwargs).reset(seed=0)
    assert "\n" not in str(error.value)


def test_level_without_an_observation(fake_lab, make_env, monkeypatch):
    shapes = fake_lab.Lab._shapes
    monkeypatch.setattr(
        fake_lab.Lab,
        "_shapes",
        lambda lab: {name: shape for name, shape in shapes(lab).items() if name != "INSTR"},
    )
    with pytest.raises(UsageError, match="Unknown observation 'INSTR'; leave that"):
        make_env(observations=("rgb", "instruction")).reset(seed=0)


@pytest.mark.parametrize(
    ("level", "command"),
    [
        ("nav_maze_random_goal_2", "has this level too: env=nav_maze_random_goal_2 simulator=maze"),
        ("nav_maze_static_03", "has this level too: env=nav_maze_3 simulator=maze"),
        (
            "contributed/dmlab30/rooms_watermaze",
            "has no such level, .*: env=[a-z_0-9]+ simulator=maze",
        ),
    ],
)
def test_without_deepmind_lab(without_deepmind_lab, level, command):
    with pytest.raises(UsageError, match=r"not installed: docs/dmlab\.md .*" + command) as error:
        DeepMindLabEnv(level)
    assert "\n" not in str(error.value)
    suggested = re.search(r"env=(\S+)", str(error.value))
    assert suggested.group(1) in EMBEDDED_LEVELS


def test_same_levels_as_the_embedded_maze():
    assert set(LEVELS) == set(EMBEDDED_LEVELS)
