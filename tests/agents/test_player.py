"""An agent alone does, frame by frame, what it does in the environments of its training."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gymnasium as gym
import huggingface_hub
import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv

import ocrl
import ocrl_agents
from ocrl.checkpoints import hub as encoder_hub
from ocrl.checkpoints import sha256
from ocrl.errors import UsageError
from ocrl_agents import hub
from ocrl_agents.checkpoints import save_agent
from ocrl_agents.evaluation import actor_of
from ocrl_agents.finetuning import VecFrameObservation
from ocrl_agents.place_memory import VecPlaceMemory
from ocrl_agents.previous_step import VecPreviousStep
from ocrl_agents.spaces import build_space, describe_space
from ocrl_agents.training import make_ppo
from ocrl_agents.vec_env import VecSlotObservation, set_seeds


class Moving(gym.Env[Any, Any]):
    """Random frames beside a velocity; episodes of 3 steps."""

    def __init__(self) -> None:
        frame = spaces.Box(0, 255, (20, 24, 3), np.uint8)
        self.observation_space = spaces.Dict(
            {"frame": frame, "velocity": spaces.Box(-1, 1, (2,)), "pose": spaces.Box(-1, 1, (4,))}
        )
        self.action_space = spaces.Discrete(5)

    def _observe(self) -> Any:
        return {key: space.sample() for key, space in self.observation_space.spaces.items()}

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        if seed is not None:
            self.observation_space.seed(seed)
        self.time = 0
        return self._observe(), {}

    def step(self, action: Any) -> Any:
        self.time += 1
        return self._observe(), float(action), self.time == 3, False, {}


class Still(gym.ObservationWrapper[Any, Any, Any]):
    """The frames alone."""

    def __init__(self) -> None:
        super().__init__(Moving())
        self.observation_space = self.env.observation_space["frame"]

    def observation(self, observation: Any) -> Any:
        return observation["frame"]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("encoder") / "encoder.safetensors"
    torch.manual_seed(0)
    model = ocrl.create_encoder("slotcontrast", image_size=(16, 16), num_slots=3, recurrent=True)
    ocrl.save_encoder(path, model, metadata={"scores": {"slotcontrast": {"ari": 0.5}}})
    return path


def worlds(kind: type[gym.Env[Any, Any]], num_envs: int = 2) -> DummyVecEnv:
    return DummyVecEnv([kind] * num_envs)


VARIANTS = {
    "slots": lambda path: VecSlotObservation(worlds(Still), path),
    "velocity": lambda path: VecSlotObservation(worlds(Moving), path),
    "previous step": lambda path: VecPreviousStep(VecSlotObservation(worlds(Moving), path)),
    "places": lambda path: VecPlaceMemory(VecSlotObservation(worlds(Moving), path), 3),
    "finetuned": lambda path: VecFrameObservation(worlds(Moving), ocrl.load_encoder(path)),
}


def saved(path: Path, encoder: Path, variant: str = "slots", lstm_dim: int = 0) -> VecEnv:
    venv: VecEnv = VARIANTS[variant](encoder)
    model = make_ppo(venv, seed=0, n_steps=8, batch_size=16, lstm_dim=lstm_dim)
    save_agent(path, model, encoder=encoder, notes={"env": {"id": "Moving-v0"}})
    return venv


@pytest.mark.parametrize("lstm_dim", [0, 4], ids=["", "memory"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_an_agent_alone_does_what_it_does_in_its_environments(
    tmp_path: Path, encoder: Path, variant: str, lstm_dim: int
) -> None:
    path = tmp_path / "last.safetensors"
    venv = saved(path, encoder, variant, lstm_dim)
    plain = worlds(Still if variant == "slots" else Moving)
    agent = ocrl_agents.load_agent(path, num_envs=2)
    reference = actor_of(agent.policy, 2, True)
    for each in (venv, plain):
        set_seeds(each, [3, 4])
    seen, frames = venv.reset(), plain.reset()
    starts, rewards = np.ones(2, np.bool_), np.zeros(2)
    chosen = []
    for _ in range(8):
        expected = reference(seen, starts)
        np.testing.assert_array_equal(
            agent.act(frames, rewards, starts, deterministic=True), expected
        )
        seen, _, starts, _ = venv.step(expected)
        frames, rewards, _, _ = plain.step(expected)
        chosen.append(expected)
    assert len(np.unique(chosen)) > 1
    assert agent.action_space == spaces.Discrete(5)


def test_an_episode_does_not_depend_on_the_one_before(tmp_path: Path, encoder: Path) -> None:
    path = tmp_path / "last.safetensors"
    saved(path, encoder, lstm_dim=4)
    agent = ocrl_agents.load_agent(path)
    frames = np.random.default_rng(0).integers(0, 256, (6, 50, 40, 3), np.uint8)

    def play() -> list[Any]:
        agent.predict(frames[0], deterministic=True)
        memories = [agent._memory]
        for frame in frames[1:]:
            agent.predict(frame, deterministic=True)
            memories.append(agent._memory)
        return [memory for (memory,) in memories]

    first = play()
    went_on = play()
    agent.reset()
    again = play()
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first[0], went_on[0])


def test_the_encoder_is_found_beside_a_file_that_was_moved(tmp_path: Path, encoder: Path) -> None:
    made = tmp_path / "made" / "last.safetensors"
    made.parent.mkdir()
    own = tmp_path / "encoders" / "mine.safetensors"
    own.parent.mkdir()
    shutil.copy(encoder, own)
    saved(made, own)
    moved = tmp_path / "else" / "where" / "agent.safetensors"
    moved.parent.mkdir(parents=True)
    made.rename(moved)
    with pytest.raises(UsageError, match="no encoder at"):
        ocrl_agents.load_agent(moved)
    own.rename(moved.parent / "encoder.safetensors")
    ocrl_agents.load_agent(moved).predict(np.zeros((8, 8, 3), np.uint8))


def test_the_wrong_number_of_observations_is_one_line(tmp_path: Path, encoder: Path) -> None:
    path = tmp_path / "last.safetensors"
    saved(path, encoder)
    agent = ocrl_agents.load_agent(path, num_envs=2)
    with pytest.raises(UsageError, match=r"2 environments.*num_envs="):
        agent.act(np.zeros((3, 8, 8, 3), np.uint8))


@pytest.fixture
def hub_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand for the hub: a folder for each repository."""
    root = tmp_path / "hub"

    def create_repo(self: Any, repository: str, **others: Any) -> str:
        (root / repository).mkdir(parents=True, exist_ok=True)
        return f"https://huggingface.co/{repository}"

    def upload_folder(self: Any, *, repo_id: str, folder_path: str) -> SimpleNamespace:
        shutil.copytree(folder_path, root / repo_id, dirs_exist_ok=True)
        return SimpleNamespace(oid="c0ffee")

    def snapshot_download(repository: str, revision: str | None, allow_patterns: list[str]) -> str:
        if not (root / repository).exists() or revision not in (None, "c0ffee"):
            raise FileNotFoundError(repository)
        return str(root / repository)

    monkeypatch.setattr(huggingface_hub.HfApi, "create_repo", create_repo)
    monkeypatch.setattr(huggingface_hub.HfApi, "upload_folder", upload_folder)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    return root


