"""Who acts when, on ensembles made by hand; in a batch as alone, in tokens and in frames."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.vec_env import DummyVecEnv

import ocrl
import ocrl_agents
from ocrl.errors import UsageError
from ocrl_agents.checkpoints import read_agent, save_agent
from ocrl_agents.evaluation import evaluate
from ocrl_agents.expgen import ExpGenPolicy
from ocrl_agents.extractors import MLPExtractor
from ocrl_agents.state_entropy import VecStateEntropy
from ocrl_agents.training import make_ppo
from ocrl_agents.vec_env import VecSlotObservation

TOKENS = spaces.Box(-1, 1, (2, 3), np.float32)
EXPLORES = 9
TEN = spaces.Discrete(10)


class Scripted(BasePolicy):
    """Acts as the numbers say that it is shown; keeps how many it has seen of an episode."""

    def __init__(self, column: int, action_space: Any = TEN) -> None:
        super().__init__(spaces.Box(0, 9, (4,), np.float32), action_space)
        self.column = column

    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None, deterministic=False
    ) -> Any:
        seen = np.zeros(len(observation), int) if state is None else np.array(state[0])
        seen[episode_start] = 0
        return observation[:, self.column].astype(int), (seen + 1,)

    def _predict(self, observation: Any, deterministic: bool = False) -> Any:
        raise NotImplementedError


def hand_made(**kwargs: Any) -> ExpGenPolicy:
    return ExpGenPolicy([Scripted(i) for i in range(3)], Scripted(3), **kwargs)


def played(policy: ExpGenPolicy, steps: list[list[tuple[int, ...]]], starts: Any = ()) -> Any:
    """Return actions (T, N) where the three of the ensemble want what is said at each step."""
    state: Any = None
    actions = []
    for time, wanted in enumerate(steps):
        shown = np.array([[*each, EXPLORES] for each in wanted], np.float32)
        begins = np.array([time == 0 or (time, i) in starts for i in range(len(wanted))])
        action, state = policy.predict(shown, state, begins, deterministic=True)
        actions.append(action.tolist())
    return actions, state


@pytest.mark.parametrize(
    ("agreement", "expected"),
    [(1, [5, 5, 5, 1]), (2, [5, 5, 5, 9]), (3, [5, 9, 9, 9]), (None, [5, 5, 5, 9])],
)
def test_what_enough_agents_want_is_done(agreement: int | None, expected: list[int]) -> None:
    wanted = [(5, 5, 5), (5, 5, 2), (2, 5, 5), (1, 2, 3)]
    assert played(hand_made(agreement=agreement), [wanted])[0] == [expected]


def test_an_exploration_is_not_broken_off_but_by_a_new_episode() -> None:
    agree, disagree = (4, 4, 4), (1, 2, 3)
    steps = [[disagree] * 2, [disagree, agree], *[[agree] * 2] * 2, [disagree] * 2, [agree] * 2]
    actions, state = played(hand_made(mean_steps=3), steps, starts={(1, 1)})
    assert [row[0] for row in actions] == [9, 9, 9, 4, 9, 9]
    assert [row[1] for row in actions] == [9, 4, 4, 4, 9, 9]
    # all of them, the explorer too, have seen all of the episode
    assert [memory[0].tolist() for memory in state[:-1]] == [[6, 5]] * 4
    assert state[-1].tolist() == [1, 1]


def test_lengths_of_explorations_are_geometric() -> None:
    torch.manual_seed(0)
    lengths = hand_made(mean_steps=2)._steps(20_000, deterministic=False)
    shares = np.bincount(lengths, minlength=5)[:5] / len(lengths)
    assert shares == pytest.approx([0, 0.5, 0.25, 0.125, 0.0625], abs=0.01)


def test_actions_of_several_parts_agree_in_all_of_them() -> None:
    def scripted(actions: list[list[int]]) -> Any:
        class Fixed(Scripted):
            def predict(self, observation: Any, *args: Any, **kwargs: Any) -> Any:
                return np.array(actions), None

        return Fixed(0, spaces.MultiDiscrete([3, 3]))

    agents = [scripted([[1, 2], [1, 2]]), scripted([[1, 2], [1, 0]])]
    policy = ExpGenPolicy(agents, scripted([[0, 0], [0, 0]]), agreement=2)
    actions, _ = policy.predict(np.zeros((2, 4)), None, np.ones(2, bool))
    assert actions.tolist() == [[1, 2], [0, 0]]


class Episodes(gym.Env[Any, Any]):
    """Random tokens that depend on the actions; lengths differ from episode to episode."""

    observation_space, action_space = TOKENS, spaces.Discrete(5)

    def _observe(self) -> Any:
        return self.np_random.uniform(-1, 1, (2, 3)).astype(np.float32)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.left = int(self.np_random.integers(3, 15))
        return self._observe(), {}

    def step(self, action: Any) -> Any:
        self.left -= 1
        self.np_random.random(int(action))
        return self._observe(), float(action), self.left == 0, False, {}


def test_evaluation_in_a_batch_is_that_of_one_after_the_other() -> None:
    def policy(seed: int, lstm_dim: int = 0) -> Any:
        model = make_ppo(DummyVecEnv([Episodes]), seed=seed, n_steps=8, lstm_dim=lstm_dim)
        with torch.no_grad():
            model.policy.action_net.weight.mul_(1000)  # far from uniform
        return model.policy

    agents = [policy(0), policy(1, lstm_dim=8), policy(2)]
    together = ExpGenPolicy(agents, policy(3, lstm_dim=8), agreement=2, mean_steps=3)
    seeds = list(range(12))
    batch, single = (
        evaluate(together, DummyVecEnv([Episodes] * number), seeds, deterministic=True)
        for number in (12, 1)
    )
    assert len({episode.length for episode in batch}) > 4
    assert [e.row() for e in batch] == [e.row() for e in single]
    alone = [evaluate(each, DummyVecEnv([Episodes]), seeds, deterministic=True) for each in agents]
    assert all(batch != episodes for episodes in alone)


def paintings(generator: np.random.Generator, *shape: int) -> Any:
    """Return frames (..., 16, 16, 3) of four squares in colours at random."""
    colours = generator.integers(0, 256, (*shape, 2, 2, 3), dtype=np.uint8)
    return colours.repeat(8, axis=-3).repeat(8, axis=-2)


class Frames(gym.Env[Any, Any]):
    """Frames at random."""

    observation_space = spaces.Box(0, 255, (16, 16, 3), np.uint8)
    action_space = spaces.Discrete(5)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        return paintings(self.np_random), {}

    def step(self, action: Any) -> Any:
        return paintings(self.np_random), 0.0, False, False, {}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Agents and explorers over two encoders."""
    folder = tmp_path_factory.mktemp("agents")
    paths = {}
    for seed in (0, 1):
        torch.manual_seed(seed)
        encoder = ocrl.create_encoder("vector", image_size=(16, 16))
        where = folder / f"encoder_{seed}.safetensors"
        ocrl.save_encoder(where, encoder)
        for name, explores in (("agent", False), ("other", False), ("explorer", True)):
            tokens = VecSlotObservation(DummyVecEnv([Frames]), where)
            venv = VecStateEntropy(tokens) if explores else tokens
            number = seed * 3 + len(name)
            model = make_ppo(
                venv, seed=number, extractor=MLPExtractor, n_steps=8, lstm_dim=4 * explores
            )
            with torch.no_grad():
                model.policy.action_net.weight.mul_(1000)
            paths[f"{name}_{seed}"] = folder / f"{name}_{seed}.safetensors"
            save_agent(paths[f"{name}_{seed}"], model, encoder=where)
    return paths


