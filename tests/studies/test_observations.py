"""What agents read: encoders that need no pretraining, and those that are trained along."""

from __future__ import annotations

from pathlib import Path

import gymnasium
import pytest
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.vec_env import VecEnv

from ocrl.checkpoints import load_encoder, read_checkpoint, save_encoder
from ocrl.errors import UsageError
from ocrl_agents.checkpoints import read_agent
from ocrl_agents.evaluation import evaluate
from ocrl_agents.extractors import (
    DeepSetsExtractor,
    MLPExtractor,
    RelationNetworkExtractor,
    TokenExtractor,
    count_parameters,
)
from ocrl_agents.finetuning import VecFrameObservation
from ocrl_studies import composition
from ocrl_studies.agent_encoder import AgentEncoder, find_encoder
from ocrl_studies.env_settings import EnvSettings
from ocrl_studies.environments import world_of
from ocrl_studies.habits import Habits
from ocrl_studies.observations import make_token_environments
from ocrl_studies.plain import plain
from ocrl_studies.stages.evaluation import load_agent
from ocrl_studies.stages.pretrain_slots import pretrain_slots
from ocrl_studies.stages.train_agent import train_agent

TINY = [
    "total_steps=128",
    "eval_every=0",
    "agent.num_envs=2",
    "agent.model.n_steps=32",
    "agent.model.batch_size=64",
    "agent.model.calibration_steps=4",
]


def compose(home: Path, *overrides: str, name: str = "train_agent") -> DictConfig:
    tiny = TINY if name == "train_agent" else []
    return composition.compose(name, [f"runs_dir={home}", *tiny, *overrides])


def played(path: Path, home: Path, condition: str = "layout") -> tuple[ActorCriticPolicy, VecEnv]:
    """Return an agent and the two environments that it plays in."""
    env = EnvSettings.of(compose(home, name="evaluate_transfer").env)
    variation = {"train": env.splits["train"], "layout": {"shift": "layout"}}[condition]
    return load_agent(path, env, variation, 2, "cpu")


def pretrained(cfg: DictConfig) -> Path:
    """Save an encoder where pretraining would have."""
    torch.manual_seed(5)
    path = Path(cfg.checkpoint)
    save_encoder(path, instantiate(cfg.encoder.model), plain(cfg.encoder.model))
    return path


@pytest.mark.parametrize("name", ["cnn", "untrained"])
def test_random_weights_come_from_the_seed_and_stay_with_the_agent(
    tmp_path: Path, name: str
) -> None:
    cfg = compose(tmp_path, f"encoder={name}")
    chosen = AgentEncoder.of(cfg)
    encoder = chosen.open()
    path = chosen.keep(encoder)
    assert path == Path(cfg.run_dir) / "encoder.safetensors"
    kept = read_checkpoint(path).weights
    for weights in (encoder.state_dict(), chosen.open().state_dict()):
        torch.testing.assert_close(weights, kept, rtol=0, atol=0)
    other = AgentEncoder.of(compose(tmp_path, f"encoder={name}", "seed=1")).open().state_dict()
    assert any(not torch.equal(other[key], kept[key]) for key in kept)


def test_training_along_starts_from_the_checkpoint_and_is_kept(tmp_path: Path) -> None:
    cfg = compose(tmp_path, "encoder=vector", "encoder.finetune=true")
    before = read_checkpoint(pretrained(cfg)).weights
    encoder, env = AgentEncoder.of(cfg).open(), EnvSettings.of(cfg.env)
    habits = Habits.read(plain(cfg), "it")
    venv = make_token_environments(env, env.splits["train"], 2, habits, encoder)
    model = instantiate(cfg.agent.model, venv, seed=0)
    start = model.policy.features_extractor.encoder.state_dict()
    torch.testing.assert_close(dict(start), before, rtol=0, atol=0)

    path = train_agent(cfg)
    torch.testing.assert_close(read_checkpoint(cfg.checkpoint).weights, before, rtol=0, atol=0)
    policy, venv = played(path, tmp_path)
    assert isinstance(venv, VecFrameObservation)
    assert venv.encoder is policy.features_extractor.encoder
    after = venv.encoder.state_dict()
    used = [key for key in before if key.startswith(("backbone.layers", "reduce", "to_vector"))]
    assert len(used) == 12
    assert not any(torch.equal(before[key], after[key]) for key in used)


def test_frozen_random_slots_are_the_same_after_training(tmp_path: Path) -> None:
    cfg = compose(tmp_path, "encoder=untrained")
    before = AgentEncoder.of(cfg).open().state_dict()
    path = train_agent(cfg)
    _, venv = played(path, tmp_path)
    torch.testing.assert_close(venv.stream.encoder.state_dict(), before, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("name", "advice"),
    [("cnn", "train_agent.py .*encoder=cnn"), ("ground_truth", "nothing to pretrain")],
)
def test_nothing_to_pretrain_is_one_line(tmp_path: Path, name: str, advice: str) -> None:
    cfg = compose(tmp_path, f"encoder={name}", name="pretrain_slots")
    with pytest.raises(UsageError, match=advice):
        pretrain_slots(cfg)
    assert not Path(cfg.run_dir).exists()


def test_another_encoder_is_refused(tmp_path: Path) -> None:
    path = pretrained(compose(tmp_path, "encoder=vector"))
    assert load_encoder(path).num_tokens == 1
    with pytest.raises(UsageError, match="is a vector, encoder=grid is a grid"):
        AgentEncoder.of(compose(tmp_path, "encoder=grid", f"checkpoint='{path}'")).open()


