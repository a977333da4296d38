"""A trained agent with its encoder: frames in, actions out, in any loop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import (
    VecEnvIndices,
    VecEnvObs,
    VecEnvStepReturn,
)

from ocrl.checkpoints import load_encoder
from ocrl.checkpoints.building import within
from ocrl.errors import UsageError
from ocrl_agents.checkpoints import find_encoder, load_policy, read_agent
from ocrl_agents.senses import build_senses
from ocrl_agents.spaces import build_space
from ocrl_agents.vec_env import stack_observations

BESIDE = "encoder.safetensors"
"""An encoder in the folder of an agent, where it is looked for at last."""


class Agent:
    """Plays in N environments that somebody else steps, one for `predict`.

    It keeps what there is to keep between frames: slots, memory, its last action. `predict` is for
    one environment:

        >>> agent = load_agent(path)
        >>> observation, _ = env.reset()
        >>> for _ in range(10):
        ...     observation, reward, terminated, truncated, _ = env.step(agent.predict(observation))
        ...     if terminated or truncated:
        ...         observation, _ = env.reset()
        ...         agent.reset()

    Args:
        policy: what chooses actions.
        shown: where `venv` takes its observations from.
        venv: shows the policy what it was trained on.
        header: what its file says, see `ocrl_agents.checkpoints.AgentFile`.

    Attributes:
        policy: likewise.
        header: likewise.
        observation_space: what the environment of its training showed.
        action_space: what it chooses from.
    """

    def __init__(
        self, policy: BasePolicy, shown: Shown, venv: VecEnv, header: Mapping[str, Any]
    ) -> None:
        self.policy, self.header = policy, header
        self.observation_space = shown.observation_space
        self.action_space = shown.action_space
        self._shown, self._venv = shown, venv
        self._actions: npt.NDArray[Any] | None = None
        self._memory: tuple[npt.NDArray[Any], ...] | None = None

    def reset(self) -> None:
        """Begin a new episode, in all environments, with the next observation."""
        self._actions = self._memory = None

    def predict(
        self, observation: Any, reward: float = 0.0, *, deterministic: bool = False
    ) -> npt.NDArray[Any]:
        """Return the action for the next frame of an episode.

        Args:
            observation: a frame uint8 (H, W, 3) of any size; or a dictionary with one, if the
                environment of the training showed more.
            reward: of the last action; agents with `previous_step` or `place_memory` read it.
            deterministic: take the likeliest action instead of drawing one.
        """
        batch = stack_observations([observation])
        action: npt.NDArray[Any] = self.act(batch, [reward], deterministic=deterministic)[0]
        return action

    def act(
        self,
        observations: Any,
        rewards: Sequence[float] | npt.NDArray[Any] | None = None,
        starts: npt.NDArray[np.bool_] | None = None,
        *,
        deterministic: bool = False,
    ) -> npt.NDArray[Any]:
        """Return actions for N environments.

        Args:
            observations: (N, ...), or a dictionary of such.
            rewards: (N,) of the last actions; None: zeros.
            starts: bool (N,), whose observation begins an episode; None: nobody's.
            deterministic: take the likeliest actions instead of drawing them.

        Raises:
            UsageError: another number of observations than the agent was loaded for, or others
                than it was trained on.
        """
        number = self._shown.num_envs
        begins = np.zeros(number, np.bool_) if starts is None else np.asarray(starts, np.bool_)
        gained = np.zeros(number) if rewards is None else np.asarray(rewards)
        self._shown.show(observations, gained, begins)
        if self._actions is None:
            begins = np.ones(number, np.bool_)
            seen: Any = self._venv.reset()
        else:
            seen, _, _, _ = self._venv.step(self._actions)
        self._actions, self._memory = self.policy.predict(seen, self._memory, begins, deterministic)
        return self._actions


def load_agent(
    path: str | Path,
    *,
    encoder: str | Path | None = None,
    num_envs: int = 1,
    device: str = "cpu",
    trusted: Sequence[str] = ("ocrl.", "ocrl_agents."),
) -> Agent:
    """Load an agent and its encoder, ready to play.

    Args:
        path: what training left, ``last.safetensors`` or ``best.safetensors``.
        encoder: its encoder, if that is neither where the agent's file names it nor beside the
            file as ``encoder.safetensors``. In any case it has to be the one of the training.
        num_envs: environments that it is to play in at once, N.
        device: where encoder and policy run.
        trusted: prefixes of the modules whose classes may be built, see `ocrl.load_encoder`.

    Raises:
        UsageError: a file cannot be read, the encoder is missing or another, or the agent was
            saved without what it is shown.
    """
    agent = read_agent(path)
    senses = agent.header.get("senses")
    if senses is None:
        raise UsageError(
            f"{path} does not say what its agent is shown: it was saved by an earlier version, "
            "train on with resume=true, or use ocrl_agents.checkpoints.load_policy"
        )
    beside = Path(path).parent / BESIDE
    if encoder is None and agent.encoder and not agent.encoder.exists() and beside.exists():
        encoder = beside
    checkpoint = find_encoder(agent, encoder)
    model = None if checkpoint is None else load_encoder(checkpoint, trusted=trusted).to(device)
    with within(agent.tensors, str(path)):
        shown = Shown(num_envs, build_space(senses["observation"]), build_space(senses["action"]))
        venv = build_senses(senses, shown, model)
    policy = load_policy(path, venv, encoder=checkpoint, device=device, trusted=trusted)
    return Agent(policy, shown, venv, agent.header)


class Shown(VecEnv):
    """Environments that are stepped elsewhere: they show what they are told to."""

    render_mode: str | None = None

    def __init__(
        self, num_envs: int, observation_space: gym.Space[Any], action_space: gym.Space[Any]
    ) -> None:
        super().__init__(num_envs, observation_space, action_space)
        self._observations: Any = None
        self._rewards = np.zeros(num_envs)
        self._starts = np.ones(num_envs, np.bool_)

    def show(
        self, observations: Any, rewards: npt.NDArray[Any], starts: npt.NDArray[np.bool_]
    ) -> None:
        """Say what the next step comes to.

        Raises:
            UsageError: of another number of environments, or of others than the training's.
        """
        observations = _known(observations, self.observation_space)
        parts = [*observations.values()] if isinstance(observations, dict) else [observations]
        lengths = {len(part) for part in (*parts, rewards, starts)}
        if lengths != {self.num_envs}:
            raise UsageError(
                f"the agent plays in {self.num_envs} environments, and is shown {sorted(lengths)} "
                "observations, rewards or starts: load it with num_envs=..."
            )
        self._observations, self._rewards, self._starts = observations, rewards, starts

    def reset(self) -> VecEnvObs:
        """Return the observations."""
        shown: VecEnvObs = self._observations
        return shown

    def step_async(self, actions: npt.NDArray[Any]) -> None:
        """Leave the actions to whoever steps the environments."""

    def step_wait(self) -> VecEnvStepReturn:
        """Return the observations; how an episode ended is no longer known, nor needed."""
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for i in map(int, np.flatnonzero(self._starts)):
            infos[i]["terminal_observation"] = _row(self._observations, i)
        return self._observations, self._rewards, self._starts, infos

    def close(self) -> None:
        """Close nothing."""

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """Return an attribute of this object, for each environment."""
        return [getattr(self, attr_name) for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Set an attribute of this object."""
        setattr(self, attr_name, value)

    def env_method(
        self, method_name: str, *method_args: Any, indices: VecEnvIndices = None, **kwargs: Any
    ) -> list[Any]:
        """Call a method of this object, for each environment."""
        method = getattr(self, method_name)
        return [method(*method_args, **kwargs) for _ in self._get_indices(indices)]

    def env_is_wrapped(
        self, wrapper_class: type[gym.Wrapper[Any, Any, Any, Any]], indices: VecEnvIndices = None
    ) -> list[bool]:
        """Return False for each: there is nothing to wrap."""
        return [False for _ in self._get_indices(indices)]