def load(files: dict[str, Path], *names: str, num_envs: int = 1) -> list[ocrl_agents.Agent]:
    return [ocrl_agents.load_agent(files[name], num_envs=num_envs) for name in names]


def test_a_file_remembers_that_its_agent_explores(files: dict[str, Path]) -> None:
    assert read_agent(files["explorer_0"]).header["explores"] is True
    assert read_agent(files["agent_0"]).header["explores"] is False


def test_frames_in_a_batch_and_one_by_one(files: dict[str, Path]) -> None:
    frames = paintings(np.random.default_rng(0), 30, 2)
    starts = np.zeros((30, 2), np.bool_)
    starts[[5, 11, 17], [0, 1, 0]] = True

    def player(num_envs: int) -> ocrl_agents.ExpGen:
        *agents, explorer = load(files, "agent_0", "other_0", "explorer_0", num_envs=num_envs)
        return ocrl_agents.ExpGen(agents, explorer, agreement=2)

    both = player(2)
    together = [
        both.act(shown, None, begins, deterministic=True).tolist()
        for shown, begins in zip(frames, starts, strict=True)
    ]
    for i in range(2):
        alone = player(1)
        for time in range(30):
            if starts[time, i]:
                alone.reset()
            assert alone.predict(frames[time, i], deterministic=True) == together[time][i]
    assert len({tuple(row) for row in together}) > 2


@pytest.mark.parametrize(
    ("agents", "explorer", "kwargs", "message"),
    [
        (["agent_0", "agent_1"], "explorer_0", {}, "agent 1 reads other tokens .* in encoder"),
        (["agent_0"], "other_0", {}, "the explorer is an agent .* agent=explorer"),
        (["agent_0", "explorer_0"], "explorer_0", {}, "agent 1 is an explorer itself"),
        (["agent_0", "other_0"], "explorer_0", {"agreement": 3}, "agreement=3 of 2 .* 1 to 2"),
        (["agent_0"], "explorer_0", {"agreement": 0}, "agreement=0 of 1"),
        (["agent_0"], "explorer_0", {"mean_steps": 0.5}, "at least one step"),
        ([], "explorer_0", {}, "at least one agent"),
    ],
)
def test_what_cannot_play_together_is_one_line(
    files: dict[str, Path], agents: list[str], explorer: str, kwargs: Any, message: str
) -> None:
    *ensemble, scout = load(files, *agents, explorer)
    with pytest.raises(UsageError, match=message) as caught:
        ocrl_agents.ExpGen(ensemble, scout, **kwargs)
    assert "\n" not in str(caught.value)


def test_policies_of_other_tokens_or_actions() -> None:
    with pytest.raises(UsageError, match="agent 0 has the action space Discrete"):
        ExpGenPolicy([Scripted(0, spaces.Discrete(3))], Scripted(1))
    box = spaces.Box(-1, 1, (2,))
    with pytest.raises(UsageError, match="agree on discrete actions"):
        ExpGenPolicy([Scripted(0, box)], Scripted(1, box))
