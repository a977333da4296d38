"""Environments that configurations name."""

import gymnasium
import hydra
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from hydra.core.global_hydra import GlobalHydra
from hydra.utils import instantiate

from ocrl.errors import UsageError
from ocrl_studies.composition import find_configs, store_defaults
from ocrl_studies.env_settings import EnvSettings
from ocrl_studies.environments import make_environments
from ocrl_studies.plain import plain


@pytest.fixture
def compose():
    GlobalHydra.instance().clear()
    store_defaults()
    with hydra.initialize_config_dir(str(find_configs()), version_base="1.3"):
        yield lambda *overrides, name="train_agent": hydra.compose(name, list(overrides))


def build(cfg, split="train", num_envs=1, *mode):
    env = EnvSettings.of(cfg.env)
    return make_environments(env, env.splits[split], num_envs, *mode)


def test_mazes_are_built_natively_for_each_split(compose):
    cfg = compose("env=nav_maze_1")
    hashes = {}
    for split in ("train", "test"):
        envs = build(cfg, split, 2, AutoresetMode.DISABLED)
        hashes[split] = {layout.canonical_hash() for layout in envs.unwrapped.simulation.layouts}
        assert envs.num_envs == 2
        assert envs.metadata["autoreset_mode"] is AutoresetMode.DISABLED
    assert not hashes["train"] & hashes["test"]


def test_an_environment_is_played_in_another_way_as_far_as_it_can_be():
    env = EnvSettings("a", {"velocity": True, "level": "b"}, action_repeat=2)
    assert env.held(action_repeat=4, velocity=False, colour="red") == EnvSettings(
        "a", {"velocity": False, "level": "b"}, action_repeat=4
    )
    assert env.held(action_repeat=None, velocity=None) == env


def test_deepmind_lab_gets_the_same_splits_by_name(compose):
    cfg, maze = (compose("env=nav_maze_2", f"simulator={name}") for name in ("dmlab_mazes", "maze"))
    for split in ("rollouts", "train", "validation", "test"):
        named, own = plain(cfg.env[split]), plain(maze.env[split])
        assert named.pop("level") == "explore_goal_locations_small"
        assert named.pop("mazes_of") == "nav_maze_2"
        own.pop("num_layouts", None)  # fewer there, where each is compiled
        named.pop("num_layouts", None)
        assert named == own


def test_other_environments_are_stacked(compose):
    cfg = compose("env=custom", "env.id=CartPole-v1")
    envs = build(cfg, num_envs=3)
    assert isinstance(envs, gymnasium.vector.SyncVectorEnv)


@pytest.mark.parametrize("name", ["CartPolle-v1", "nowhere:Maze-v0"])
def test_an_unknown_environment_is_one_line(compose, name):
    cfg = compose("env=custom", f"env.id={name}")
    with pytest.raises(UsageError, match=name.partition(":")[0]):
        build(cfg)


@pytest.mark.parametrize("name", ["Maze-v0", "crafter/Maze-v0"])
def test_what_nobody_registered_comes_with_advice(compose, name):
    with pytest.raises(UsageError, match=r"env\.import=PACKAGE .* need a class around them"):
        build(compose("env=custom", f"env.id={name}"))


def test_encoders_see_all_training_layouts_and_agents_as_many_as_are_asked_for(compose):
    cfg = compose("env=nav_maze_1", "env.train.num_layouts=10")
    layouts = {
        name: build(cfg, name).unwrapped.simulation.layouts for name in ("rollouts", "train")
    }
    assert len(layouts["rollouts"]) == 200
    assert layouts["train"] == layouts["rollouts"][:10]


def test_arguments_that_an_environment_does_not_take_are_one_line(compose):
    cfg = compose("env=custom", "env.id=CartPole-v1")
    with pytest.raises(UsageError, match=r"CartPole-v1 cannot be made with .*conditions=custom"):
        make_environments(EnvSettings.of(cfg.env), {"shift": "layout"}, 1)


@pytest.mark.parametrize("vectorization", ["sync", "native"])
def test_actions_are_repeated_in_any_environment(compose, vectorization):
    if vectorization == "sync":
        cfg = compose("env=custom", "env.id=CartPole-v1", "env.action_repeat=3")
    else:
        cfg = compose("env=nav_maze_1", "env.action_repeat=3", "env.velocity=true")
    envs = build(cfg, num_envs=2)
    envs.reset(seed=0)
    observations, rewards, *_ = envs.step(np.array([0, 1]))
    if vectorization == "sync":
        assert rewards.tolist() == [3, 3]
    else:
        assert (envs.unwrapped.simulation.state.steps == 3).all()
        assert observations["velocity"][:, 2].tolist() == [-1, 1]


