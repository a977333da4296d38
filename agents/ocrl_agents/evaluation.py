"""Play given episodes, the same ones for every agent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from gymnasium.vector import VectorEnv
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.vec_env import VecEnv
from tqdm.auto import tqdm

from ocrl.errors import UsageError
from ocrl_agents.vec_env import GymnasiumVecEnv, set_seeds

Act = Callable[[Any], npt.NDArray[Any]]
"""Observations of N environments in, N actions out."""


@dataclass(frozen=True)
class Episode:
    """What came of one episode.

    Attributes:
        seed: of the environment's reset.
        options: of the environment's reset, such as the layout.
        episode_return: undiscounted sum of rewards.
        length: number of decisions.
        scalars: every number that the environment reports at the end, such as success, goals,
            spl, steps_to_goal; and the return of each half, which tells of memory: who has found
            the goal once can find it again.
    """

    seed: int
    options: Mapping[str, Any]
    episode_return: float
    length: int
    scalars: Mapping[str, float] = field(default_factory=dict)

    def row(self) -> dict[str, Any]:
        """Return a flat row for a table.

        >>> Episode(7, {"layout": 3}, 11.0, 900, {"success": 1.0}).row()
        {'seed': 7, 'layout': 3, 'return': 11.0, 'length': 900, 'success': 1.0}
        """
        return {
            "seed": self.seed,
            **self.options,
            "return": self.episode_return,
            "length": self.length,
            **self.scalars,
        }


def evaluate(
    agent: BasePolicy | Act,
    envs: VecEnv | VectorEnv[Any, Any, Any],
    seeds: Sequence[int],
    *,
    options: Sequence[Mapping[str, Any]] | None = None,
    deterministic: bool = False,
    action_seed: int = 0,
    title: str | None = None,
) -> list[Episode]:
    """Play one episode for each seed, in batches of as many as there are environments.

    The same seeds and options give every agent the same mazes. Actions are drawn from a random
    state of their own, and nothing of the agent changes, so that evaluation in the midst of
    training leaves the training as it is.

    Args:
        agent: a policy, or a function from observations to actions.
        envs: environments that show what the agent expects, and are used for nothing else. A
            Gymnasium vector environment resets itself in the same step.
        seeds: one for each episode.
        options: reset options for each episode, such as `{"layout": ...}`.
        deterministic: take the likeliest action instead of drawing one.
        action_seed: of the draws.
        title: of a bar that shows how many episodes have ended; None: no bar.

    Returns:
        One record for each seed, in order.

    Raises:
        UsageError: if seeds and options differ in number.
    """
    if options is not None and len(options) != len(seeds):
        raise UsageError(f"{len(seeds)} seeds and {len(options)} options: give one of each")
    venv = envs if isinstance(envs, VecEnv) else GymnasiumVecEnv(envs)
    chosen = [{} for _ in seeds] if options is None else [dict(option) for option in options]
    episodes: list[Episode] = []
    with (
        undisturbed(agent, action_seed),
        tqdm(
            desc=title,
            total=len(seeds),
            unit="episode",
            miniters=0,
            mininterval=1.0,
            disable=title is None,
            leave=False,
        ) as bar,
    ):
        for start in range(0, len(seeds), venv.num_envs):
            batch = slice(start, start + venv.num_envs)
            act = actor_of(agent, venv.num_envs, deterministic)
            episodes += _play(act, venv, list(seeds[batch]), chosen[batch], bar)
    return episodes


def mean_scores(episodes: Sequence[Episode]) -> dict[str, float]:
    """Return the mean of every number over episodes; those that are nan do not count.

    >>> mean_scores([Episode(0, {}, 1.0, 9, {"spl": 0.5}), Episode(1, {}, 3.0, 9)])
    {'return': 2.0, 'length': 9.0, 'spl': 0.5}
    """
    scores: dict[str, list[float]] = {}
    for episode in episodes:
        numbers = {"return": episode.episode_return, "length": episode.length, **episode.scalars}
        for name, value in numbers.items():
            scores.setdefault(name, [])
            if not np.isnan(value):
                scores[name].append(value)
    return {name: float(np.mean(values)) if values else np.nan for name, values in scores.items()}


def _play(
    act: Callable[[Any, npt.NDArray[np.bool_]], npt.NDArray[Any]],
    venv: VecEnv,
    seeds: list[int],
    options: list[dict[str, Any]],
    bar: tqdm[Any],
) -> list[Episode]:
    """Play a batch of episodes until the last one ends; what ended before runs on uncounted."""
    num_idle = venv.num_envs - len(seeds)
    set_seeds(venv, seeds + seeds[-1:] * num_idle)
    venv.set_options(options + options[-1:] * num_idle)
    rewarded: list[npt.NDArray[np.float64]] = []
    lengths = np.zeros(len(seeds), dtype=np.int64)
    running = np.ones(len(seeds), dtype=np.bool_)
    scalars: list[dict[str, float]] = [{} for _ in seeds]
    observations = venv.reset()
    episode_start = np.ones(venv.num_envs, dtype=np.bool_)
    while running.any():
        observations, rewards, episode_start, infos = venv.step(act(observations, episode_start))
        rewarded.append(np.where(running, rewards[: len(seeds)], 0.0))
        lengths += running
        for i in np.flatnonzero(running & episode_start[: len(seeds)]):
            scalars[i] = scalars_of(infos[i])
            bar.update()
        bar.set_postfix(step=int(lengths.max()), refresh=False)
        bar.update(0)
        running &= ~episode_start[: len(seeds)]
    rewards_of = np.stack(rewarded, axis=1)
    return [
        Episode(seed, option, float(row.sum()), int(length), {**scalar, **halves(row[:length])})
        for seed, option, row, length, scalar in zip(
            seeds, options, rewards_of, lengths, scalars, strict=True
        )
    ]


def halves(rewards: npt.NDArray[np.float64]) -> dict[str, float]:
    """Return the return of each half of an episode; a decision in the middle is in the second.

    >>> halves(np.array([1.0, 0.0, 2.0]))
    {'return_first_half': 1.0, 'return_second_half': 2.0}
    """
    middle = len(rewards) // 2
    return {
        "return_first_half": float(rewards[:middle].sum()),
        "return_second_half": float(rewards[middle:].sum()),
    }


def scalars_of(info: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers in the info of an ended episode.

    >>> scalars_of({"success": True, "goals": 2, "name": "x", "TimeLimit.truncated": True})
    {'success': 1.0, 'goals': 2.0}
    """
    return {
        key: float(value)
        for key, value in info.items()
        if isinstance(value, bool | int | float | np.number | np.bool_)
        and key != "TimeLimit.truncated"
    }


def actor_of(
    agent: BasePolicy | Act, num_envs: int, deterministic: bool
) -> Callable[[Any, npt.NDArray[np.bool_]], npt.NDArray[Any]]:
    """Return a function of observations and episode starts that keeps a recurrent state."""
    if not isinstance(agent, BasePolicy):
        return lambda observations, episode_start: agent(observations)
    state: tuple[npt.NDArray[Any], ...] | None = None

    def act(observations: Any, episode_start: npt.NDArray[np.bool_]) -> npt.NDArray[Any]:
        nonlocal state
        actions, state = agent.predict(observations, state, episode_start, deterministic)
        return actions

    return act


@contextmanager
def undisturbed(agent: BasePolicy | Act, action_seed: int) -> Iterator[None]:
    """Draw actions from a random state of their own, and leave the agent in its mode."""
    devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    training = isinstance(agent, BasePolicy) and agent.training
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(action_seed)
        yield
    if isinstance(agent, BasePolicy):
        agent.set_training_mode(training)
