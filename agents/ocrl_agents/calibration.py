"""Measure the tokens that a policy is to read, before it is trained."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.preprocessing import preprocess_obs
from stable_baselines3.common.vec_env import VecEnv

from ocrl_agents.finetuning import EncoderExtractor
from ocrl_agents.token_extractor import TokenExtractor


@torch.no_grad()
def calibrate(policy: ActorCriticPolicy, venv: VecEnv, num_steps: int, seed: int = 0) -> None:
    """Standardise a policy's tokens by their mean and spread under random actions.

    Both stay fixed afterwards, so that rollout and update see the same, and go into its checkpoint.

    Args:
        policy: one that reads tokens; others are left as they are.
        venv: what it is to be trained in. It is reset.
        num_steps: random steps of each environment.
        seed: of the actions.
    """
    reader = policy.features_extractor
    encoder = reader if isinstance(reader, EncoderExtractor) else None
    if encoder is not None:
        reader = encoder.reader
    if not isinstance(reader, TokenExtractor):
        return
    venv.action_space.seed(seed)
    seen: list[Any] = []
    observations: Any = venv.reset()
    for _ in range(num_steps):
        tensors: Any = policy.obs_to_tensor(observations)[0]
        shown: Any = preprocess_obs(tensors, policy.observation_space, policy.normalize_images)
        seen.append(shown if encoder is None else encoder.encode(shown))
        actions = np.stack([venv.action_space.sample() for _ in range(venv.num_envs)])
        observations = venv.step(actions)[0]
    if isinstance(seen[0], dict):
        reader.calibrate({key: torch.cat([s[key].float() for s in seen]) for key in seen[0]})
    else:
        reader.calibrate(torch.cat([s.float() for s in seen]))
