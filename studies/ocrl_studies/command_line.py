"""The command line over a configuration, with errors that a person can read."""

from __future__ import annotations

import os
import re
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import hydra
import torch
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import (
    ConfigCompositionException,
    InstantiationException,
    MissingConfigException,
    OverrideParseException,
)
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

import ocrl.errors
import ocrl_envs.errors
from ocrl.errors import nearest
from ocrl.files import disk_trouble
from ocrl_studies.composition import compose, find_configs, store_defaults
from ocrl_studies.environments import flatten, settings
from ocrl_studies.settings import check_settings

Main = Callable[[DictConfig], object]
USAGE_ERRORS = (ocrl_envs.errors.UsageError, ocrl.errors.UsageError)
CLOSED = ("pretraining", "scoring", "identity", "strip", "teacher", "distillation")
"""Parts of the configuration to which nothing can be added."""

EXIT_USAGE = 2
EXIT_INTERRUPTED = 130


def script(config_name: str) -> Callable[[Main], Callable[[], None]]:
    """Turn ``main(cfg)`` into a command line over ``configs/<config_name>.yaml``.

    Bad input, a full disk and a place that cannot be written to end in one line on stderr and exit
    code 2, Ctrl-C in the way to continue; what is left is a bug and shows its traceback.
    """

    def decorate(main: Main) -> Callable[[], None]:
        def checked(cfg: DictConfig) -> None:
            try:
                check_experiment()
                check_missing(cfg)
                check_additions(cfg)
                check_types(cfg)
                check_settings(flatten(settings(cfg)))
                if cfg.get("device") == "auto":
                    cfg.device = "cuda" if torch.cuda.is_available() else "cpu"
                keep_rollouts_with_data(cfg)
                main(cfg)
            except InstantiationException as error:
                if not isinstance(error.__cause__, USAGE_ERRORS):
                    raise
                stop(str(error.__cause__))
            except USAGE_ERRORS as error:
                stop(str(error))
            except MissingConfigException as error:  # of what a verb composes besides
                stop(_unknown_choice(error))
            except OSError as error:
                if disk_trouble(error) is None:
                    raise
                stop(f"{disk_trouble(error)}{_way_to_continue(config_name)}")

        def run() -> None:
            store_defaults()
            sys.path.append(os.getcwd())  # where modules of one's own may be, as for python -m
            # Hydra would print its own many lines and swallow the exception otherwise.
            os.environ.setdefault("HYDRA_FULL_ERROR", "1")
            sys.argv[1:] = [escape_path(argument) for argument in sys.argv[1:]]
            command = hydra.main(str(find_configs()), config_name, version_base="1.3")(checked)
            # Hydra goes on when a callback has failed, with no more than a warning.
            warnings.filterwarnings("error", message="Callback .* raised")
            try:
                command()
            except KeyboardInterrupt:
                print(f"interrupted{_way_to_continue(config_name)}", file=sys.stderr)
                sys.exit(EXIT_INTERRUPTED)
            except MissingConfigException as error:  # which is an OSError too
                stop(_unknown_choice(error))
            except OverrideParseException as error:
                stop(f"cannot read {error.override!r}: write it as key=value")
            except ConfigCompositionException as error:
                stop(_unknown_key(error, config_name))
            except OmegaConfBaseException as error:
                stop(" ".join(str(error).split()))
            except OSError as error:
                if disk_trouble(error) is None:
                    raise
                stop(f"{disk_trouble(error)}{_way_to_continue(config_name)}")

        return run

    return decorate


def keep_rollouts_with_data(cfg: DictConfig) -> None:
    """Say where Minari looks, unless it was told: rollouts are kept with all other data."""
    os.environ.setdefault("MINARI_DATASETS_PATH", str(Path(cfg.data_dir).absolute() / "rollouts"))


def stop(line: str) -> NoReturn:
    """Print the one line that explains bad input, and exit."""
    print(f"error: {line}", file=sys.stderr)
    sys.exit(EXIT_USAGE)


def escape_path(argument: str) -> str:
    r"""Let a value hold equals signs, as the folders of runs do; Hydra wants them escaped.

    >>> escape_path("checkpoint=runs/seed=0/encoder.safetensors")
    'checkpoint=runs/seed\\=0/encoder.safetensors'
    """
    key, _, value = argument.partition("=")
    if value.startswith(("'", '"', "[", "{")) or "\\=" in value:
        return argument
    return f"{key}={value.replace('=', chr(92) + '=')}" if "=" in value else argument


