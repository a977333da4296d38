"""Parts of the transfer study: records, what is watched, which cells there are, presets."""

from __future__ import annotations

from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from omegaconf import DictConfig, OmegaConf

from ocrl.errors import UsageError
from ocrl_agents.evaluation import evaluate
from ocrl_agents.vec_env import GymnasiumVecEnv
from ocrl_studies.composition import compose as composed
from ocrl_studies.env_settings import EnvSettings
from ocrl_studies.environments import make_environments
from ocrl_studies.plain import plain
from ocrl_studies.stages.evaluation import episodes_to_play
from ocrl_studies.stages.pretrain_slots import SlotPretraining
from ocrl_studies.stages.train_agent import AgentTraining
from ocrl_studies.transfer.cell import transfer_study
from ocrl_studies.transfer.plan import agent_configs
from ocrl_studies.transfer.strips import Spectator


def compose(*overrides: str, name: str = "transfer_study") -> DictConfig:
    return composed(name, overrides)


OWN = {"run_dir", "resume", "conditions", "agents", "explorers", "agreement"}
"""What commands say of runs that are there, and a study makes itself."""


def test_the_study_has_the_defaults_of_the_scripts_it_stands_for() -> None:
    study = compose()
    for name in ("pretrain_slots", "train_agent", "evaluate_transfer"):
        alone = compose(name=name)
        for key in set(alone) - OWN:
            assert study[key] == alone[key], (name, key)


@pytest.mark.parametrize("experiment", ["smoke", "quick", "full"])
def test_presets_hold_nothing_that_the_study_does_not_know(experiment: str) -> None:
    default, preset = compose(), compose(f"experiment={experiment}")
    assert set(preset) == set(default)
    assert preset.runs_dir == f"runs/{experiment}"
    for group in ("data", "pretraining", "scoring", "agent"):
        assert set(preset[group]) == set(default[group])


def test_each_number_of_layouts_is_an_agent_that_plays_on_its_own_mazes() -> None:
    few, many = agent_configs(compose("num_layouts=[3,200]", "episodes=5"))
    assert few.run_dir != many.run_dir
    assert few.checkpoint == many.checkpoint
    layouts = {}
    for condition, variation in few.conditions.items():
        envs = GymnasiumVecEnv(make_environments(EnvSettings.of(few.env), variation, 1))
        _, options = episodes_to_play(envs, few.episodes, few.episode_seed)
        assert options is not None
        layouts[condition] = [option["layout"] for option in options]
    assert layouts["train"] == layouts["texture"] == layouts["objects"] == [0, 1, 2, 0, 1]
    assert layouts["layout"] == layouts["size"] == layouts["all"] == [0, 1, 2, 3, 4]
    assert few.conditions.train == few.env.train == {"split": "train", "num_layouts": 3}


def test_numbers_of_layouts_are_for_mazes() -> None:
    cfg = compose("env=custom", "env.id=CarRacing-v3", "conditions=custom", "num_layouts=[10]")
    with pytest.raises(UsageError, match="num_layouts=10 is for mazes"):
        list(agent_configs(cfg))
    (agent,) = agent_configs(OmegaConf.merge(cfg, {"num_layouts": [None]}))
    assert "num_layouts" not in agent.env.train


@pytest.mark.parametrize(
    ("encoder", "pretrained"),
    [("cnn", None), ("ground_truth", None), ("shuffled", "slotcontrast"), ("vae", "vae")],
)
def test_cells_pretrain_what_their_agents_need_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoder: str, pretrained: str | None
) -> None:
    calls: list[SlotPretraining] = []
    monkeypatch.setattr(SlotPretraining, "train", lambda pretraining: calls.append(pretraining))
    monkeypatch.setattr(AgentTraining, "train", lambda training: None)
    cfg = compose(f"encoder={encoder}", f"runs_dir={tmp_path}")
    cfg.conditions = {}
    transfer_study(cfg)
    assert [call.name for call in calls] == [pretrained] * (pretrained is not None)
    for call in calls:
        alone = compose(f"encoder={pretrained}").encoder
        assert call.model == plain(alone.model)
        assert call.run.settings["encoder"] == plain(alone)
        assert call.checkpoint == Path(cfg.checkpoint)


def mazes() -> GymnasiumVecEnv:
    return GymnasiumVecEnv(
        gymnasium.make_vec(
            "ocrl_envs:ocrl/NavMaze-v0",
            2,
            vectorization_mode="vector_entry_point",
            autoreset_mode=AutoresetMode.SAME_STEP,
            level="seekavoid_arena_1",
        )
    )


def forward(observations: object) -> np.ndarray:
    return np.array([2, 0])


def test_watching_changes_nothing_and_keeps_the_first_episode() -> None:
    seeds = [1, 2, 3, 4]
    watched = Spectator(mazes(), num_frames=3, every=100)
    assert str(evaluate(forward, watched, seeds)) == str(evaluate(forward, mazes(), seeds))
    picture = watched.picture()
    again = Spectator(mazes(), num_frames=3, every=100)
    evaluate(forward, again, seeds[:1])
    np.testing.assert_array_equal(picture, again.picture())
    assert picture is not None
    assert picture.shape[1] == 3 * 128 + 2 * 2 + 8 + 192
    assert 128 < picture.shape[0] <= 192  # as high as the map is without its margin


def test_watching_ends_with_the_episode() -> None:
    watched = Spectator(mazes(), num_frames=50, every=100)
    evaluate(forward, watched, [1, 2])
    picture = watched.picture()
    assert picture is not None
    frames = 3  # of 300 decisions
    assert picture.shape[1] == frames * 128 + (frames - 1) * 2 + 8 + 192
