"""The command line over a configuration, with errors that a person can read."""

from __future__ import annotations

import os
import re
import sys
import sysconfig
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import torch
from hydra.errors import (
    ConfigCompositionException,
    InstantiationException,
    MissingConfigException,
    OverrideParseException,
)
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from tqdm import tqdm

import ocrl.errors
import ocrl_envs.errors
from ocrl.errors import nearest
from ocrl.files import disk_trouble
from ocrl_studies.composition import compose, store_defaults
from ocrl_studies.hydra_command import hydra_command
from ocrl_studies.overrides import check_overrides, check_words, leaves
from ocrl_studies.plain import plain
from ocrl_studies.settings import check_settings

Main = Callable[[DictConfig], object]
USAGE_ERRORS = (ocrl_envs.errors.UsageError, ocrl.errors.UsageError)
OWN = ("ocrl", "ocrl_envs", "ocrl_agents", "ocrl_studies")
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130


def script(
    config_name: str, started: list[str] | None = None
) -> Callable[[Main], Callable[[], None]]:
    """Turn ``main(cfg)`` into a command line over ``configs/<config_name>.yaml``.

    Bad input, a full disk and a place that cannot be written to end in one line on stderr and exit
    code 2, Ctrl-C in the way to continue; what is left is a bug, of this package or of a class of
    one's own, and shows its traceback.

    Args:
        config_name: of the verb.
        started: what this process was started with, for Lightning to start others likewise. None:
            ``sys.argv`` as it is.
    """

    def decorate(main: Main) -> Callable[[], None]:
        def checked(cfg: DictConfig) -> None:
            with in_one_line(config_name):
                check_overrides(cfg)
                check_settings(plain(cfg))
                if cfg.get("device") == "auto":
                    cfg.device = "cuda" if torch.cuda.is_available() else "cpu"
                keep_rollouts_with_data(cfg)
                draw_without_a_screen()
                # Hydra has read its own
                sys.argv = started or sys.argv
                main(cfg)

        def run() -> None:
            store_defaults()
            sys.path.append(os.getcwd())  # where modules of one's own may be, as for python -m
            # Hydra would print its own many lines and swallow the exception otherwise.
            os.environ.setdefault("HYDRA_FULL_ERROR", "1")
            command = hydra_command(config_name, checked)
            # Hydra goes on when a callback has failed, with no more than a warning.
            warnings.filterwarnings("error", message="Callback .* raised")
            try:
                with in_one_line(config_name):
                    check_words(sys.argv[1:])
                    sys.argv[1:] = [escape_path(argument) for argument in sys.argv[1:]]
                    command()
            except KeyboardInterrupt:
                close_bars()
                print(f"interrupted{_way_to_continue(config_name)}", file=sys.stderr)
                sys.exit(EXIT_INTERRUPTED)

        return run

    return decorate


@contextmanager
def in_one_line(config_name: str) -> Iterator[None]:
    """End the command with one line on all that is no bug.

    Args:
        config_name: of the verb.
    """
    try:
        yield
    except Exception as error:
        line = explain(error, config_name)
        if line is None:
            raise
        stop(line)


def explain(error: Exception, config_name: str) -> str | None:
    """Say in one line what was wrong with what a command was given; None: an error is a bug.

    Args:
        error: that ended it.
        config_name: of the verb.
    """
    match error:
        case ocrl.errors.UsageError() | ocrl_envs.errors.UsageError():
            return str(error)
        case InstantiationException():
            return None if _is_of_others(error.__cause__) else _misfit(error)
        case MissingConfigException():  # which is an OSError too
            return _unknown_choice(error)
        case OverrideParseException():
            return f"cannot read {error.override!r}: write it as key=value"
        case ConfigCompositionException():
            return _unknown_key(error, config_name)
        case OmegaConfBaseException():
            return " ".join(str(error).split())
        case ValueError() if (word := _part_of_a_list(config_name)) is not None:
            return word
        case OSError() if disk_trouble(error) is not None:
            return f"{disk_trouble(error)}{_way_to_continue(config_name)}"
    return None


