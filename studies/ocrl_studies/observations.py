"""What an agent reads: the only place where environments and encoders meet."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv

from ocrl.encoder import Encoder
from ocrl.errors import UsageError
from ocrl_agents.finetuning import VecFrameObservation
from ocrl_agents.ground_truth import GroundTruthObservation
from ocrl_agents.place_memory import POSE
from ocrl_agents.senses import with_past
from ocrl_agents.state_entropy import VecStateEntropy
from ocrl_agents.vec_env import GymnasiumVecEnv, VecSlotObservation
from ocrl_agents.visit_bonus import Places, VecVisitBonus
from ocrl_envs.protocols import HasMap, HasTokens
from ocrl_studies.env_settings import EnvSettings, Variation
from ocrl_studies.environments import make_environments, world_of
from ocrl_studies.habits import Habits


def make_token_environments(
    env: EnvSettings,
    variation: Variation,
    num_envs: int,
    habits: Habits,
    encoder: Encoder | None,
) -> VecEnv:
    """Build a batch of one variation of an environment that shows what an agent reads.

    Args:
        env: how it is made.
        variation: of it.
        num_envs: size of the batch.
        habits: of the agent.
        encoder: what gives it tokens; None: the simulator does.
    """
    env = env.held(action_repeat=habits.action_repeat, velocity=habits.velocity, pose=habits.pose)
    venv: VecEnv
    if encoder is None:
        silent = make_environments(env, variation, num_envs, AutoresetMode.DISABLED)
        world: Any = silent.unwrapped
        if isinstance(world, HasTokens):
            world.draws = False
        shown = silent.single_observation_space
        beside = [POSE] if isinstance(shown, spaces.Dict) and POSE in shown.spaces else []
        venv = GymnasiumVecEnv(GroundTruthObservation(silent, truth_tokens, beside))
    else:
        frames = GymnasiumVecEnv(make_environments(env, variation, num_envs))
        if habits.finetune:
            venv = VecFrameObservation(frames, encoder)
        else:
            venv = VecSlotObservation(frames, encoder, precision=habits.precision)
    return with_past(venv, habits.place_memory, habits.previous_step)


def rewarding_novelty(venv: VecEnv, states: str) -> VecEnv:
    """Return environments that reward an explorer.

    Args:
        venv: of `make_token_environments`.
        states: what is to be new: ``tokens``, or ``places``, where the agent is. Where that is, it
            is not told.

    Raises:
        UsageError: the world does not know where the agent is.
    """
    if states == "tokens":
        return VecStateEntropy(venv)
    places = places_of(venv, "agent.explores=places", "agent.explores=tokens")
    return VecStateEntropy(venv, lambda _: places())


def rewarding_visits(venv: VecEnv, bonus: float) -> VecEnv:
    """Return environments that pay a bonus for each place that is new to the episode.

    Args:
        venv: of `make_token_environments`.
        bonus: beside their rewards; a place is a square of one unit, in the maze a cell.

    Raises:
        UsageError: the world does not know where the agent is.
    """
    places = places_of(venv, f"agent.visit_bonus={bonus}", "agent.visit_bonus=0")
    return VecVisitBonus(venv, places, bonus=bonus)


def places_of(venv: VecEnv, asked: str, instead: str) -> Places:
    """Return what tells where agents are.

    Args:
        venv: environments.
        asked: the setting that wants to know it, for the message.
        instead: what to take in a world without.

    Raises:
        UsageError: the world does not know where the agent is.
    """
    world = world_of(venv)
    if not isinstance(world, HasMap):
        raise UsageError(
            f"{asked} is for worlds that know where an agent is, {world} does not: take {instead}"
        )
    return world.places


def truth_tokens(environments: VectorEnv[Any, Any, Any]) -> NDArray[np.float32]:
    """Return how a world describes itself, tokens (N, K, D).

    Raises:
        UsageError: it does not.
    """
    world: Any = environments.unwrapped
    if not isinstance(world, HasTokens):
        raise UsageError(
            f"encoder=ground_truth is what a world knows of itself, {world} tells nothing: choose "
            "simulator=maze, or another encoder"
        )
    return world.describe()
