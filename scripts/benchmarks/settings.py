"""The settings that are measured: those of the scripts."""

from __future__ import annotations

import hydra
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig


def compose(name: str, *overrides: str) -> DictConfig:
    """Return a script's configuration."""
    GlobalHydra.instance().clear()
    with hydra.initialize_config_module("configs", version_base="1.3"):
        return hydra.compose(name, overrides=list(overrides))
