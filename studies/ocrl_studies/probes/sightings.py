"""Sightings: frames of a world as several encoders tell them, beside what is true of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray
from torch import Tensor

from ocrl.encoder import Encoder
from ocrl.errors import UsageError
from ocrl.wrappers.token_space import TOKENS
from ocrl.wrappers.token_stream import TokenStream
from ocrl_envs.protocols import HasFacts, HasPolicies
from ocrl_studies.env_settings import EnvSettings, Variation
from ocrl_studies.environments import make_environments
from ocrl_studies.observations import truth_tokens
from ocrl_studies.rollouts import rollout_policy

ORACLE = "oracle"


class Sightings(NamedTuple):
    """M frames.

    Attributes:
        tokens: float (M, K, D) by encoder.
        facts: (M,) by name, see `ocrl_envs.protocols.HasFacts`; and the oracle's action, where the
            world has one.
        episode: int (M,), in which of the environments each was seen.
    """

    tokens: dict[str, Tensor]
    facts: dict[str, NDArray[Any]]
    episode: NDArray[np.int64]


def see(
    env: EnvSettings,
    variation: Variation,
    encoders: Mapping[str, Encoder | None],
    *,
    num_frames: int,
    num_envs: int,
    every: int,
    seed: int,
) -> Sightings:
    """Play as rollouts are collected, and keep some of the frames.

    Args:
        env: how it is made.
        variation: of it.
        encoders: by name; None: the world describes itself.
        num_frames: M, rounded up to a multiple of ``num_envs``.
        num_envs: environments that are played together.
        every: steps from one frame that is kept to the next; encoders see all of them.
        seed: of episodes and policy.

    Raises:
        UsageError: the world says nothing of its frames, or they are all of one environment.
    """
    if num_envs < 2:
        raise UsageError(
            f"num_envs={num_envs}: a probe learns in some environments and is chosen by others, "
            "take 2 or more"
        )
    environments = make_environments(env, variation, num_envs)
    world: Any = environments.unwrapped
    if not isinstance(world, HasFacts):
        raise UsageError(
            f"probes read what a world knows of its frames, {world} tells nothing: choose "
            "simulator=maze"
        )
    policy = rollout_policy("auto", environments, seed)
    oracle = None
    if isinstance(world, HasPolicies) and ORACLE in world.policies:
        oracle = world.make_policy(ORACLE, seed)
    readers: dict[str, Callable[[Any, NDArray[np.bool_]], Tensor]] = {
        name: TruthReader(environments) if encoder is None else StreamReader(encoder, environments)
        for name, encoder in encoders.items()
    }
    observations, _ = environments.reset(seed=seed)
    is_first = np.ones(num_envs, np.bool_)
    kept: list[tuple[dict[str, Tensor], dict[str, NDArray[Any]]]] = []
    while len(kept) * num_envs < num_frames:
        for step in range(every):
            tokens = {name: read(observations, is_first) for name, read in readers.items()}
            if step == 0:
                facts = dict(world.facts())
                if oracle is not None:
                    facts["oracle's action"] = np.asarray(oracle(observations))
                kept.append((tokens, facts))
            observations, _, ended, cut, _ = environments.step(policy(observations))
            is_first = np.logical_or(ended, cut)
    environments.close()
    return Sightings(
        {name: torch.cat([tokens[name] for tokens, _ in kept]) for name in readers},
        {name: np.concatenate([facts[name] for _, facts in kept]) for name in kept[0][1]},
        np.tile(np.arange(num_envs), len(kept)),
    )


class StreamReader:
    """What an encoder makes of the frames of environments, one step after the other."""

    def __init__(self, encoder: Encoder, environments: VectorEnv[Any, Any, Any]) -> None:
        space, number = environments.single_observation_space, environments.num_envs
        self.stream = TokenStream(encoder, space, number)
        self.started = False

    def __call__(self, observations: Any, is_first: NDArray[np.bool_]) -> Tensor:
        """Return tokens (N, K, D)."""
        if self.started:
            shown, _ = self.stream.step(observations, is_first)
        else:
            shown = self.stream.reset(observations)
        self.started = True
        return torch.from_numpy(shown[TOKENS] if isinstance(shown, dict) else shown)


class TruthReader:
    """How a world describes itself."""

    def __init__(self, environments: VectorEnv[Any, Any, Any]) -> None:
        self.environments = environments

    def __call__(self, observations: Any, is_first: NDArray[np.bool_]) -> Tensor:
        """Return tokens (N, K, D)."""
        return torch.from_numpy(truth_tokens(self.environments))
