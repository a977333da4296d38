"""Conditions of transfer, checked before anything is played."""

from __future__ import annotations

from collections.abc import Mapping

import gymnasium
from gymnasium.envs.registration import load_env_creator
from omegaconf import DictConfig, OmegaConf

import ocrl_envs.errors
from ocrl.errors import UsageError
from ocrl_studies.composition import find_configs
from ocrl_studies.env_settings import EnvSettings, Variation
from ocrl_studies.environments import find_spec
from ocrl_studies.plain import plain
from ocrl_studies.transfer.comparison import TRAIN


def check_conditions(cfg: DictConfig) -> None:
    """Raise UsageError if the environment of a configuration does not take one of its conditions.

    Args:
        cfg: ``env``; ``conditions``: variations of it by name; None: there is no such variation.
    """
    env = EnvSettings.of(cfg.env)
    for name, variation in plain(cfg.conditions).items():
        objection = _objection(env, variation)
        if objection:
            raise UsageError(
                f"{env.run_name} has no condition {name!r} ({objection}): choose "
                f"conditions={' or '.join(fitting_conditions(cfg.env))}"
            )


def fitting_conditions(node: DictConfig) -> list[str]:
    """Return the files in ``configs/conditions`` all of whose conditions an ``env`` node takes."""
    names, env = [], EnvSettings.of(node)
    for path in sorted((find_configs() / "conditions").glob("*.yaml")):
        conditions = OmegaConf.load(path)
        both = OmegaConf.create({"env": plain(node), "conditions": conditions})
        own = "defaults" not in conditions  # and not the alias of another
        if own and not any(_objection(env, each) for each in plain(both.conditions).values()):
            names.append(path.stem)
    return names


def same_as_training(conditions: Mapping[str, Variation]) -> list[str]:
    """Return the conditions that are those of the training under another name.

    >>> same_as_training({"train": {}, "layout": {}, "hard": {"level": 2}})
    ['layout']
    """
    trained = conditions[TRAIN]
    return [name for name, each in conditions.items() if name != TRAIN and each == trained]


def _objection(env: EnvSettings, variation: Variation | None) -> str | None:
    """Return what an environment has against a variation; nothing is played."""
    if variation is None:
        return "there is none"
    spec = find_spec(env)
    kwargs = {**spec.kwargs, **env.kwargs, **variation}
    entry = spec.entry_point or spec.vector_entry_point
    try:
        (entry if callable(entry) else load_env_creator(str(entry)))(**kwargs).close()
    except (TypeError, ocrl_envs.errors.UsageError) as error:
        return " ".join(str(error).split())
    except gymnasium.error.Error:
        return None  # a missing package is the same for all conditions, and said elsewhere
    return None