def test_rollouts_for_encoders_are_the_same_whatever_else_agents_observe(compose):
    still, moving = (
        instantiate(compose(f"env.velocity={velocity}", name="collect_rollouts").data)
        for velocity in ("false", "true")
    )
    assert still.env.kwargs == moving.env.kwargs
    assert moving.env.kwargs["looks"] == "by_episode"


BREAKOUT = ["env=custom", "env.import=ale_py", "env.id=ALE/Breakout-v5"]
LAVA = [
    "env=custom",
    "env.id=minigrid:MiniGrid-LavaGapS5-v0",
    "env.wrappers=[minigrid.wrappers.RGBImgPartialObsWrapper,minigrid.wrappers.ImgObsWrapper]",
]


@pytest.mark.parametrize(
    ("overrides", "shape", "name"),
    [
        (BREAKOUT, (210, 160, 3), "ALE-Breakout-v5"),
        ([*BREAKOUT[:1], "env.id=ale_py:ALE/Breakout-v5"], (210, 160, 3), "ALE-Breakout-v5"),
        (LAVA, (56, 56, 3), "MiniGrid-LavaGapS5-v0"),
        (
            ["env=custom", "env.id=CartPole-v1", "env.render_observation=true"],
            (400, 600, 3),
            "CartPole-v1",
        ),
    ],
)
def test_environments_of_others_show_their_images(compose, overrides, shape, name):
    pytest.importorskip("ale_py")
    pytest.importorskip("minigrid")
    cfg = compose(*overrides)
    envs = build(cfg)
    frames, _ = envs.reset(seed=0)
    envs.close()
    assert frames.shape == (1, *shape)
    assert frames.dtype == np.uint8
    assert cfg.run_dir == f"runs/agent/{name}/slotcontrast/seed=0"
    assert f"/pretrain/{name}/" in cfg.checkpoint


def test_wrappers_go_outwards_and_take_arguments(compose):
    wrappers = (
        "{gymnasium.wrappers.TransformReward: {func: null}}, gymnasium.wrappers.NormalizeReward"
    )
    cfg = compose(
        "env=custom", "env.id=CartPole-v1", "env.action_repeat=2", f"env.wrappers=[{wrappers}]"
    )
    env = build(cfg).envs[0]
    assert [layer.class_name() for layer in (env, env.env, env.env.env)] == [
        "NormalizeReward",
        "TransformReward",
        "ActionRepeat",
    ]


def test_episodes_are_cut_where_the_configuration_says(compose):
    cfg = compose("env=custom", "env.id=CartPole-v1", "env.max_episode_steps=3")
    envs = build(cfg)
    envs.reset(seed=0)
    cut = [bool(envs.step(np.array([step % 2]))[3][0]) for step in range(3)]
    assert cut == [False, False, True]


@pytest.mark.parametrize(
    ("wrappers", "message"),
    [
        ("[gymnasium.wrappers.Nonsense]", "names gymnasium.wrappers.Nonsense"),
        ("[Nonsense]", "names Nonsense"),
        ("[{gymnasium.wrappers.StickyAction: {wrong: 1}}]", "StickyAction does not go around"),
        ("[{a: {}, b: {}}]", "write package.Wrapper"),
    ],
)
def test_a_wrapper_that_does_not_fit_is_one_line(compose, wrappers, message):
    cfg = compose("env=custom", "env.id=CartPole-v1", f"env.wrappers={wrappers}")
    with pytest.raises(UsageError, match=message) as raised:
        build(cfg)
    assert "\n" not in str(raised.value)


def test_large_frames_are_stored_at_the_size_of_the_encoder(compose, monkeypatch, tmp_path):
    pytest.importorskip("ale_py")
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    small = ["data.num_envs=2", "data.num_steps={train: 6, validation: 6}"]
    for size, shape in (("[84,64]", (84, 64, 3)), ("null", (210, 160, 3))):
        words = [f"data.image_size={size}", f"data.run_name=b{shape[0]}"]
        source = instantiate(compose(*BREAKOUT, *small, *words, name="pretrain_slots").data)
        assert source.training_videos().frames(0, 0, 2).shape == (2, *shape)
    other = compose(*BREAKOUT, *small, "data.run_name=b84", name="pretrain_slots")
    with pytest.raises(UsageError, match=r"data.image_size=\[84, 64\], asked for is \[64, 64\]"):
        instantiate(other.data).training_videos()
