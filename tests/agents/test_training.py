from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

from ocrl.errors import UsageError
from ocrl_agents.checkpoints import read_agent, restore
from ocrl_agents.evaluation import evaluate, mean_scores
from ocrl_agents.training import make_ppo, train

SMALL = {"seed": 0, "n_steps": 32, "batch_size": 64}


def rows(run_dir: Path) -> list[dict[str, str]]:
    with (run_dir / "progress.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def same_weights(a: Any, b: Any) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters(), strict=True))


def test_learns_to_go_for_the_goal(room: Any) -> None:
    model = make_ppo(room(16), seed=1, n_steps=64, batch_size=256, learning_rate=2e-3)
    before = mean_scores(evaluate(model.policy, room(64), range(128)))
    model.learn(17_408)
    after = mean_scores(evaluate(model.policy, room(64), range(128)))
    assert before["success"] < 0.6
    assert after["success"] > 0.95
    assert after["length"] < 8


@pytest.mark.parametrize("total_steps", [256, 300])
def test_learning_rate_falls_to_zero_and_no_further(room: Any, total_steps: int) -> None:
    model = make_ppo(room(4), **SMALL)
    model.learn(total_steps)
    assert model.num_timesteps in (256, 384)  # whole rollouts, beyond what was asked for
    assert [group["lr"] for group in model.policy.optimizer.param_groups] == [0]


def test_folder_of_a_run(room: Any, tmp_path: Path) -> None:
    model = make_ppo(room(4), **SMALL)
    train(
        model,
        512,
        tmp_path,
        evaluations={"train": room(4), "validation": room(4)},
        eval_every=256,
        eval_episodes=6,
        checkpoint_every=128,
        progress=False,
        notes={"env": "room"},
    )
    table = rows(tmp_path)
    steps = [int(row["step"]) for row in table]
    assert steps == sorted(set(steps))
    assert [int(row["step"]) for row in table if row["eval_validation/success"]] == [0, 256, 512]
    assert table[-1]["eval_train/return"] != ""
    assert table[1]["rollout/success"] != ""
    assert table[-1]["train/entropy_loss"] != ""
    assert list((tmp_path / "tensorboard").glob("events*"))
    header = read_agent(tmp_path / "last.safetensors").header
    assert header["num_timesteps"] == 512
    assert header["notes"] == {"env": "room"}
    assert set(header["scores"]) == {"train", "validation"}
    best = read_agent(tmp_path / "best.safetensors").header["scores"]["validation"]["return"]
    returns = [
        float(row["eval_validation/return"]) for row in table if row["eval_validation/return"]
    ]
    assert best == pytest.approx(max(returns))
    with pytest.raises(UsageError, match="already holds an agent"):
        train(model, 1024, tmp_path)


def test_resume_goes_on_with_count_schedule_optimiser_and_table(room: Any, tmp_path: Path) -> None:
    first = make_ppo(room(4), **SMALL)
    train(first, 384, tmp_path, checkpoint_every=128, progress=False)
    moments = first.policy.optimizer.state_dict()["state"]

    second = make_ppo(room(4), **SMALL)
    restore(tmp_path / "last.safetensors", second)
    assert second.num_timesteps == 384
    assert same_weights(first.policy, second.policy)
    assert first.env.largest == second.env.largest == 1.0
    restored = second.policy.optimizer.state_dict()["state"]
    assert restored.keys() == moments.keys()
    for index, state in restored.items():
        for name, tensor in state.items():
            torch.testing.assert_close(tensor, moments[index][name])

    third = make_ppo(room(4), **SMALL)
    rates = []
    update = third.train
    third.train = lambda: (update(), rates.append(third.policy.optimizer.param_groups[0]["lr"]))
    train(third, 768, tmp_path, checkpoint_every=128, progress=False, resume=True)
    assert third.num_timesteps == 768
    assert third._n_updates == 6 * 4
    # three updates of 128 steps are left, at 512, 640 and 768 of 768 steps
    np.testing.assert_allclose(rates, 1e-3 * np.array([256, 128, 0]) / 768, atol=1e-9)
    assert [int(row["step"]) for row in rows(tmp_path)] == [128, 256, 384, 512, 640, 768]
    train(third, 768, tmp_path, progress=False, resume=True)
    assert third.num_timesteps == 768


def test_resume_meets_new_episodes(room: Any, tmp_path: Path) -> None:
    class Seeded(room):
        seeds: list[Any]

        def reset(self, *, seed: Any = None, options: Any = None) -> Any:
            self.seeds = [*getattr(self, "seeds", []), seed]
            return super().reset(seed=seed, options=options)

    envs = [Seeded(4) for _ in range(3)]
    for env, total in zip(envs, (128, 256, 256), strict=True):
        run_dir = tmp_path / ("other" if env is envs[2] else "run")
        train(make_ppo(env, **SMALL), total, run_dir, progress=False, resume=True)
    begun, resumed, again = (env.seeds[-1] for env in envs)
    assert begun == again
    assert not set(begun) & set(resumed)


def test_rows_after_the_checkpoint_are_made_again(room: Any, tmp_path: Path) -> None:
    class InterruptedRunError(Exception):
        pass

    model = make_ppo(room(4), **SMALL)
    update, count = model.train, 0

    def train_thrice() -> None:
        nonlocal count
        count += 1
        if count > 3:
            raise InterruptedRunError
        update()

    model.train = train_thrice
    with pytest.raises(InterruptedRunError):
        train(model, 1024, tmp_path, checkpoint_every=256, progress=False)
    assert read_agent(tmp_path / "last.safetensors").header["num_timesteps"] == 256
    assert int(rows(tmp_path)[-1]["step"]) == 512
    model = make_ppo(room(4), **SMALL)
    train(model, 640, tmp_path, progress=False, resume=True)
    assert [int(row["step"]) for row in rows(tmp_path)] == [128, 256, 384, 512, 640]


def test_rewards_are_scaled_for_the_learner_alone(room: Any, tmp_path: Path) -> None:
    """Rewards in other units give the same training, and are logged in their own."""

    class Cents(room):
        def step(self, actions: Any) -> Any:
            observations, rewards, *rest = super().step(actions)
            return observations, 100 * rewards, *rest

    for name, envs in (("euros", room(4)), ("cents", Cents(4))):
        train(make_ppo(envs, **SMALL), 512, tmp_path / name, progress=False)
    euros, cents = rows(tmp_path / "euros")[-1], rows(tmp_path / "cents")[-1]
    returned = float(euros["rollout/ep_rew_mean"])
    assert float(cents["rollout/ep_rew_mean"]) == pytest.approx(100 * returned)
    assert float(cents["train/value_loss"]) == pytest.approx(
        float(euros["train/value_loss"]), rel=1e-3
    )
    header = read_agent(tmp_path / "cents" / "last.safetensors").header
    assert header["largest_reward"] == 100.0


def test_batch_size_that_does_not_divide_the_rollout(room: Any) -> None:
    with pytest.raises(UsageError, match="take batch_size=384"):
        make_ppo(room(6), seed=0, n_steps=128, batch_size=512)


@pytest.mark.parametrize(
    ("num_envs", "n_steps", "lstm_dim", "batch_size"),
    [(16, 128, 0, 512), (4, 8, 0, 8), (3, 2, 0, 3), (8, 16, 8, 32), (6, 16, 8, 48), (1, 5, 8, 5)],
)
def test_a_minibatch_is_a_quarter_of_a_rollout(
    room: Any, num_envs: int, n_steps: int, lstm_dim: int, batch_size: int
) -> None:
    """Or as near to it as whole steps, and whole segments, allow."""
    model = make_ppo(
        room(num_envs), seed=0, n_steps=n_steps, lstm_dim=lstm_dim, calibration_steps=0
    )
    assert model.batch_size == batch_size


def test_actions_that_cannot_be_drawn(room: Any) -> None:
    envs = room(4)
    envs.single_action_space = gym.spaces.Dict({"move": gym.spaces.Discrete(2)})
    with pytest.raises(UsageError, match="PPO draws actions from Box, Discrete"):
        make_ppo(envs, **SMALL)


def test_what_the_best_agent_is_selected_on_is_evaluated(room: Any, tmp_path: Path) -> None:
    """Without it no agent would be kept as the best."""
    model = make_ppo(room(4), seed=0, n_steps=8)
    with pytest.raises(UsageError, match=r"select_on='validation'.*choose from test"):
        train(model, 64, tmp_path, evaluations={"test": room(4)}, progress=False)
    assert not list(tmp_path.iterdir())
