"""Hydra's own command line over a configuration, on every Python that we run on."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import hydra
from omegaconf import DictConfig

from ocrl_studies.composition import find_configs


def hydra_command(config_name: str, function: Callable[[DictConfig], object]) -> Callable[[], Any]:
    """Return what reads the arguments of this process, and calls a function with what they say.

    Args:
        config_name: of a YAML file at the top of ``configs/``.
        function: is given its configuration.
    """
    take_lazy_help(argparse.ArgumentParser)
    command: Callable[[], Any] = hydra.main(str(find_configs()), config_name, version_base="1.3")(
        function
    )
    return command


def take_lazy_help(parsers: type[argparse.ArgumentParser]) -> None:
    """Let parsers take help that is no text, as Hydra's of its completion, for which a text stands.

    From Python 3.14 on, parsers look into the help of what is added to them. Hydra's up to 1.3.8
    is an object that becomes a text when it is shown, so that no command would start.

    Args:
        parsers: their class; what has no such check stays as it is.
    """
    check = getattr(parsers, "_check_help", None)
    if check is None or hasattr(check, "takes_lazy_help"):
        return

    def checked(self: argparse.ArgumentParser, action: argparse.Action) -> None:
        if action.help is not None and not isinstance(action.help, str):
            action.help = "completion by the shell: -sc install=bash"
        check(self, action)

    vars(checked)["takes_lazy_help"] = True
    setattr(parsers, "_check_help", checked)  # noqa: B010
