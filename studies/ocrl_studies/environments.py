"""Batches of the environments that a configuration names."""

from __future__ import annotations

import importlib
from typing import Any

import gymnasium
from gymnasium.envs.registration import EnvSpec
from gymnasium.vector import AutoresetMode, VectorEnv
from stable_baselines3.common.vec_env import VecEnv

from ocrl.errors import UsageError
from ocrl_agents.vec_env import GymnasiumVecEnv
from ocrl_envs.protocols import HasLayouts
from ocrl_studies.env_settings import EnvSettings, Variation
from ocrl_studies.env_wrappers import wrappers_of


def make_environments(
    env: EnvSettings,
    variation: Variation,
    num_envs: int,
    autoreset_mode: AutoresetMode = AutoresetMode.SAME_STEP,
) -> VectorEnv[Any, Any, Any]:
    """Build a batch of one variation of an environment.

    What vectorizes itself takes ``action_repeat`` as an argument, others are wrapped
    (`ocrl_studies.env_wrappers`).

    Args:
        env: how it is made.
        variation: of it.
        num_envs: size of the batch.
        autoreset_mode: what happens when an episode ends.

    Raises:
        UsageError: there is no environment of that id, it needs a package that is missing, it
            does not take the arguments of the variation, or a wrapper does not fit.
    """
    kwargs = {**env.kwargs, **variation}
    spec = find_spec(env)
    if env.vectorization == "native":
        kwargs["autoreset_mode"] = autoreset_mode
        return gymnasium.make_vec(spec, num_envs, vectorization_mode="vector_entry_point", **kwargs)
    if env.render_observation:
        kwargs["render_mode"] = "rgb_array"
    if env.max_episode_steps is not None:
        kwargs["max_episode_steps"] = env.max_episode_steps
    try:
        return gymnasium.make_vec(
            spec,
            num_envs,
            vectorization_mode=env.vectorization,
            vector_kwargs={"autoreset_mode": autoreset_mode},
            wrappers=wrappers_of(env),
            **kwargs,
        )
    except gymnasium.error.DependencyNotInstalled as error:
        raise _unusable(env, error) from None
    except TypeError as error:
        if "unexpected keyword" not in str(error):
            raise
        raise UsageError(
            f"{env.id} cannot be made with {dict(variation)} ({error}): give it what it takes, "
            "for example conditions=custom for an environment of your own"
        ) from None


def find_spec(env: EnvSettings) -> EnvSpec:
    """Return how Gymnasium makes an environment.

    Raises:
        UsageError: there is no environment of that id, or nothing to import it from.
    """
    module, _, name = env.id.rpartition(":")
    try:
        for each in filter(None, (module, env.module)):
            importlib.import_module(each)
        return gymnasium.spec(name)
    except (gymnasium.error.NameNotFound, gymnasium.error.NamespaceNotFound) as error:
        raise UsageError(
            f"env.id={env.id}: {_line(error)} env.import=PACKAGE imports what registers it; worlds "
            "of gym, Gymnasium's predecessor, need a class around them as examples/crafter_world.py"
        ) from None
    except (gymnasium.error.Error, ModuleNotFoundError) as error:
        raise _unusable(env, error) from None


def num_layouts(environments: VecEnv) -> int | None:
    """Return how many layouts a world has to choose from; None where they are not numbered."""
    world = world_of(environments)
    return world.num_layouts if isinstance(world, HasLayouts) else None


def world_of(environments: VecEnv) -> Any:
    """Return the vector environment that simulates a batch, to ask for ``ocrl_envs.protocols``."""
    base = environments.unwrapped
    return base.envs.unwrapped if isinstance(base, GymnasiumVecEnv) else None


def _unusable(env: EnvSettings, error: Exception) -> UsageError:
    return UsageError(f"env.id={env.id}: {_line(error)}")


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
