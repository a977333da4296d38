"""Conditions of transfer, checked before anything is played."""

from __future__ import annotations

import gymnasium
from gymnasium.envs.registration import load_env_creator
from omegaconf import DictConfig, OmegaConf

import ocrl_envs.errors
from ocrl.errors import UsageError
from ocrl_studies.composition import find_configs
from ocrl_studies.environments import find_spec, settings


def check_conditions(env: DictConfig, conditions: DictConfig) -> None:
    """Raise UsageError if an environment does not take one of the conditions.

    Args:
        env: the ``env`` node: ``id``, ``kwargs``.
        conditions: variations of the environment by name; None: there is no such variation.
    """
    for name in conditions:
        objection = _objection(env, conditions[name])
        if objection:
            raise UsageError(
                f"{env.run_name} has no condition {name!r} ({objection}): choose "
                f"conditions={' or '.join(fitting_conditions(env))}"
            )


def fitting_conditions(env: DictConfig) -> list[str]:
    """Return the files in ``configs/conditions`` all of whose conditions an environment takes."""
    names = []
    for path in sorted((find_configs() / "conditions").glob("*.yaml")):
        conditions = OmegaConf.load(path)
        node = OmegaConf.create({"env": settings(env), "conditions": conditions})
        own = "defaults" not in conditions  # and not the alias of another
        if own and not any(_objection(node.env, node.conditions[n]) for n in node.conditions):
            names.append(path.stem)
    return names


def _objection(env: DictConfig, variation: DictConfig | None) -> str | None:
    """Return what an environment has against a variation; nothing is played."""
    if variation is None:
        return "there is none"
    spec = find_spec(env)
    kwargs = {**spec.kwargs, **settings(env.kwargs), **settings(variation)}
    entry = spec.entry_point or spec.vector_entry_point
    try:
        (entry if callable(entry) else load_env_creator(str(entry)))(**kwargs).close()
    except (TypeError, ocrl_envs.errors.UsageError) as error:
        return " ".join(str(error).split())
    except gymnasium.error.Error:
        return None  # a missing package is the same for all conditions, and said elsewhere
    return None
