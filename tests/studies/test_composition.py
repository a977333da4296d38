"""Defaults are written in one place."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
import yaml
from hydra.utils import get_method

from ocrl_agents.training import make_ppo
from ocrl_studies.composition import compose, find_configs
from ocrl_studies.plain import plain

PPO = inspect.signature(make_ppo).parameters


@pytest.mark.parametrize("path", sorted((find_configs() / "agent").glob("*.yaml")), ids=str)
def test_no_file_repeats_a_default_of_ppo(path: Path) -> None:
    own = yaml.safe_load(path.read_text()).get("model", {})
    assert [name for name, value in own.items() if value == PPO[name].default] == []


def test_the_settings_of_ppo_are_the_arguments_of_its_function() -> None:
    model = plain(compose("train_agent").agent.model)
    assert get_method(model.pop("_target_")) is make_ppo
    given = {"envs", "seed", "device", "memory", "extractor", "extractor_kwargs"}
    expected = {name: PPO[name].default for name in PPO.keys() - given}
    own = {name: value for name, value in model.items() if name not in given}
    assert {**own, "head_dims": tuple(own["head_dims"])} == expected


def test_a_setting_of_ppo_is_changed_by_its_name() -> None:
    model = compose("train_agent", ["agent=recurrent_ppo", "agent.model.gamma=0.9"]).agent.model
    assert (model.gamma, model.lstm_dim, model.n_steps) == (0.9, 128, PPO["n_steps"].default)
