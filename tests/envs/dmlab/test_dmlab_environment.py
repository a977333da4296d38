from __future__ import annotations

import gc
import re
import sys

import fake_deepmind_lab
import gymnasium
import numpy as np
import pytest
from fake_deepmind_lab import RING_ROWS
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env
from recordings import FOLDER, needs_recordings

from ocrl_envs.dmlab import LEVELS, DeepMindLabEnv, LevelCache
from ocrl_envs.dmlab.actions import ACTION_SETS
from ocrl_envs.dmlab.named_mazes import maze_texts
from ocrl_envs.dmlab.observations import TOP_LOOK, TOP_SPEED, own_pose
from ocrl_envs.dmlab.observations import own_velocity as own_velocity_of_engine
from ocrl_envs.errors import UsageError
from ocrl_envs.maze.appearance.objects import KIND_NUMBERS
from ocrl_envs.maze.dynamics.motion import ACTION_TABLE
from ocrl_envs.maze.env import MazeEnv
from ocrl_envs.maze.layout.layout import Layout
from ocrl_envs.maze.observations import own_velocity
from ocrl_envs.maze.task.levels import LEVELS as EMBEDDED_LEVELS

SHORT = {"episodeLengthSeconds": 2}  # 120 frames: 30 decisions of 4
GENERATED = "explore_goal_locations_small"
# Of this level there is no recording: its frames and rewards are invented.
INVENTED = "collect_good_objects"
MAZE = "*****\n*P G*\n*****"
OTHER_MAZE = "*****\n*P  *\n*** *\n*G  *\n*****"

ALL = ("rgb", "depth", "velocity", "pose", "instruction")


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


def test_actions_are_those_of_the_embedded_maze():
    look, _, strafe, move, *_ = ACTION_SETS["navigation8"].T
    np.testing.assert_array_equal(np.stack([look / TOP_LOOK, move, strafe], 1), ACTION_TABLE)


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
    env = make_env(decision_frames=7, action_repeat=3, velocity=True)
    observation, _ = env.reset(seed=0)
    assert observation["velocity"].shape == (3,)
    env.step(0)
    assert env._lab.num_steps() == 1 + 7 * 3
    assert env.metadata["render_fps"] == pytest.approx(60 / 21)


@pytest.mark.parametrize("action", [8, -1, 0.5, [1], None])
def test_unknown_action(deepmind_lab, make_env, action):
    env = make_env()
    env.reset(seed=0)
    with pytest.raises(UsageError, match=r"not in Discrete\(8\)"):
        env.step(action)


def test_observations(fake_lab, make_env):
    names = ["instruction", "pose", "velocity", "rgb", "depth"]
    env = make_env(INVENTED, observations=names, image_size=(24, 32))
    observation, _ = env.reset(seed=0)
    engine = env._lab._observe()
    assert set(observation) == set(ALL)
    np.testing.assert_array_equal(observation["rgb"], engine["RGB_INTERLEAVED"])
    np.testing.assert_array_equal(observation["depth"], engine["RGBD_INTERLEAVED"][..., 3:])
    assert observation["instruction"] == engine["INSTR"]
    assert observation["rgb"].shape == (24, 32, 3)


def test_velocity_is_that_of_the_embedded_maze(fake_lab, make_env):
    env, maze = make_env(INVENTED, velocity=True), MazeEnv(velocity=True, num_layouts=1)
    assert env.observation_space["velocity"] == maze.observation_space["velocity"]
    observation, _ = env.reset(seed=0)
    assert observation["velocity"][2] == 0
    state = maze.simulation.state
    maze.reset(seed=0)
    for action in range(8):
        observation = env.step(action)[0]
        # the same speed and turn in the maze, whose agent looks south
        ahead, left, _ = env._lab._observe()["VEL.TRANS"] / 100
        state.heading[0] = np.pi / 2
        state.velocity[0] = left, ahead
        state.turning[0] = ACTION_TABLE[action, 0]
        velocity = own_velocity(maze.simulation)[0]
        np.testing.assert_allclose(observation["velocity"], velocity, atol=1e-6)


@needs_recordings
def test_velocity_agrees_with_recorded_ways():
    # decisions of 64 ms, straight and without a turn, at more than 9/10 of the top speed
    ratios = []
    for path in FOLDER.glob("*.npz"):
        with np.load(path) as record:
            way = np.diff(record["position"][:, :2], axis=0) / 0.064 / TOP_SPEED
            yaw = np.radians(record["rotation"][1:, 1])
            cos, sin = np.cos(yaw), np.sin(yaw)
            east, north = way.T
            walked = np.stack([cos * east + sin * north, sin * east - cos * north], 1)
            straight = np.isin(record["actions"][:-1], [2, 3, 4, 5])
            for t in np.flatnonzero(straight & (np.abs(walked).max(1) > 0.9)):
                told = own_velocity_of_engine({"VEL.TRANS": record["velocity"][t + 1]}, look=0)
                axis = np.abs(walked[t]).argmax()
                ratios.append(told[axis] / walked[t, axis])
    assert len(ratios) > 50
    assert np.median(ratios) == pytest.approx(1, abs=0.03)
    assert np.min(ratios) > 0


