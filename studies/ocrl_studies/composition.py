"""Composed configurations, the folder of YAML that they are composed from, and what it calls."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

PLAIN = (bool, int, float, str, tuple, type(None))
"""Types of the values that YAML can hold."""

GIVEN = ("device", "extractor", "extractor_kwargs")
"""Arguments of PPO that have settings of their own."""


def folder_name(env_id: str) -> str:
    """Return the name of an environment in folders and data sets: ``${folder_name:...}`` in YAML.

    >>> folder_name("ale_py:ALE/Breakout-v5"), folder_name("CarRacing-v3")
    ('ALE-Breakout-v5', 'CarRacing-v3')
    """
    return re.sub(r"[^\w-]", "-", env_id.rpartition(":")[2])


def find_configs() -> Path:
    """Return the folder of the YAML files: inside an installed package, or beside it in a clone."""
    package = Path(__file__).parent
    installed = package / "configs"
    return installed if installed.is_dir() else package.parents[1] / "configs"


def compose(config_name: str, overrides: Sequence[str] = ()) -> DictConfig:
    """Compose a configuration as a command would, without running it.

    >>> compose("pretrain_slots", ["encoder=vector"]).encoder.name
    'vector'

    Args:
        config_name: a YAML file at the top of ``configs/``, without its ending.
        overrides: as on the command line: ``["env=nav_maze_2", "seed=1"]``.
    """
    import hydra
    from hydra.core.global_hydra import GlobalHydra

    store_defaults()
    running = GlobalHydra.instance()
    before, running.hydra = running.hydra, None
    try:
        with hydra.initialize_config_dir(str(find_configs()), version_base="1.3"):
            return hydra.compose(config_name, overrides=list(overrides))
    finally:
        running.hydra = before


def store_defaults() -> None:
    """Let YAML begin with the defaults of a function, which are written in its signature alone.

    ``configs/agent/ppo.yaml`` has those of `ocrl_agents.training.make_ppo` under that name.
    """
    from hydra.core.config_store import ConfigStore

    from ocrl_agents.training import make_ppo

    ConfigStore.instance().store("make_ppo", defaults(make_ppo, leave_out=GIVEN))


def defaults(function: Callable[..., Any], leave_out: Sequence[str] = ()) -> dict[str, Any]:
    """Return what a configuration calls a function with, where nothing else is said.

    >>> defaults(folder_name)
    {'_target_': 'ocrl_studies.composition.folder_name'}

    Args:
        function: what is called.
        leave_out: arguments that it is given otherwise.
    """
    parameters = inspect.signature(function).parameters
    values = {name: parameter.default for name, parameter in parameters.items()}
    chosen = {k: v for k, v in values.items() if isinstance(v, PLAIN) and k not in leave_out}
    return {"_target_": f"{function.__module__}.{function.__qualname__}", **chosen}


OmegaConf.register_new_resolver("folder_name", folder_name, replace=True)
