"""The wrappers against a reference that encodes every episode on its own, as one video."""

from __future__ import annotations

import pickle
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from flickering import (
    LENGTHS,
    Flicker,
    Record,
    RecurrentEncoder,
    StatelessEncoder,
    assert_same_episodes,
    vector_env,
)
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv

from ocrl.wrappers import SlotObservation, VectorSlotObservation


def test_single_environment_encodes_each_episode_on_its_own() -> None:
    record = Record(Flicker())
    env = SlotObservation(record, RecurrentEncoder())
    seen = []
    for seed in range(4):
        tokens, _ = env.reset(seed=seed)
        seen.append(tokens)
        ended = False
        while not ended:
            tokens, _, ended, _, _ = env.step(0)
            seen.append(tokens)
    assert [len(episode) - 1 for episode in record.episodes] == list(LENGTHS)
    assert_same_episodes(RecurrentEncoder(), [record], [seen])


def test_single_environment_that_resets_itself() -> None:
    record = Record(Flicker())
    env = SlotObservation(gym.wrappers.Autoreset(record), RecurrentEncoder())
    seen = [env.reset(seed=0)[0]] + [env.step(0)[0] for _ in range(9)]
    assert len(record.episodes) == 3
    assert_same_episodes(RecurrentEncoder(), [record], [seen])


def test_same_step_encodes_final_observations_with_the_old_slots() -> None:
    envs, records = vector_env(AutoresetMode.SAME_STEP)
    wrapped = VectorSlotObservation(envs, RecurrentEncoder())
    tokens, _ = wrapped.reset(seed=1)
    seen = [[row] for row in tokens]
    num_ends = 0
    for _ in range(12):
        tokens, _, terminations, _, infos = wrapped.step(np.zeros(3, int))
        for i, row in enumerate(tokens):
            if terminations[i]:
                seen[i].append(infos["final_obs"][i])
                num_ends += 1
            seen[i].append(row)
    assert num_ends > 9
    assert_same_episodes(RecurrentEncoder(), records, seen)


def test_next_step_starts_afresh_one_step_after_the_end() -> None:
    envs, records = vector_env(AutoresetMode.NEXT_STEP)
    wrapped = VectorSlotObservation(envs, RecurrentEncoder())
    seen = [wrapped.reset(seed=1)[0]] + [wrapped.step(np.zeros(3, int))[0] for _ in range(15)]
    assert_same_episodes(RecurrentEncoder(), records, list(np.stack(seen, axis=1)))


def test_disabled_renews_the_chosen_and_leaves_the_others_alone() -> None:
    envs, records = vector_env(AutoresetMode.DISABLED)
    wrapped = VectorSlotObservation(envs, RecurrentEncoder())
    tokens, _ = wrapped.reset(seed=1)
    seen = [[row] for row in tokens]
    for _ in range(12):
        tokens, _, ended, _, _ = wrapped.step(np.zeros(3, int))
        for i, row in enumerate(tokens):
            seen[i].append(row)
        if ended.any():
            before = tokens
            tokens, _ = wrapped.reset(options={"reset_mask": ended.copy()})
            np.testing.assert_array_equal(tokens[~ended], before[~ended])
            for i in np.flatnonzero(ended):
                seen[i].append(tokens[i])
    assert_same_episodes(RecurrentEncoder(), records, seen)


def test_vector_and_single_wrappers_agree_across_processes() -> None:
    kwargs = {"autoreset_mode": AutoresetMode.SAME_STEP}
    inside = SyncVectorEnv(
        [lambda i=i: SlotObservation(Flicker(i), RecurrentEncoder()) for i in range(2)], **kwargs
    )
    outside = VectorSlotObservation(
        AsyncVectorEnv([lambda i=i: Flicker(i) for i in range(2)], **kwargs), RecurrentEncoder()
    )
    np.testing.assert_allclose(inside.reset(seed=3)[0], outside.reset(seed=3)[0], atol=1e-6)
    for _ in range(8):
        a, b = inside.step(np.zeros(2, int)), outside.step(np.zeros(2, int))
        np.testing.assert_allclose(a[0], b[0], atol=1e-6)
        for x, y in zip(a[4].get("final_obs", []), b[4].get("final_obs", []), strict=True):
            if x is not None:
                np.testing.assert_allclose(x, y, atol=1e-6)
    outside.close()


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_what_is_done_to_tokens_changes_none_that_come_later(mode: AutoresetMode) -> None:
    def play(spoils: bool) -> list[Any]:
        flickers = [lambda i=i: Flicker(i) for i in range(2)]
        envs = VectorSlotObservation(
            SyncVectorEnv(flickers, autoreset_mode=mode), RecurrentEncoder()
        )
        tokens, infos = envs.reset(seed=0)
        seen: list[Any] = []
        ended = np.zeros(2, np.bool_)
        for _ in range(12):
            finals = [each for each in infos.get("final_obs", []) if each is not None]
            seen += [each.copy() for each in (tokens, envs.last_masks, *finals)]
            for each in (tokens, envs.last_masks, envs._stream.last_frames, *finals):
                each[:] = 7 if spoils else each
            if mode is AutoresetMode.DISABLED and ended.any():
                tokens, infos = envs.reset(options={"reset_mask": ended})
                ended = np.zeros(2, np.bool_)
            else:
                tokens, _, terminations, truncations, infos = envs.step(np.zeros(2, np.int64))
                ended = terminations | truncations
        return seen

    for spoilt, intact in zip(play(True), play(False), strict=True):
        np.testing.assert_array_equal(spoilt, intact)


def test_what_is_done_to_the_tokens_of_one_environment_changes_none_either() -> None:
    def play(spoils: bool) -> list[Any]:
        env = SlotObservation(Flicker(0, lengths=(9,)), RecurrentEncoder())
        tokens, _ = env.reset(seed=0)
        seen = []
        for _ in range(6):
            seen.append(tokens.copy())
            tokens[:] = 7 if spoils else tokens
            tokens = env.step(0)[0]
        return seen

    np.testing.assert_array_equal(play(True), play(False))


def test_pickling_in_mid_episode_continues_the_same_tokens() -> None:
    env = SlotObservation(Flicker(index=2), RecurrentEncoder())
    env.reset(seed=0)
    env.step(0)
    copy = pickle.loads(pickle.dumps(env))
    np.testing.assert_allclose(env.step(0)[0], copy.step(0)[0], atol=1e-6)
    envs = VectorSlotObservation(vector_env(AutoresetMode.SAME_STEP)[0], StatelessEncoder())
    assert envs.reset(seed=0)[0].shape == (3, 1, 3)


def test_spec_makes_the_wrapped_environment_again() -> None:
    gym.register("test/Flicker-v0", Flicker)
    try:
        encoder = RecurrentEncoder()
        env = SlotObservation(gym.make("test/Flicker-v0", key="eye"), encoder, image_key="eye")
        assert env.spec is not None
        again = gym.make(env.spec)
        a, b = env.reset(seed=5)[0], again.reset(seed=5)[0]
        np.testing.assert_allclose(a["tokens"], b["tokens"], atol=1e-6)
    finally:
        gym.registry.pop("test/Flicker-v0")


def test_gradients_are_not_recorded_and_the_encoder_evaluates() -> None:
    encoder = RecurrentEncoder().train()
    env = SlotObservation(Flicker(), encoder)
    env.reset(seed=0)
    assert not encoder.training
    assert all(parameter.grad is None for parameter in encoder.parameters())
