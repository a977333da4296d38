"""Commands take encoders and poolings of one's own once their package is trusted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import Tensor

import ocrl
from ocrl import Encoder, EncoderOutput, UsageError
from ocrl_studies.composition import compose
from ocrl_studies.encoders import make_encoder
from ocrl_studies.stages.record_video import film_agent
from ocrl_studies.stages.train_agent import train_agent
from ocrl_studies.transfer.evaluation import PLAYED, check_encoders, find_agents, make_agent
from ocrl_studies.transfer.plan import Agent, Evaluation, by_hash
from ocrl_studies.transfer.playing import play_agent
from ocrl_studies.trust import load_trusted

OWN = [
    "encoder=custom",
    "encoder.name=own",
    "encoder.image_size=[16,16]",
    f"encoder.model._target_={__name__}.Own",
    "+encoder.model.scale=5",
]


class Own(Encoder):
    num_tokens, token_dim = 1, 3

    def __init__(self, image_size: list[int], scale: int) -> None:
        super().__init__()
        self.image_size = (image_size[0], image_size[1])
        self.scale = torch.nn.Parameter(torch.full((), float(scale)))

    def step(self, frames: Tensor, state: Tensor | None, is_first: Tensor) -> EncoderOutput:
        return EncoderOutput(frames.float().mean((1, 2)).unsqueeze(1) * self.scale, None, None)


class Pool(BaseFeaturesExtractor):
    def __init__(self, observation_space: spaces.Box) -> None:
        super().__init__(observation_space, features_dim=observation_space.shape[-1])

    def forward(self, tokens: Tensor) -> Tensor:
        return tokens.amax(1)


class Glow(gymnasium.Env[Any, Any]):
    """A frame of one colour, three steps long."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 15}  # noqa: RUF012

    def __init__(self, render_mode: str | None = None) -> None:
        self.render_mode = render_mode
        self.observation_space = spaces.Box(0, 255, (16, 16, 3), np.uint8)
        self.action_space = spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        self.time = 0
        return self.render(), {}

    def step(self, action: int) -> Any:
        self.time += 1
        return self.render(), float(action), self.time == 3, False, {}

    def render(self) -> Any:
        return np.full((16, 16, 3), 60 * self.time, np.uint8)


gymnasium.register("test/Glow-v0", Glow)


def config(home: Path, name: str, *overrides: str, trusted: str = __name__) -> DictConfig:
    world = ["env=custom", "env.id=test/Glow-v0", "env.vectorization=sync"]
    return compose(name, [*world, f"runs_dir={home}", f"trusted=[{trusted}]", *overrides])


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the runs of an agent with an encoder and a pooling of one's own."""
    home = tmp_path_factory.mktemp("runs")
    small = ["agent.num_envs=2", "agent.model.n_steps=8", "total_steps=16", "eval_every=0"]
    pool = [f"agent.model.extractor.path={__name__}.Pool", "agent.model.extractor_kwargs=null"]
    path = home / "encoder.safetensors"
    cfg = config(home, "train_agent", *OWN, *small, *pool, f"checkpoint={path}")
    model = OmegaConf.to_container(cfg.encoder.model, resolve=True)
    ocrl.save_encoder(path, instantiate(cfg.encoder.model), model)
    train_agent(cfg)
    return home


def the_agent(home: Path) -> Agent:
    ((run_dir, trained),) = find_agents(home / "agent/test-Glow-v0").items()
    return make_agent(run_dir, trained, home / "report")


def evaluation(home: Path, *overrides: str, **kwargs: Any) -> Evaluation:
    small = ["num_envs=1", "episodes=2", "conditions=custom"]
    cfg = config(home, "evaluate_transfer", *small, *overrides, **kwargs)
    return Evaluation.of(cfg, PLAYED)


def test_a_file_is_loaded_once_its_class_is_trusted(home: Path) -> None:
    path = home / "encoder.safetensors"
    with pytest.raises(UsageError, match="trusted="):
        load_trusted(path, ())
    loaded = load_trusted(path, [__name__])
    assert isinstance(loaded, Own)
    assert loaded.image_size == (16, 16)


def make_own(image_size: list[int], scale: int) -> Own:
    return Own(image_size, scale)


Alias = type("Alias", (Own,), {"__module__": "elsewhere"})


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("make_own", {"scale": 1}, "is no class of encoders: name the class itself"),
        ("Alias", {"scale": 1}, "is defined elsewhere: name it elsewhere.Alias"),
        ("Nothing", {}, "cannot be imported"),
        ("Own", {"size": 1}, "unexpected keyword argument 'size'"),
    ],
)
def test_what_no_file_could_name_is_refused_in_one_line(
    name: str, arguments: dict[str, int], message: str
) -> None:
    model = {"_target_": f"{__name__}.{name}", "image_size": [16, 16], **arguments}
    with pytest.raises(UsageError, match=message) as error:
        make_encoder(model)
    assert "\n" not in str(error.value)


def test_an_agent_with_it_plays(home: Path) -> None:
    agent = the_agent(home)
    with pytest.raises(UsageError, match="trusted="):
        play_agent(agent, evaluation(home, trusted=""), "test")
    play_agent(agent, evaluation(home), "test")
    assert agent.episodes("test").exists()


def test_an_agent_with_it_is_filmed(home: Path) -> None:
    agent = the_agent(home)
    video = film_agent(config(home, "record_video", f"checkpoint='{agent.checkpoint}'", "steps=3"))
    assert len(video) == 3


def test_an_encoder_is_found_where_it_is_said_to_be(home: Path) -> None:
    """And nowhere else is one that agents were not trained with."""
    elsewhere = home / "elsewhere.safetensors"
    (home / "encoder.safetensors").rename(elsewhere)
    with pytest.raises(UsageError, match="there is no encoder at"):
        play_agent(the_agent(home), evaluation(home), "test")
    moved = evaluation(home, f"encoder_checkpoint='{elsewhere}'")
    study = config(home, "transfer_study", f"encoder_checkpoint=['{elsewhere}']")
    assert by_hash(study.encoder_checkpoint) == moved.encoders
    agent = the_agent(home)
    assert moved.encoder_of(agent.checkpoint) == elsewhere
    check_encoders(moved.encoders, [agent.run_dir])
    play_agent(agent, moved, "train")
    elsewhere.rename(home / "encoder.safetensors")
    other = home / "other.safetensors"
    ocrl.save_encoder(other, Own([16, 16], 2), {"_target_": f"{__name__}.Own"})
    with pytest.raises(UsageError, match="no agent was trained with"):
        check_encoders(by_hash([str(other)]), [agent.run_dir])
