"""ExpGen: agents act where they agree, an explorer where they do not."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from gymnasium import spaces
from stable_baselines3.common.policies import BasePolicy
from torch import Tensor, nn

from ocrl.errors import UsageError
from ocrl_agents.player import Agent

SHARE = 0.6
"""Of the agents, that have to agree unless it is said how many: 6 of 10 in the published mazes."""

SHOWN = ("spaces", "senses", "encoder")
"""What the files of agents say of what they are shown."""


class ExpGenPolicy(BasePolicy):
    """An ensemble of policies and an explorer, as one policy (Zisselman et al. 2023, section 4.2).

    Each policy draws its action. If enough of them draw the same, that is what is done. If not, the
    explorer acts, for a number of steps that is drawn from a geometric distribution; meanwhile
    nobody is asked. All policies see all of an episode, and so do their memories.

    The published ensemble has 10 agents, of which 6 have to agree in mazes, and explores for 2
    steps on average. There the action is the first agent's, and it is counted how many agree with
    it, actions that go in the same direction being the same; here it is whichever action most
    agents draw, taken as it is.

    Args:
        agents: policies that want the environment's reward, A of them.
        explorer: that acts when they disagree.
        agreement: agents that have to agree. None: six in ten, rounded up. 1: whatever most of
            them want is done, and nobody explores.
        mean_steps: of an exploration, on average.

    Raises:
        UsageError: nobody is given, more have to agree than there are, actions are not discrete, or
            policies differ in what they read and do.
    """

    def __init__(
        self,
        agents: Sequence[BasePolicy],
        explorer: BasePolicy,
        *,
        agreement: int | None = None,
        mean_steps: float = 2.0,
    ) -> None:
        super().__init__(explorer.observation_space, explorer.action_space)
        self.agreement = enough(agreement, len(agents))
        if mean_steps < 1:
            raise UsageError(f"mean_steps={mean_steps}: an exploration has at least one step")
        if isinstance(self.action_space, spaces.Box):
            raise UsageError(f"agents agree on discrete actions, not on {self.action_space}")
        for number, agent in enumerate(agents):
            for name in ("observation_space", "action_space"):
                theirs, ours = getattr(agent, name), getattr(explorer, name)
                if theirs != ours:
                    raise UsageError(
                        f"agent {number} has the {name.replace('_', ' ')} {theirs}, the explorer "
                        f"{ours}: an ensemble reads the same tokens and takes the same actions"
                    )
        self.policies: Any = nn.ModuleList([*agents, explorer])
        self.mean_steps = mean_steps

    def predict(
        self,
        observation: Any,
        state: tuple[Any, ...] | None = None,
        episode_start: npt.NDArray[Any] | None = None,
        deterministic: bool = False,
    ) -> tuple[npt.NDArray[Any], tuple[Any, ...] | None]:
        """Return actions, and the state for the next call.

        Args:
            observation: of one environment or of N.
            state: what the call before returned: a memory for each policy, and how many steps of
                an exploration are left in each environment. None where all episodes begin.
            episode_start: bool (N,), which episodes begin.
            deterministic: take the likeliest actions, and explore for the mean number of steps.
        """
        memories = [None] * len(self.policies) if state is None else state[:-1]
        drawn = [
            policy.predict(observation, memory, episode_start, deterministic)
            for policy, memory in zip(self.policies, memories, strict=True)
        ]
        shape = self.action_space.shape or ()
        actions = np.stack([each for each, _ in drawn]).reshape(len(drawn), -1, *shape)
        wanted, explored = actions[:-1], actions[-1]
        number = len(explored)
        left = np.zeros(number, np.int64) if state is None else state[-1]
        if episode_start is not None:
            left = np.where(episode_start, 0, left)
        votes = count_votes(wanted)
        disagree = votes.max(axis=0) < self.agreement
        left = np.where((left == 0) & disagree, self._steps(number, deterministic), left)
        exploring = left > 0
        most = wanted[votes.argmax(axis=0), np.arange(number)]
        chosen = np.where(exploring.reshape(-1, *(1 for _ in shape)), explored, most)
        is_batch = drawn[-1][0].ndim > len(shape)
        after = (*(memory for _, memory in drawn), left - exploring)
        return chosen if is_batch else chosen[0], after

    def _steps(self, number: int, deterministic: bool) -> npt.NDArray[np.int64]:
        """Return how long explorations last that begin now, (N,)."""
        if deterministic:
            return np.full(number, round(self.mean_steps))
        return torch.empty(number, dtype=torch.int64).geometric_(1 / self.mean_steps).numpy()

    def _predict(self, observation: Any, deterministic: bool = False) -> Tensor:
        # stable-baselines3 asks every policy for it, and `predict` alone would call it
        raise NotImplementedError("an ensemble has a state: use predict")


def enough(agreement: int | None, number: int) -> int:
    """Return how many of so many agents have to agree.

    >>> enough(None, 4), enough(2, 4)
    (3, 2)

    Args:
        agreement: what is asked for; None: six in ten, rounded up.
        number: of agents.

    Raises:
        UsageError: there are not so many.
    """
    if not number:
        raise UsageError("ExpGen is an ensemble and an explorer: give it at least one agent")
    if agreement is None:
        return math.ceil(SHARE * number)
    if not 1 <= agreement <= number:
        raise UsageError(f"agreement={agreement} of {number} agents: take 1 to {number}")
    return agreement


def count_votes(actions: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Return how many policies want the action that each wants, itself included.

    >>> count_votes(np.array([[0, 1], [2, 1], [2, 0]])).tolist()
    [[1, 2], [2, 2], [2, 1]]

    Args:
        actions: (A, N, ...) that A policies draw in N environments.

    Returns:
        (A, N).
    """
    rows = actions.reshape(*actions.shape[:2], -1)
    votes: npt.NDArray[np.int64] = (rows[:, None] == rows).all(axis=-1).sum(axis=1)
    return votes