def test_an_encoder_goes_to_the_hub_and_back(hub_folder: Path, encoder: Path) -> None:
    address = encoder_hub.push_to_hub(encoder, "me/slots")
    assert address == "https://huggingface.co/me/slots/tree/c0ffee"
    text = (hub_folder / "me/slots/README.md").read_text()
    hashed = sha256(encoder)
    assert f'from_pretrained("me/slots", sha256="{hashed}")' in text
    assert "| slotcontrast | 0.5 |" in text
    assert '"num_slots": 3' in text
    for source in ("me/slots", hub_folder / "me/slots"):
        assert encoder_hub.from_pretrained(source).num_tokens == 3
    with pytest.raises(UsageError, match="could not be fetched"):
        encoder_hub.from_pretrained("me/nothing")
    pinned = encoder_hub.from_pretrained("me/slots", revision="c0ffee", sha256=hashed)
    assert pinned.num_tokens == 3
    with pytest.raises(UsageError, match="revision f00 of me/slots"):
        encoder_hub.from_pretrained("me/slots", revision="f00")
    with pytest.raises(UsageError, match="without revisions"):
        encoder_hub.from_pretrained(hub_folder / "me/slots", revision="c0ffee")
    with pytest.raises(UsageError, match="is not the file that is meant"):
        encoder_hub.from_pretrained("me/slots", sha256="0" * 64)


def test_an_agent_goes_to_the_hub_with_its_encoder(
    hub_folder: Path, encoder: Path, tmp_path: Path
) -> None:
    path, video = tmp_path / "last.safetensors", tmp_path / "film.mp4"
    saved(path, encoder)
    video.write_bytes(b"film")
    hub.push_to_hub(path, "me/agent", video=video)
    folder = hub_folder / "me/agent"
    assert {file.name for file in folder.iterdir()} == {
        "README.md",
        "agent.mp4",
        "agent.safetensors",
        "encoder.safetensors",
    }
    assert "Moving-v0" in (folder / "README.md").read_text()
    with pytest.raises(UsageError, match="is not the file that is meant"):
        hub.from_pretrained("me/agent", sha256=sha256(encoder))
    agent = hub.from_pretrained("me/agent", revision="c0ffee", sha256=sha256(path))
    action = agent.predict(np.zeros((8, 8, 3), np.uint8))
    assert action in spaces.Discrete(5)


@pytest.mark.parametrize(
    "space",
    [
        spaces.Discrete(3, start=-1),
        spaces.MultiDiscrete([2, 3]),
        spaces.MultiBinary(4),
        spaces.MultiBinary([2, 2]),
        spaces.Box(np.array([-1.0, 0.0], np.float32), np.array([1.0, np.inf], np.float32)),
        spaces.Box(0, 255, (4, 4, 3), np.uint8),
        spaces.Dict({"a": spaces.Box(-np.inf, np.inf, (2, 3)), "b": spaces.Discrete(2)}),
    ],
)
def test_spaces_are_the_same_from_a_file(space: spaces.Space[Any]) -> None:
    assert build_space(describe_space(space)) == space
