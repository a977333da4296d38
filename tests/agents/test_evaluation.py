from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from stable_baselines3.common.vec_env import DummyVecEnv

from ocrl.errors import UsageError
from ocrl_agents.evaluation import Episode, evaluate, mean_scores
from ocrl_agents.training import make_ppo


def sync(flicker: Any, num_envs: int) -> SyncVectorEnv:
    return SyncVectorEnv([flicker] * num_envs, autoreset_mode=AutoresetMode.SAME_STEP)


def ones(observations: Any) -> Any:
    return np.ones(len(observations), int)


def straight(tokens: Any) -> Any:
    """Go straight for the goal: the known answer in the room."""
    goal = tokens[np.arange(len(tokens)), tokens[:, :, 2].argmax(1), :2]
    return np.round(np.arctan2(goal[:, 1], goal[:, 0]) / (np.pi / 4)).astype(int) % 8


def test_an_episode_is_counted_once_and_whole(flicker: Any) -> None:
    # every environment plays the same lengths over and over, the first of them 3
    episodes = evaluate(ones, sync(flicker, 4), seeds=[5, 6, 7, 8, 9])
    assert [episode.seed for episode in episodes] == [5, 6, 7, 8, 9]
    assert [episode.length for episode in episodes] == [3] * 5
    assert [episode.episode_return for episode in episodes] == [3.0] * 5
    halves = {"return_first_half": 1.0, "return_second_half": 2.0}
    assert episodes[0].scalars == {"goals": 3.0, "success": 1.0, **halves}


def test_known_answer_and_episodes_that_end_at_different_times(room: Any) -> None:
    episodes = evaluate(straight, room(16), seeds=range(50))
    scores = mean_scores(episodes)
    assert scores["success"] == 1.0
    assert scores["return"] == 1.0
    assert len({episode.length for episode in episodes}) > 3


@pytest.mark.parametrize("num_envs", [1, 3, 7, 64])
def test_result_does_not_depend_on_the_batch(num_envs: int, room: Any) -> None:
    expected = evaluate(straight, room(5), seeds=range(20))
    assert evaluate(straight, room(num_envs), seeds=range(20)) == expected


def test_all_kinds_of_environments_give_the_same(flicker: Any) -> None:
    expected = evaluate(ones, sync(flicker, 2), seeds=[1, 2, 3])
    assert evaluate(ones, DummyVecEnv([flicker] * 2), seeds=[1, 2, 3]) == expected


def test_options_go_to_their_episodes(flicker: Any) -> None:
    venv = DummyVecEnv([flicker] * 2)
    seen = []

    def act(observations: Any) -> Any:
        seen.append([env.last_options for env in venv.envs])
        return ones(observations)

    options = [{"layout": 7}, {"layout": 8}, {"layout": 9}]
    episodes = evaluate(act, venv, [1, 2, 3], options=options)
    assert [episode.row()["layout"] for episode in episodes] == [7, 8, 9]
    assert seen[0] == options[:2]
    assert seen[-1][0] == options[2]
    with pytest.raises(UsageError, match="1 options"):
        evaluate(act, venv, [1, 2], options=options[:1])


def test_actions_are_drawn_the_same_way_each_time(room: Any) -> None:
    policy = make_ppo(room(4), seed=0, batch_size=64).policy
    first, second = (evaluate(policy, room(8), range(16)) for _ in range(2))
    assert first == second
    assert evaluate(policy, room(8), range(16), action_seed=1) != first
    likeliest = evaluate(policy, room(8), range(16), deterministic=True)
    assert likeliest == evaluate(policy, room(8), range(16), deterministic=True, action_seed=1)


def test_evaluation_leaves_the_training_as_it_is(room: Any) -> None:
    def train(with_evaluation: bool) -> Any:
        model = make_ppo(room(4), seed=0, n_steps=32, batch_size=64)
        for _ in range(2):
            model.learn(256, reset_num_timesteps=False)
            if with_evaluation:
                model.policy.set_training_mode(True)
                evaluate(model.policy, room(4), range(8))
                assert model.policy.training
        return model.policy.state_dict()

    plain, evaluated = train(False), train(True)
    for key, value in plain.items():
        torch.testing.assert_close(value, evaluated[key], rtol=0, atol=0)


def test_unknown_numbers_do_not_count_in_the_mean() -> None:
    episodes = [
        Episode(0, {}, 1.0, 5, {"steps_to_goal": 4.0, "never": np.nan}),
        Episode(1, {}, 0.0, 9, {"steps_to_goal": np.nan, "never": np.nan}),
    ]
    scores = mean_scores(episodes)
    assert scores["steps_to_goal"] == 4.0
    assert np.isnan(scores["never"])
    assert scores["length"] == 7.0