def keep_rollouts_with_data(cfg: DictConfig) -> None:
    """Say where Minari looks, unless it was told: rollouts are kept with all other data."""
    os.environ.setdefault("MINARI_DATASETS_PATH", str(Path(cfg.data_dir).absolute() / "rollouts"))


def draw_without_a_screen() -> None:
    """Tell SDL, which environments draw with, where there is no screen: it would print an error."""
    if sys.platform == "linux" and not {"DISPLAY", "WAYLAND_DISPLAY"}.intersection(os.environ):
        os.environ.setdefault("SDL_VIDEODRIVER", "dummy")


def stop(line: str) -> NoReturn:
    """Print the one line that explains bad input, and exit."""
    close_bars()
    print(f"error: {line}", file=sys.stderr)
    sys.exit(EXIT_USAGE)


def close_bars() -> None:
    """End the lines of open progress bars: what is printed next would stand behind them."""
    for bar in list(getattr(tqdm, "_instances", ())):
        bar.close()


def escape_path(argument: str) -> str:
    r"""Let a value hold equals signs, as the folders of runs do; Hydra wants them escaped.

    >>> escape_path("checkpoint=runs/seed=0/encoder.safetensors")
    'checkpoint=runs/seed\\=0/encoder.safetensors'
    >>> escape_path("agents=[slotcontrast/seed=1,vector/*]")
    'agents=[slotcontrast/seed\\=1,vector/*]'
    """
    key, _, value = argument.partition("=")
    if {"'", '"'}.intersection(value) or "\\=" in value:
        return argument
    return f"{key}={value.replace('=', chr(92) + '=')}" if "=" in value else argument


def _way_to_continue(config_name: str) -> str:
    resume = compose(config_name).get("resume")
    if resume is None:
        return ""
    return f": the same command{'' if resume else ' with resume=true'} continues"


def _is_of_others(error: BaseException | None) -> bool:
    """Say whether code that comes neither with this package nor with a library raised an error.

    That is a bug of whoever runs this, and the traceback shows where.
    """
    if error is None or isinstance(error, USAGE_ERRORS):
        return False
    libraries = tuple(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib"))
    for frame, _ in traceback.walk_tb(error.__traceback__):
        package = frame.f_globals.get("__name__", "").partition(".")[0]
        if package not in OWN and not frame.f_code.co_filename.startswith(libraries):
            return True
    return False


def _misfit(error: InstantiationException) -> str:
    """Say which part of the configuration cannot be made, and why."""
    cause = error.__cause__
    if isinstance(cause, USAGE_ERRORS):
        return str(cause)
    reason = " ".join(str(error).split())
    return f"{reason}: change the settings of that part (--cfg job shows them)"


def _unknown_choice(error: MissingConfigException) -> str:
    group, _, name = (error.missing_cfg_file or "").rpartition("/")
    if not error.options:
        return " ".join(str(error).split())
    return f"{group}={name} does not exist: {nearest(name, error.options)}"


def _part_of_a_list(config_name: str) -> str | None:
    """Say which word sets a part of a list, if one does: Hydra looks for an item of that number."""
    default = compose(config_name)
    for word in sys.argv[1:]:
        parent = word.lstrip("+").partition("=")[0].rpartition(".")[0]
        if parent and isinstance(OmegaConf.select(default, parent), ListConfig):
            return f"{word}: {parent} is a list, and has no parts; give it as a whole"
    return None


def _unknown_key(error: ConfigCompositionException, config_name: str) -> str:
    match = re.search(r"Could not override '([^']+)'", str(error))
    if match is None:
        return f"{str(error).splitlines()[0]}: write it as the default is (--cfg job shows it)"
    key = match.group(1)
    valid = leaves(compose(config_name))
    return f"there is no setting {key!r}: {nearest(key, valid)} (all settings: --help)"
