"""The wrappers against a reference that encodes every episode on its own, as one video."""

from __future__ import annotations

import pickle
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv
from torch import Tensor

from ocrl.encoder import Encoder, EncoderOutput
from ocrl.errors import UsageError
from ocrl.wrappers import SlotObservation, VectorSlotObservation
from ocrl.wrappers.precision import choose_precision
from ocrl.wrappers.token_stream import TokenStream
from ocrl.zoo import create_encoder

SIZE = (8, 8)
LENGTHS = (3, 1, 5, 2)


class RecurrentEncoder(Encoder):
    """Tokens depend on every frame since the last first one, and on their order."""

    def __init__(self, num_tokens: int = 3, token_dim: int = 4) -> None:
        super().__init__()
        self.num_tokens, self.token_dim, self.image_size = num_tokens, token_dim, SIZE
        generator = torch.Generator().manual_seed(0)
        scale = 1.5 / (SIZE[0] * SIZE[1] * 3) ** 0.5
        weights = torch.randn(SIZE[0] * SIZE[1] * 3, num_tokens * token_dim, generator=generator)
        self.project = torch.nn.Parameter(scale * weights)
        self.mix = torch.nn.Parameter(torch.randn(token_dim, token_dim, generator=generator))

    def initial_state(self, batch_size: int) -> Tensor:
        return torch.full((batch_size, self.num_tokens, self.token_dim), 0.25)

    def step(self, frames: Tensor, state: Tensor | None, is_first: Tensor) -> EncoderOutput:
        self.check_frames(frames)
        assert state is not None
        state = torch.where(is_first[:, None, None], self.initial_state(len(frames)), state)
        seen = (frames.flatten(1).float() / 255) @ self.project
        tokens = torch.tanh(state @ self.mix + seen.unflatten(1, (self.num_tokens, -1)))
        masks = torch.softmax(tokens.mean(-1), dim=1)[:, :, None, None].expand(-1, -1, 2, 2)
        return EncoderOutput(tokens=tokens, masks=masks, state=tokens)


class StatelessEncoder(Encoder):
    """A single vector of colour means; carries nothing and looks nowhere."""

    num_tokens, token_dim, image_size = 1, 3, SIZE

    def step(self, frames: Tensor, state: Tensor | None, is_first: Tensor) -> EncoderOutput:
        assert state is None
        return EncoderOutput(frames.float().mean((1, 2))[:, None] / 255, masks=None, state=None)


class Flicker(gym.Env[Any, Any]):
    """Random frames; the episodes of environment `index` have the lengths LENGTHS[index:]."""

    def __init__(
        self,
        index: int = 0,
        shape: tuple[int, ...] = (*SIZE, 3),
        key: str = "",
        lengths: tuple[int, ...] = LENGTHS,
    ) -> None:
        image = gym.spaces.Box(0, 255, shape, np.uint8)
        self.key, self.lengths = key, lengths
        self.observation_space = (
            gym.spaces.Dict({key: image, "speed": gym.spaces.Box(-1, 1, (2,), np.float32)})
            if key
            else image
        )
        self.action_space = gym.spaces.Discrete(2)
        self.image, self.episode, self.time = image, index - 1, 0

    def _observe(self) -> Any:
        frame = self.np_random.integers(0, 256, self.image.shape, dtype=np.uint8)
        if not self.key:
            return frame
        return {self.key: frame, "speed": np.full(2, self.time / 10, np.float32)}

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        self.episode, self.time = self.episode + 1, 0
        return self._observe(), {}

    def step(self, action: Any) -> Any:
        self.time += 1
        ended = self.time >= self.lengths[self.episode % len(self.lengths)]
        return self._observe(), float(self.time), ended, False, {"time": self.time}


class Record(gym.Wrapper[Any, Any, Any, Any]):
    """Keeps the frames of every episode, as the reference is to see them."""

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        super().__init__(env)
        self.episodes: list[list[Any]] = []

    def reset(self, **kwargs: Any) -> Any:
        observation, info = self.env.reset(**kwargs)
        self.episodes.append([observation])
        return observation, info

    def step(self, action: Any) -> Any:
        result = self.env.step(action)
        self.episodes[-1].append(result[0])
        return result


def reference(encoder: Encoder, episode: list[Any]) -> Any:
    """Encode one episode on its own."""
    return encoder.encode_video(torch.from_numpy(np.stack(episode))[None]).tokens[0].detach()


def vector_env(mode: AutoresetMode, num_envs: int = 3) -> tuple[SyncVectorEnv, list[Record]]:
    records = [Record(Flicker(i)) for i in range(num_envs)]
    envs = SyncVectorEnv([lambda r=r: r for r in records], autoreset_mode=mode)
    return envs, records


def assert_same_episodes(encoder: Encoder, records: list[Record], seen: list[list[Any]]) -> None:
    """`seen[i]` are the tokens of environment i in order, terminal ones included."""
    for record, tokens in zip(records, seen, strict=True):
        expected = torch.cat([reference(encoder, episode) for episode in record.episodes])
        torch.testing.assert_close(torch.from_numpy(np.stack(tokens)), expected[: len(tokens)])


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
