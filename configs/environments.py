"""Builds the environments that a configuration names."""

from __future__ import annotations

import importlib
from typing import Any, cast

import gymnasium
from gymnasium.vector import AutoresetMode, VectorEnv
from omegaconf import DictConfig, OmegaConf

from agents.vec_env import GymnasiumVecEnv, VecSlotObservation
from ocrl.encoder import Encoder
from ocrl.errors import UsageError


def make_environments(
    env: DictConfig,
    variation: DictConfig,
    num_envs: int,
    autoreset_mode: AutoresetMode = AutoresetMode.SAME_STEP,
) -> VectorEnv[Any, Any, Any]:
    """Build a batch of one variation of an environment.

    Natively batched where the environment offers that, else one after another in this process
    (``env.vectorization=sync``) or in subprocesses (``env.vectorization=async``).

    Args:
        env: the ``env`` node: ``id``, ``kwargs``, ``vectorization``.
        variation: keyword arguments over those of the environment, such as ``env.train`` or a
            condition of transfer.
        num_envs: size of the batch.
        autoreset_mode: what happens when an episode ends.

    Raises:
        UsageError: there is no environment of that id.
    """
    kwargs = {**settings(env.kwargs), **settings(variation)}
    module, _, _ = env.id.rpartition(":")
    try:
        if module:
            importlib.import_module(module)
        spec = gymnasium.spec(env.id.removeprefix(f"{module}:"))
    except (gymnasium.error.Error, ModuleNotFoundError) as error:
        raise UsageError(f"env.id={env.id}: {' '.join(str(error).split())}") from None
    if spec.vector_entry_point is not None:
        kwargs["autoreset_mode"] = autoreset_mode
        return gymnasium.make_vec(spec, num_envs, vectorization_mode="vector_entry_point", **kwargs)
    return gymnasium.make_vec(
        spec,
        num_envs,
        vectorization_mode=env.vectorization,
        vector_kwargs={"autoreset_mode": autoreset_mode},
        **kwargs,
    )


def settings(node: DictConfig) -> dict[str, Any]:
    """Return a node of the configuration as plain keyword arguments."""
    return {
        str(key): value for key, value in cast(dict[Any, Any], OmegaConf.to_object(node)).items()
    }


def make_token_environments(
    env: DictConfig, variation: DictConfig, num_envs: int, encoder: Encoder
) -> VecSlotObservation:
    """Build a batch of one variation of an environment that shows an encoder's tokens."""
    environments = make_environments(env, variation, num_envs)
    return VecSlotObservation(GymnasiumVecEnv(environments), encoder)
