"""A study over encoders and seeds: what happens before all its cells, and after them."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from ocrl.data.videos import Videos
from ocrl.errors import UsageError
from ocrl_studies.command_line import in_one_line, keep_rollouts_with_data
from ocrl_studies.overrides import check_shared_kinds
from ocrl_studies.plain import plain
from ocrl_studies.runs import check_one_process
from ocrl_studies.settings import check_settings
from ocrl_studies.sources import make_source

CELL = ("encoder", "seed")
"""What the jobs of a study differ in."""


def stopping(method: Callable[..., None]) -> Callable[..., None]:
    """End the command with one line on bad input; Hydra would make it a warning and go on."""

    @wraps(method)
    def call(self: Any, config: DictConfig, **kwargs: Any) -> None:
        with in_one_line(config.hydra.job.config_name):
            method(self, config, **kwargs)

    return call


class Study(Callback):
    """Makes what cells share before the first one."""

    @stopping
    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Collect the data: cells that run side by side would all begin to."""
        check_sweep(config.hydra.overrides.task)
        cfg = own_settings(config)
        cfg.seed = 0  # the data are the same for all cells
        check_shared_kinds(cfg, config)
        check_settings(plain(cfg))
        check_one_process(cfg)
        keep_rollouts_with_data(cfg)
        self.check_world(cfg)
        height, width = cfg.encoder.image_size
        source = make_source(cfg.data)
        source.training_clips(cfg.clip_length, (height, width))
        self.check(source.scoring_videos(), cfg)

    def check_world(self, cfg: DictConfig) -> None:
        """Raise UsageError if the cells cannot act; before anything is collected."""

    def check(self, videos: Videos, cfg: DictConfig) -> None:
        """Raise UsageError if the cells cannot be scored on these unseen videos."""


def check_sweep(overrides: list[str]) -> None:
    """Raise UsageError if cells differ in more than encoder and seed."""
    for override in OverridesParser.create().parse_overrides(list(overrides)):
        key = override.get_key_element()
        if override.is_sweep_override() and key not in CELL:
            raise UsageError(
                f"a study compares encoders and seeds, {override.input_line} would mix others in "
                f"one table: run one study for each {key}"
            )


def own_settings(config: DictConfig) -> DictConfig:
    """Return a configuration without Hydra's own part."""
    cfg = config.copy()
    OmegaConf.set_struct(cfg, False)
    del cfg["hydra"]
    return cfg