def check_ensemble(agents: Mapping[str, Mapping[str, Any]], explorer: Mapping[str, Any]) -> None:
    """Raise UsageError unless agents and an explorer can play together.

    Args:
        agents: what the file of each says, see `ocrl_agents.checkpoints.AgentFile`.
        explorer: what its file says.
    """
    if not explorer.get("explores"):
        raise UsageError(
            "the explorer is an agent that was trained for the reward of its environment: give "
            "one that  train_agent.py agent=explorer  trained"
        )
    for name, agent in agents.items():
        if agent.get("explores"):
            raise UsageError(f"{name} is an explorer itself: the others want a reward")
        for part in SHOWN:
            if _hashed(agent.get(part)) != _hashed(explorer.get(part)):
                raise UsageError(
                    f"{name} reads other tokens than the explorer, their files differ in {part}: "
                    "train all of an ensemble alike, with checkpoint=... on one encoder"
                )


def _hashed(part: Any) -> Any:
    """Return what is compared: of an encoder its hash, wherever it is."""
    return part["sha256"] if part and "sha256" in part else part


class ExpGen(Agent):
    """Agents and an explorer that play from frames as one agent, see `ExpGenPolicy`.

        >>> from ocrl_agents import load_agent
        >>> agents = [load_agent(path), load_agent(path)]
        >>> player = ExpGen(agents, load_agent(explorer), agreement=2)
        >>> observation, _ = env.reset()
        >>> int(player.predict(observation)) in (0, 1)
        True

    Args:
        agents: from `load_agent`. They read the tokens of the explorer, which are made once.
        explorer: what `train_agent.py agent=explorer` trained, loaded for as many environments as
            it is to play in.
        agreement: see `ExpGenPolicy`.
        mean_steps: likewise.

    Raises:
        UsageError: the explorer is none, an agent is one, they do not read the same tokens, or as
            `ExpGenPolicy`.
    """

    def __init__(
        self,
        agents: Sequence[Agent],
        explorer: Agent,
        *,
        agreement: int | None = None,
        mean_steps: float = 2.0,
    ) -> None:
        headers = {f"agent {number}": agent.header for number, agent in enumerate(agents)}
        check_ensemble(headers, explorer.header)
        policies = [agent.policy for agent in agents]
        policy = ExpGenPolicy(policies, explorer.policy, agreement=agreement, mean_steps=mean_steps)
        super().__init__(policy, explorer._shown, explorer._venv, explorer.header)
