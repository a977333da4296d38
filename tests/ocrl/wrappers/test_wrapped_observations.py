"""What wrapped environments show, one frame at a time."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from flickering import (
    SIZE,
    Flicker,
    RecurrentEncoder,
    StatelessEncoder,
    vector_env,
)
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from ocrl.errors import UsageError
from ocrl.wrappers import SlotObservation, VectorSlotObservation
from ocrl.wrappers.precision import choose_precision
from ocrl.wrappers.token_stream import TokenStream
from ocrl.zoo import create_encoder


def test_infos_hold_neither_frames_nor_masks() -> None:
    envs, _ = vector_env(AutoresetMode.SAME_STEP)
    wrapped = VectorSlotObservation(envs, RecurrentEncoder())
    wrapped.reset(seed=0)
    for _ in range(5):
        infos = wrapped.step(np.zeros(3, int))[4]
        finals = [final for final in infos.pop("final_obs", []) if final is not None]
        assert all(final.shape == (3, 4) for final in finals)
        assert set(infos) <= {"time", "_time", "final_info", "_final_info", "_final_obs"}


def test_masks_of_the_last_frame() -> None:
    env = SlotObservation(Flicker(), RecurrentEncoder())
    assert env.last_masks is None
    env.reset(seed=0)
    first = env.last_masks
    env.step(0)
    assert first is not None
    assert env.last_masks is not None
    assert first.shape == (3, 2, 2)
    np.testing.assert_allclose(first.sum(0), 1, atol=1e-6)
    assert not np.allclose(first, env.last_masks)

    vector = VectorSlotObservation(vector_env(AutoresetMode.SAME_STEP)[0], RecurrentEncoder())
    vector.reset(seed=0)
    vector.step(np.zeros(3, int))
    masks = vector.last_masks
    assert masks is not None
    assert masks.shape == (3, 3, 2, 2)


def test_stateless_encoder_without_masks() -> None:
    envs, records = vector_env(AutoresetMode.SAME_STEP)
    wrapped = VectorSlotObservation(envs, StatelessEncoder())
    wrapped.reset(seed=0)
    tokens, *_ = wrapped.step(np.zeros(3, int))
    assert wrapped.last_masks is None
    frames = [record.episodes[-1][-1] for record in records]
    np.testing.assert_allclose(tokens[:, 0], np.mean(frames, (1, 2)) / 255, atol=1e-6)


def test_frames_are_resized_with_antialiasing() -> None:
    env = SlotObservation(Flicker(shape=(40, 24, 3)), RecurrentEncoder())
    assert env.reset(seed=0)[0].shape == (3, 4)
    stream = TokenStream(RecurrentEncoder(), gym.spaces.Box(0, 255, (64, 64, 3), np.uint8), 1)
    # one white line among black ones must not fall between the samples
    line = np.zeros((1, 64, 64, 3), np.uint8)
    line[:, 5] = 255
    frames = stream.frames(line)
    assert frames.shape == (1, *SIZE, 3)
    assert frames.float().mean() == pytest.approx(255 / 64, rel=0.2)


def test_dict_observation_keeps_its_other_keys() -> None:
    env = SlotObservation(Flicker(key="pixels"), RecurrentEncoder(), image_key="pixels")
    assert set(env.observation_space.spaces) == {"tokens", "speed"}
    env.reset(seed=0)
    observation, *_ = env.step(0)
    assert observation in env.observation_space
    np.testing.assert_allclose(observation["speed"], 0.1)

    envs = SyncVectorEnv(
        [lambda i=i: Flicker(i, key="pixels") for i in range(2)],
        autoreset_mode=AutoresetMode.SAME_STEP,
    )
    wrapped = VectorSlotObservation(envs, RecurrentEncoder())
    wrapped.reset(seed=0)
    observations, _, ended, _, infos = wrapped.step(np.zeros(2, int))
    assert observations in wrapped.observation_space
    assert ended.tolist() == [False, True]
    assert infos["final_obs"][1] in wrapped.single_observation_space
    np.testing.assert_allclose(infos["final_obs"][1]["speed"], 0.1)


def test_half_precision() -> None:
    single, half = (
        SlotObservation(Flicker(), RecurrentEncoder(), dtype=dtype)
        for dtype in ("float32", "float16")
    )
    a, b = single.reset(seed=0)[0], half.reset(seed=0)[0]
    assert b.dtype == np.float16
    assert half.observation_space.contains(b)
    np.testing.assert_allclose(a, b, atol=1e-3)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_bfloat16_gives_nearly_the_same_tokens_and_carries_float32() -> None:
    torch.manual_seed(0)
    encoder = create_encoder("slotcontrast", num_slots=4, slot_dim=16, recurrent=True)
    space = gym.spaces.Box(0, 255, (64, 64, 3), np.uint8)
    frames = np.random.default_rng(0).integers(0, 256, (6, 4, 64, 64, 3), dtype=np.uint8)
    running = np.zeros(4, np.bool_)
    seen = {}
    for precision in ("float32", "bfloat16"):
        stream = TokenStream(encoder, space, 4, precision=precision)
        stream.reset(frames[0])
        seen[precision] = np.stack([stream.step(f, running)[0] for f in frames[1:]])
        assert seen[precision].dtype == np.float32
        assert stream.state is not None
        assert stream.state.dtype == torch.float32
    exact, rounded = seen.values()
    assert 0 < np.linalg.norm(rounded - exact) < 0.02 * np.linalg.norm(exact)


def test_precision_is_that_of_the_hardware_or_an_error() -> None:
    cpu = torch.device("cpu")
    native = torch.cpu.get_capabilities().get("avx512_bf16", False)
    assert choose_precision("auto", cpu) == ("bfloat16" if native else "float32")
    assert choose_precision("bfloat16", cpu) == "bfloat16"
    with pytest.raises(UsageError, match="one of auto, float32, bfloat16"):
        choose_precision("float16", cpu)


def test_passes_check_env() -> None:
    for key in ("", "pixels"):
        env = SlotObservation(Flicker(key=key, lengths=(3,)), RecurrentEncoder())
        check_env(env, skip_render_check=True)


@pytest.mark.parametrize(
    ("space", "advice"),
    [
        (gym.spaces.Box(0, 255, (8, 8), np.uint8), "grayscale"),
        (gym.spaces.Box(0, 255, (8, 8, 1), np.uint8), "grayscale"),
        (gym.spaces.Box(0, 255, (8, 8, 12), np.uint8), "stacked"),
        (gym.spaces.Box(0, 255, (4, 8, 8, 3), np.uint8), "stacked"),
        (gym.spaces.Box(0, 255, (3, 8, 8), np.uint8), "channels come first"),
        (gym.spaces.Box(0, 1, (8, 8, 3), np.float32), "uint8"),
        (gym.spaces.Box(0, 255, (8, 8, 4), np.uint8), "three channels"),
        (gym.spaces.Box(0, 1, (7,), np.float32), "show an image"),
        (gym.spaces.Discrete(4), "show an image"),
    ],
)
def test_refuses_what_is_not_an_rgb_image(space: gym.Space[Any], advice: str) -> None:
    env = Flicker()
    env.observation_space = space
    with pytest.raises(UsageError, match=advice) as error:
        SlotObservation(env, RecurrentEncoder())
    assert "\n" not in str(error.value)


def test_refuses_unclear_keys_and_modes() -> None:
    encoder = RecurrentEncoder()
    two = Flicker(key="left")
    two.observation_space = gym.spaces.Dict({"left": two.image, "right": two.image})
    with pytest.raises(UsageError, match="2 RGB images"):
        SlotObservation(two, encoder)
    with pytest.raises(UsageError, match="no 'middle'"):
        SlotObservation(two, encoder, image_key="middle")
    with pytest.raises(UsageError, match="leave image_key out"):
        SlotObservation(Flicker(), encoder, image_key="left")
    with pytest.raises(UsageError, match="float16"):
        SlotObservation(Flicker(), encoder, dtype="int8")
    envs, _ = vector_env(AutoresetMode.SAME_STEP)
    envs.metadata = {}
    with pytest.raises(UsageError, match="autoreset_mode"):
        VectorSlotObservation(envs, encoder)
    with pytest.raises(UsageError, match="before reset"):
        SlotObservation(Flicker(), encoder).step(0)


def test_refuses_tokens_that_are_not_finite() -> None:
    encoder = RecurrentEncoder()
    with torch.no_grad():
        encoder.mix.fill_(float("nan"))
    with pytest.raises(UsageError, match="NaN"):
        SlotObservation(Flicker(), encoder).reset(seed=0)