def _known(observations: Any, space: gym.Space[Any]) -> Any:
    """Return observations with what an agent reads of them, if they are such as it reads.

    Frames may be of any size. What an environment shows beside is left out.
    """
    entries = space.spaces if isinstance(space, gym.spaces.Dict) else {"": space}
    shown = observations if isinstance(observations, dict) else {"": observations}
    known = {name: np.asarray(shown[name]) for name in entries if name in shown}
    for name, entry in entries.items():
        if name not in known or not _fits(known[name], entry):
            found = {
                key: f"{np.asarray(part).dtype} {np.shape(part)}" for key, part in shown.items()
            }
            raise UsageError(
                f"the agent reads {space}, and is shown {found.get('', found)} for all "
                "environments: make them as those of its training"
            )
    return known.get("", known)


def _fits(batch: npt.NDArray[Any], space: gym.Space[Any]) -> bool:
    shape = space.shape or ()
    if space.dtype == np.uint8 and len(shape) == 3:
        return batch.dtype == np.uint8 and batch.ndim == 4 and batch.shape[3:] == shape[2:]
    return batch.shape[1:] == shape


def _row(observations: Any, index: int) -> Any:
    if isinstance(observations, dict):
        return {key: value[index] for key, value in observations.items()}
    return observations[index]