def test_the_truth_needs_no_encoder_and_is_played_with_alone(tmp_path: Path) -> None:
    cfg = compose(tmp_path, "encoder=ground_truth")
    path = train_agent(cfg)
    assert read_agent(path).encoder is None
    policy, venv = played(path, tmp_path)
    assert venv.observation_space.shape == (7, 32)
    (episode,) = evaluate(policy, venv, [4], options=[{"layout": 0}])
    assert episode.length * cfg.env.action_repeat == 900
    elsewhere = compose(tmp_path, "encoder=ground_truth", "env=custom", "env.id=CartPole-v1")
    with pytest.raises(UsageError, match="simulator=maze"):
        train_agent(elsewhere)
    along = compose(tmp_path, "encoder=ground_truth", "encoder.finetune=true")
    with pytest.raises(UsageError, match="no weights to train along"):
        train_agent(along)
    placed = compose(tmp_path, "encoder=ground_truth", "encoder.positions=true")
    with pytest.raises(UsageError, match="no masks to take positions from"):
        train_agent(placed)


def test_shuffled_slots_are_those_of_the_pretrained_encoder(tmp_path: Path) -> None:
    cfg = compose(tmp_path, "encoder=shuffled")
    with pytest.raises(UsageError, match="env=nav_maze_1 encoder=slotcontrast"):
        find_encoder(cfg)
    ordered = load_encoder(pretrained(compose(tmp_path, "encoder=slotcontrast")))
    path = train_agent(cfg)
    shuffled = load_encoder(str(read_agent(path).encoder))
    videos = torch.randint(0, 256, (2, 3, 64, 64, 3), dtype=torch.uint8)
    expected, tokens = (e.encode_video(videos).tokens for e in (ordered, shuffled))
    torch.testing.assert_close(tokens.sort(2).values, expected.sort(2).values)
    assert not torch.equal(tokens, expected)


@pytest.mark.parametrize("finetune", [False, True])
def test_agents_read_positions_beside_the_pretrained_slots(tmp_path: Path, finetune: bool) -> None:
    cfg = compose(tmp_path, "encoder=slotcontrast_positions", f"encoder.finetune={finetune}")
    alone = load_encoder(pretrained(compose(tmp_path, "encoder=slotcontrast")))
    path = train_agent(cfg)
    assert path.parent == tmp_path / "agent/nav_maze_1/slotcontrast_positions/seed=0"
    _, venv = played(path, tmp_path)
    if finetune:
        assert venv.encoder.token_dim == 69
        return
    frames = torch.zeros(2, 64, 64, 3, dtype=torch.uint8)
    tokens = venv.stream.encoder.step(frames, None, torch.ones(2) > 0).tokens
    torch.testing.assert_close(tokens[..., :64], alone.step(frames, None, torch.ones(2) > 0).tokens)
    assert (tokens[..., -1].sum(1) - 1).abs().max() < 1e-5  # areas


def test_positions_are_told_before_slots_are_shuffled(tmp_path: Path) -> None:
    pretrained(compose(tmp_path, "encoder=slotcontrast"))
    cfg = compose(tmp_path, "encoder=shuffled", "encoder.positions=true")
    chosen = AgentEncoder.of(cfg)
    encoder = chosen.open()
    assert encoder.token_dim == 69
    assert load_encoder(chosen.keep(encoder)).token_dim == 69


@pytest.mark.parametrize(
    ("encoder", "pooling", "kind"),
    [
        ("cnn", "mlp", MLPExtractor),
        ("untrained", "deep_sets", DeepSetsExtractor),
        ("ground_truth", "relation_network", RelationNetworkExtractor),
    ],
)
def test_any_pooling_reads_any_tokens_and_the_previous_step(
    tmp_path: Path, encoder: str, pooling: str, kind: type[TokenExtractor]
) -> None:
    chosen = [f"encoder={encoder}", f"agent/extractor={pooling}", "agent.previous_step=true"]
    path = train_agent(compose(tmp_path, *chosen))
    policy, venv = played(path, tmp_path, "train")
    reader = policy.features_extractor
    assert isinstance(reader.reader if encoder == "cnn" else reader, kind)
    observations = venv.reset()
    assert not observations["previous_action"].any()
    observations, *_ = venv.step(policy.predict(observations)[0])
    assert (observations["previous_action"].sum(1) == 1).all()


def test_poolings_are_of_one_size(tmp_path: Path) -> None:
    space = gymnasium.spaces.Box(-1, 1, (7, 64))
    sizes = {}
    for name in ("transformer", "mlp", "deep_sets", "relation_network"):
        model = compose(tmp_path, f"agent/extractor={name}").agent.model
        extractor = instantiate(model.extractor)(space, **model.extractor_kwargs)
        sizes[type(extractor)] = count_parameters(extractor)
    assert len(sizes) == 4
    assert max(sizes.values()) < 1.02 * min(sizes.values())


def test_an_agent_holds_its_actions_and_feels_its_velocity_wherever_it_plays(
    tmp_path: Path,
) -> None:
    chosen = ["encoder=untrained", "env.action_repeat=2", "env.velocity=true"]
    path = train_agent(compose(tmp_path, *chosen))
    _, venv = played(path, tmp_path)
    assert venv.observation_space["velocity"].shape == (3,)
    assert world_of(venv).simulation.action_repeat == 2