def check_missing(cfg: DictConfig) -> None:
    """Raise UsageError if a setting without a default was not given."""
    for key in _leaves(cfg):
        parent, _, name = key.rpartition(".")
        if OmegaConf.is_missing(OmegaConf.select(cfg, parent) if parent else cfg, name):
            raise ocrl.errors.UsageError(f"{key} is needed: add {key}=... to the command")


def check_experiment() -> None:
    """Raise UsageError if there is no such experiment: to Hydra it is optional."""
    name = HydraConfig.get().runtime.choices.get("experiment")
    if name is None:
        return
    known = GlobalHydra.instance().config_loader().get_group_options("experiment")
    if name not in known and not _is_nested(name):
        raise ocrl.errors.UsageError(f"experiment={name} does not exist: {nearest(name, known)}")


def check_additions(cfg: DictConfig) -> None:
    """Raise UsageError if a setting is added where nobody reads it, or one is taken out."""
    default = _compose_default(HydraConfig.get().job.config_name or "")
    for override in HydraConfig.get().overrides.task:
        key = override.lstrip("+~").partition("=")[0]
        first = key.partition(".")[0]
        if _is_group(override) or first == "hydra":
            continue
        if override.startswith("~"):
            raise ocrl.errors.UsageError(f"{override}: settings are changed, not taken out")
        is_read = first in default and (first not in CLOSED or _select(default, key) is not None)
        if override.startswith("+") and not is_read and key not in _leaves(default):
            raise ocrl.errors.UsageError(
                f"there is no setting {key!r}: {nearest(key, _leaves(default))} (all settings: "
                "--help)"
            )


def check_types(cfg: DictConfig) -> None:
    """Raise UsageError if an override on the command line is of another type than its default."""
    default = _compose_default(HydraConfig.get().job.config_name or "")
    for override in HydraConfig.get().overrides.task:
        key, _, text = override.lstrip("+~").partition("=")
        before, after = _select(default, key), _select(cfg, key)
        expected = _expected(before)
        if expected and after is not None and not _fits(before, after):
            raise ocrl.errors.UsageError(
                f"{key}={text}: {key} is {expected}, for example {key}={str(before).lower()}"
            )


def _select(cfg: DictConfig, key: str) -> object:
    """Return a setting; None if it has no value, or is made of one that has none."""
    try:
        return OmegaConf.select(cfg, key, throw_on_missing=False)
    except OmegaConfBaseException:
        return None


def _is_nested(name: str) -> bool:
    parent, _, last = name.rpartition("/")
    options = GlobalHydra.instance().config_loader().get_group_options(f"experiment/{parent}")
    return bool(parent) and last in options


def _expected(value: object) -> str | None:
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int):
        return "a whole number"
    if isinstance(value, float):
        return "a number"
    return None


def _fits(before: object, after: object) -> bool:
    if isinstance(before, bool) or isinstance(after, bool):
        return isinstance(before, bool) and isinstance(after, bool)
    if isinstance(before, float):
        return isinstance(after, int | float)
    return isinstance(after, int)


def _compose_default(config_name: str) -> DictConfig:
    """Compose the configuration again with the group choices, but no single values, given."""
    groups = [o for o in HydraConfig.get().overrides.task if _is_group(o)]
    return hydra.compose(config_name, overrides=groups)


def _is_group(override: str) -> bool:
    return override.lstrip("+~").partition("=")[0] in HydraConfig.get().runtime.choices


def _way_to_continue(config_name: str) -> str:
    resume = compose(config_name).get("resume")
    if resume is None:
        return ""
    return f": the same command{'' if resume else ' with resume=true'} continues"


def _unknown_choice(error: MissingConfigException) -> str:
    group, _, name = (error.missing_cfg_file or "").rpartition("/")
    if not error.options:
        return " ".join(str(error).split())
    return f"{group}={name} does not exist: {nearest(name, error.options)}"


def _unknown_key(error: ConfigCompositionException, config_name: str) -> str:
    match = re.search(r"Could not override '([^']+)'", str(error))
    if match is None:
        return str(error).splitlines()[0]
    key = match.group(1)
    valid = _leaves(compose(config_name))
    return f"there is no setting {key!r}: {nearest(key, valid)} (all settings: --help)"


def _leaves(node: DictConfig, prefix: str = "") -> list[str]:
    keys: list[str] = []
    for key in node:
        path = f"{prefix}{key!s}"
        child = node._get_node(key)
        keys += _leaves(child, f"{path}.") if isinstance(child, DictConfig) else [path]
    return keys
