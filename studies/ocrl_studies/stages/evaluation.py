"""Evaluation of an agent: the environments that show what it expects, and its episodes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.vec_env import VecEnv

from ocrl.reading import check_regular
from ocrl_agents.checkpoints import find_encoder, load_policy, read_agent
from ocrl_agents.vec_env import environment_seeds
from ocrl_studies.env_settings import EnvSettings, Variation
from ocrl_studies.environments import num_layouts
from ocrl_studies.habits import Habits
from ocrl_studies.observations import make_token_environments
from ocrl_studies.trust import load_trusted, prefixes


def load_agent(
    path: Path,
    env: EnvSettings,
    variation: Variation,
    num_envs: int,
    device: str,
    trusted: Sequence[str] = (),
    encoder_checkpoint: str | Path | None = None,
) -> tuple[ActorCriticPolicy, VecEnv]:
    """Return a trained agent, and environments that show what it expects.

    Args:
        path: the agent's checkpoint.
        env: how it is made.
        variation: of it, such as a condition of transfer.
        num_envs: number of the environments.
        device: where encoder and policy run.
        trusted: packages of one's own whose encoders and poolings may be built.
        encoder_checkpoint: of its encoder, if that is not where the agent's file names it.
    """
    agent = read_agent(path)
    checkpoint = find_encoder(agent, encoder_checkpoint)
    if checkpoint is not None:
        # a path alone: the name of a release would be fetched
        check_regular(checkpoint, "encoder")
    encoder = None if checkpoint is None else load_trusted(checkpoint, trusted).to(device)
    habits = Habits.of_agent(agent, str(path))
    environments = make_token_environments(env, variation, num_envs, habits, encoder)
    policy = load_policy(
        path,
        environments,
        encoder=checkpoint,
        device=device,
        trusted=prefixes("ocrl_agents", trusted),
    )
    return policy, environments


def episodes_to_play(
    environments: VecEnv, num_episodes: int, seed: int
) -> tuple[list[int], list[dict[str, int]] | None]:
    """Return seeds and reset options of the episodes under a condition, the same for all agents.

    Mazes are played one after the other, from the first again when there are fewer than episodes.
    """
    seeds = environment_seeds(seed, num_episodes)
    number = num_layouts(environments)
    if number is None:
        return seeds, None
    return seeds, [{"layout": i % number} for i in range(num_episodes)]
