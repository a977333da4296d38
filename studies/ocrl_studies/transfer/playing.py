"""Episodes of an evaluation: played, and kept beside a picture of the first of them."""

from __future__ import annotations

from pathlib import Path

from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.vec_env import VecEnv

from ocrl.visualization import save_image
from ocrl_agents.checkpoints import find_encoder, load_policy, read_agent
from ocrl_agents.evaluation import Act, evaluate
from ocrl_agents.expgen import ExpGenPolicy, check_ensemble
from ocrl_agents.vec_env import GymnasiumVecEnv
from ocrl_studies.environments import make_environments
from ocrl_studies.rollouts import rollout_policy
from ocrl_studies.stages.evaluation import episodes_to_play, load_agent
from ocrl_studies.transfer.episodes import save_episodes
from ocrl_studies.transfer.plan import Agent, Evaluation
from ocrl_studies.transfer.strips import Spectator
from ocrl_studies.trust import prefixes


def play_agent(agent: Agent, evaluation: Evaluation, condition: str) -> None:
    """Let a trained agent play under a condition."""
    policy, environments = load_agent(
        agent.checkpoint,
        evaluation.env,
        evaluation.conditions[condition],
        evaluation.num_envs,
        evaluation.device,
        evaluation.trusted,
        evaluation.encoder_of(agent.checkpoint),
    )
    print(f"playing {agent.run_dir} under condition {condition}{whom(agent)}")
    player = with_ensemble(policy, agent, environments, evaluation) if agent.ensemble else policy
    play_watched(player, environments, evaluation, agent.episodes(condition))


def with_ensemble(
    explorer: BasePolicy, agent: Agent, environments: VecEnv, evaluation: Evaluation
) -> ExpGenPolicy:
    """Return an explorer with the agents that act where they agree.

    Raises:
        UsageError: they cannot play together.
    """
    headers = {str(path): read_agent(path).header for path in agent.ensemble}
    file = read_agent(agent.checkpoint)
    check_ensemble(headers, file.header)
    encoder = find_encoder(file, evaluation.encoder_of(agent.checkpoint))
    agents = [
        load_policy(
            path,
            environments,
            encoder=encoder,
            device=evaluation.device,
            trusted=prefixes("ocrl_agents", evaluation.trusted),
        )
        for path in agent.ensemble
    ]
    return ExpGenPolicy(agents, explorer, agreement=agent.agreement)


def whom(agent: Agent) -> str:
    """Say whom an agent plays with."""
    return f", with {len(agent.ensemble)} agents" if agent.ensemble else ""


def play_reference(policy: str, evaluation: Evaluation, condition: str, path: Path) -> None:
    """Let a policy without learning play under a condition.

    It acts at every decision, however agents play: it sets the scale that they are measured on,
    which is not to depend on how long they hold an action.

    Args:
        policy: its name.
        evaluation: what is played.
        condition: its name.
        path: of the episodes' file.
    """
    print(f"playing the {policy} policy under condition {condition}")
    variation = evaluation.conditions[condition]
    env = evaluation.env.held(action_repeat=1)
    environments = make_environments(env, variation, evaluation.num_envs)
    act = rollout_policy(policy, environments, evaluation.episode_seed)
    play_watched(act, GymnasiumVecEnv(environments), evaluation, path)


def play_watched(
    player: BasePolicy | Act, environments: VecEnv, evaluation: Evaluation, path: Path
) -> None:
    """Play the episodes of a condition; keep them, and a picture of the first beside them.

    Args:
        player: who plays.
        environments: of the condition; they are closed afterwards.
        evaluation: how many episodes, of which seeds.
        path: of the episodes' file.
    """
    watched = Spectator(environments, evaluation.num_frames, evaluation.every)
    seeds, options = episodes_to_play(
        environments, evaluation.num_episodes, evaluation.episode_seed
    )
    episodes = evaluate(player, watched, seeds, options=options, title=path.stem)
    environments.close()
    picture = watched.picture()
    if picture is not None:
        save_image(path.with_suffix(".png"), picture)
    save_episodes(path, episodes)
