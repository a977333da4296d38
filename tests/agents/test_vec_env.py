"""The three wrappers give the same tokens, those of a sequential reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv, VecEnv

from ocrl.errors import UsageError
from ocrl.wrappers import VectorSlotObservation
from ocrl_agents.vec_env import GymnasiumVecEnv, VecSlotObservation, environment_seeds, set_seeds

NUM_ENVS = 3


def sync(flicker: Any, num_envs: int = NUM_ENVS) -> SyncVectorEnv:
    return SyncVectorEnv(
        [lambda i=i: flicker(i) for i in range(num_envs)], autoreset_mode=AutoresetMode.SAME_STEP
    )


def reference(flicker: Any, encoder: Any, index: int, seed: int, num_steps: int) -> list[Any]:
    """Encode environment `index` alone, episode by episode; ended ones carry their last tokens."""
    env = flicker(index)
    frame, _ = env.reset(seed=seed)
    episode, steps = [frame], []
    for _ in range(num_steps):
        frame, _, terminated, truncated, _ = env.step(0)
        episode.append(frame)
        done, final = terminated or truncated, None
        if done:
            final = encoder.encode_video(torch.from_numpy(np.stack(episode))[None]).tokens[0, -1]
            episode = [env.reset()[0]]
        tokens = encoder.encode_video(torch.from_numpy(np.stack(episode))[None]).tokens[0, -1]
        steps.append((tokens, done, truncated, final))
    return steps


@pytest.mark.parametrize("kind", ["dummy", "subproc", "gymnasium", "inside"])
def test_tokens_equal_those_of_a_sequential_reference(
    kind: str, flicker: Any, recurrent_encoder: Any
) -> None:
    encoder = recurrent_encoder()
    if kind == "inside":
        venv: VecEnv = GymnasiumVecEnv(VectorSlotObservation(sync(flicker), encoder))
    else:
        frames = {
            "dummy": lambda: DummyVecEnv([lambda i=i: flicker(i) for i in range(NUM_ENVS)]),
            "subproc": lambda: SubprocVecEnv(
                [lambda i=i: flicker(i) for i in range(NUM_ENVS)], start_method="fork"
            ),
            "gymnasium": lambda: GymnasiumVecEnv(sync(flicker)),
        }[kind]()
        venv = VecSlotObservation(frames, encoder)
    seeds = [11, 12, 13]
    set_seeds(venv, seeds)
    tokens = venv.reset()
    assert tokens.shape == (NUM_ENVS, 3, 4)
    expected = [reference(flicker, encoder, i, seeds[i], 14) for i in range(NUM_ENVS)]
    num_ends = 0
    for t in range(14):
        tokens, _, dones, infos = venv.step(np.zeros(NUM_ENVS, int))
        for i in range(NUM_ENVS):
            row, done, truncated, final = expected[i][t]
            torch.testing.assert_close(torch.from_numpy(tokens[i]), row.detach())
            assert bool(dones[i]) == done
            if done:
                num_ends += 1
                assert infos[i]["TimeLimit.truncated"] == truncated
                last = torch.from_numpy(infos[i]["terminal_observation"])
                torch.testing.assert_close(last, final.detach())
    assert num_ends > 9
    venv.close()


def test_infos_are_empty_but_for_ended_episodes(flicker: Any) -> None:
    venv = GymnasiumVecEnv(sync(flicker))
    venv.reset()
    for _ in range(6):
        _, rewards, dones, infos = venv.step(np.ones(NUM_ENVS, int))
        assert rewards.dtype == np.float32
        for done, info in zip(dones, infos, strict=True):
            assert bool(info) == bool(done)
            if done:
                assert info["goals"] in {1, 2, 3, 5}
                assert info["success"]
                assert "noise" not in info


def test_neighbouring_seeds_share_no_environment() -> None:
    runs = [environment_seeds(seed, 32) for seed in range(20)]
    assert len({seed for run in runs for seed in run}) == 20 * 32
    assert environment_seeds(3, 8) == environment_seeds(3, 8)


@pytest.mark.parametrize("wrapped", [False, True])
def test_seed_gives_each_environment_its_own(
    wrapped: bool, flicker: Any, recurrent_encoder: Any
) -> None:
    venv: VecEnv = DummyVecEnv([lambda i=i: flicker(i) for i in range(2)])
    venv = (
        VecSlotObservation(venv, recurrent_encoder())
        if wrapped
        else GymnasiumVecEnv(sync(flicker, 2))
    )
    venv.seed(0)
    first = venv.reset()
    venv.seed(0)
    np.testing.assert_array_equal(first, venv.reset())
    venv.seed(1)
    assert not np.allclose(first[1], venv.reset()[0])
    assert not np.allclose(first, venv.reset())


def test_options_reach_single_and_batched_environments(flicker: Any, room: Any) -> None:
    envs = sync(flicker, 2)
    venv = GymnasiumVecEnv(envs)
    venv.set_options({"layout": 4})
    venv.reset()
    assert envs.envs[1].last_options == {"layout": 4}
    venv.reset()
    assert envs.envs[1].last_options is None

    batched, seen = room(2), []
    batched.reset = lambda seed=None, options=None: seen.append(options) or (np.zeros(2), {})
    venv = GymnasiumVecEnv(batched)
    venv.set_options([{"layout": 1}, {"layout": 2}])
    venv.reset()
    assert seen == [{"layout": [1, 2]}]
    venv.set_options([{"layout": 1}, {"size": 2}])
    with pytest.raises(UsageError, match="different names"):
        venv.reset()


def test_other_autoreset_modes_are_refused(flicker: Any) -> None:
    envs = SyncVectorEnv([flicker])
    with pytest.raises(UsageError, match="SAME_STEP"):
        GymnasiumVecEnv(envs)
