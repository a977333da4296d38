"""Composed configurations, the folder of YAML that they are composed from, and what it calls."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from ocrl_studies.signatures import Signature

PPO = "make_ppo"
GIVEN = ("device", "extractor_kwargs")
"""Arguments of PPO that have settings of their own."""


def folder_name(env_id: object) -> str:
    """Return the name of an environment in folders and data sets: ``${folder_name:...}`` in YAML.

    What is no text is refused later, by its rule.

    >>> folder_name("ale_py:ALE/Breakout-v5"), folder_name("CarRacing-v3")
    ('ALE-Breakout-v5', 'CarRacing-v3')
    """
    return re.sub(r"[^\w-]", "-", str(env_id).rpartition(":")[2])


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
    before = GlobalHydra.instance().hydra
    GlobalHydra.instance().hydra = None
    try:
        with hydra.initialize_config_dir(str(find_configs()), version_base="1.3"):
            return hydra.compose(config_name, overrides=[*own_folders(), *overrides])
    finally:
        # another instance than before: Hydra leaves a copy
        GlobalHydra.instance().hydra = before


def own_folders() -> list[str]:
    """Return the override that finds YAML of one's own where this process was told that it is.

    That is ``--config-dir``. None where it was not.
    """
    from hydra.core.hydra_config import HydraConfig

    if not HydraConfig.initialized():
        return []
    sources = HydraConfig.get().runtime.config_sources
    folders = [f"file://{each.path}" for each in sources if each.provider == "command-line"]
    return [f"hydra.searchpath=[{','.join(folders)}]"] if folders else []


def store_defaults() -> None:
    """Let YAML begin with the defaults of PPO, which are written in its signature alone.

    ``configs/agent/ppo.yaml`` has them under the name ``make_ppo``.
    """
    from hydra.core.config_store import ConfigStore

    signature = ppo_signature()
    chosen = {name: v for name, v in signature.defaults.items() if name not in GIVEN}
    ConfigStore.instance().store(PPO, {"_target_": signature.path, **chosen})


@cache
def ppo_signature() -> Signature:
    """Return the signature of what makes PPO."""
    return Signature.read("ocrl_agents", "training", PPO)


OmegaConf.register_new_resolver("folder_name", folder_name, replace=True)