@needs_recordings
def test_pose_goes_where_the_velocity_says():
    # as in the maze: x and y grow to the right of each other, and so does the heading
    gaps: list[float] = []
    for path in FOLDER.glob("*.npz"):
        with np.load(path) as record:
            engine = [
                {"DEBUG.POS.TRANS": place, "DEBUG.POS.ROT": turned, "VEL.TRANS": speed}
                for place, turned, speed in zip(
                    record["position"], record["rotation"], record["velocity"], strict=True
                )
            ]
            straight = np.isin(record["actions"][:-1], [2, 3, 4, 5])
        poses = np.stack([own_pose(each) for each in engine])
        ahead, right, _ = np.stack([own_velocity_of_engine(each, 0) for each in engine[1:]]).T
        _, _, cos, sin = poses[1:].T
        expected = np.stack([ahead * cos - right * sin, ahead * sin + right * cos], axis=1)
        ways = np.diff(poses[:, :2], axis=0) * 100 / 0.064 / TOP_SPEED
        fast = straight & (np.hypot(*ways.T) > 0.9) & (np.hypot(*ways.T) < 1.2)
        gaps += list(np.abs(ways - expected)[fast].max(1))
    assert len(gaps) > 50
    assert np.median(gaps) < 0.1


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


@pytest.mark.parametrize(("texture_seeds", "maps"), [(1, 2), (2, 4), (None, 16)])
def test_maps_are_compiled_once_for_each_seed_of_a_layout(
    fake_lab, make_env, tmp_path, monkeypatch, texture_seeds, maps
):
    monkeypatch.setattr(fake_deepmind_lab, "compiled", [])
    folder = tmp_path / "cache"
    for seed, level_cache in enumerate([LevelCache(folder), str(folder)]):
        env = make_env(
            GENERATED,
            maze_text=[MAZE, OTHER_MAZE],
            texture_seeds=texture_seeds,
            level_cache=level_cache,
        )
        env.reset(seed=seed)
        for _ in range(7):
            env.reset()
        env.close()
    compiled = fake_deepmind_lab.compiled
    assert len(compiled) == len(set(compiled)) == maps == len(list(folder.iterdir()))
    assert {text for text, _ in compiled} == {MAZE + "\n", OTHER_MAZE + "\n"}
    assert len({seed for _, seed in compiled}) == maps  # no two layouts look alike


def test_mazes_by_name(fake_lab, make_env):
    env = make_env(GENERATED, mazes_of="nav_maze_1", split="test", num_layouts=3)
    hashes = set()
    for _ in range(20):
        env.reset()
        text = env._lab.read_property("params.overrideEntityLayer")
        assert (text.count("G"), text.count("A")) == (1, 5)
        hashes.add(Layout.from_text(text).canonical_hash())
    embedded = MazeEnv(level="nav_maze_1", split="test", num_layouts=3).simulation.layouts
    assert hashes == {layout.canonical_hash() for layout in embedded}


@pytest.mark.parametrize("level", ["nav_maze_1", "nav_maze_random_goal_2"])
def test_goal_and_apples_are_where_the_embedded_maze_has_them(level):
    env = MazeEnv(level=level, split="validation", fix_goal=True, num_layouts=4)
    for number, text in enumerate(maze_texts(level, "validation", 4)):
        env.reset(seed=number, options={"layout": number})
        truth = env.ground_truth()
        names = {KIND_NUMBERS["goal"]: "G", KIND_NUMBERS["apple"]: "A"}
        lines = text.splitlines()
        seen = [lines[2 * int(y) + 1][2 * int(x) + 1] for x, y in truth.object_position]
        assert seen == [names[kind] for kind in truth.object_kind]


def test_the_engine_prints_nothing_into_the_progress_bar(fake_lab, make_env, capfd):
    env = make_env(GENERATED, maze_text=MAZE)
    for _ in range(2):
        print("before", flush=True)
        env.reset()
        print("after", flush=True)
    assert capfd.readouterr() == ("before\nafter\n" * 2, "")


def test_held_out_level_opens(fake_lab, make_env):
    make_env("contributed/dmlab30/rooms_collect_good_objects_test").reset(seed=0)


def test_missing_renderer_is_not_blamed_on_the_level(fake_lab, make_env):
    with pytest.raises(UsageError, match="take renderer=software") as error:
        make_env(renderer="hardware").reset(seed=0)
    assert "setting" not in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("missing", "remedy"),
    [
        ("dm_env", "pip install dm-env"),
        ("pkg_resources", r"pip install 'setuptools<81'"),
        ("imp", "build deepmind_lab for an older Python"),
        ("something_else", "docs/dmlab.md"),
    ],
)
def test_module_that_does_not_import(monkeypatch, tmp_path, make_env, missing, remedy):
    (tmp_path / "deepmind_lab.py").write_text(f"import {missing}\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "deepmind_lab", raising=False)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(UsageError, match=f"does not import: .*{missing}.*; .*{remedy}") as error:
        make_env().reset(seed=0)
    assert "\n" not in str(error.value)


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
        ({"settings": {"episodeLengthSeconds": "abc"}}, "episodeLengthSeconds='abc': .* a number"),
        ({"texture_seeds": 0}, "texture_seeds=0: "),
        ({"level": GENERATED, "mazes_of": "nav_maze_1", "maze_text": MAZE}, "give one"),
        ({"level": GENERATED, "mazes_of": "seekavoid_arena_1"}, "needs a goal, choose from nav"),
        ({"level": GENERATED, "mazes_of": "nav_maze_1", "num_layouts": 999}, "num_layouts=999"),
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
