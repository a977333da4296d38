"""What an agent reads: the only place where environments and encoders meet."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from gymnasium.vector import AutoresetMode, VectorEnv
from hydra.utils import instantiate
from numpy.typing import NDArray
from omegaconf import DictConfig, OmegaConf
from stable_baselines3.common.vec_env import VecEnv

from ocrl.checkpoints import builder, read_checkpoint, save_encoder
from ocrl.checkpoints.building import class_path
from ocrl.encoder import Encoder
from ocrl.encoders.positions import TokenPositions
from ocrl.errors import UsageError
from ocrl_agents.finetuning import VecFrameObservation
from ocrl_agents.ground_truth import GroundTruthObservation
from ocrl_agents.previous_step import VecPreviousStep
from ocrl_agents.vec_env import GymnasiumVecEnv, VecSlotObservation
from ocrl_envs.protocols import HasTokens
from ocrl_studies.encoders import make_encoder
from ocrl_studies.environments import make_environments, settings
from ocrl_studies.habits import Habits
from ocrl_studies.runs import find_checkpoint
from ocrl_studies.trust import load_trusted

ENCODER = "encoder.safetensors"
"""An agent's own encoder, in its folder, where it is not simply one that was pretrained."""


def make_token_environments(
    env: DictConfig,
    variation: DictConfig,
    num_envs: int,
    habits: Habits,
    encoder: Encoder | None,
) -> VecEnv:
    """Build a batch of one variation of an environment that shows what an agent reads.

    Args:
        env: as `ocrl_studies.environments.make_environments` takes it.
        variation: likewise.
        num_envs: size of the batch.
        habits: of the agent.
        encoder: what gives it tokens; None: the simulator does.
    """
    own: dict[Any, Any] = habits.of_world(env)
    arguments = {key: value for key, value in own.items() if key in env.kwargs}
    env = cast(DictConfig, OmegaConf.merge(env, {**own, "kwargs": arguments}))
    venv: VecEnv
    if encoder is None:
        silent = make_environments(env, variation, num_envs, AutoresetMode.DISABLED)
        world: Any = silent.unwrapped
        if isinstance(world, HasTokens):
            world.draws = False
        venv = GymnasiumVecEnv(GroundTruthObservation(silent, truth_tokens))
    else:
        frames = GymnasiumVecEnv(make_environments(env, variation, num_envs))
        if habits.finetune:
            venv = VecFrameObservation(frames, encoder)
        else:
            venv = VecSlotObservation(frames, encoder, precision=habits.precision)
    return VecPreviousStep(venv) if habits.previous_step else venv


def truth_tokens(environments: VectorEnv[Any, Any, Any]) -> NDArray[np.float32]:
    """Return how a world describes itself, tokens (N, K, D).

    Raises:
        UsageError: it does not.
    """
    world: Any = environments.unwrapped
    if not isinstance(world, HasTokens):
        raise UsageError(
            f"encoder=ground_truth is what a world knows of itself, {world} tells nothing: choose "
            "simulator=maze, or another encoder"
        )
    return world.describe()


def open_encoder(cfg: DictConfig) -> Encoder | None:
    """Return the encoder that an agent starts with: pretrained, or random weights of its seed.

    Args:
        cfg: as ``configs/train_agent.yaml``. A run that goes on has the encoder in its folder.

    Returns:
        The encoder, None where the agent reads the simulator's truth.

    Raises:
        UsageError: there is no checkpoint, or it holds another encoder.
    """
    if cfg.encoder.model is None:
        if cfg.encoder.finetune:
            raise UsageError(
                f"encoder={cfg.encoder.name} has no weights to train along: leave out "
                "encoder.finetune, or choose another encoder"
            )
        if cfg.encoder.positions:
            raise UsageError(
                f"encoder={cfg.encoder.name} has no masks to take positions from: leave out "
                "encoder.positions, or choose another encoder"
            )
        return None
    own = Path(cfg.run_dir) / ENCODER
    if own.exists():
        return load_trusted(own, cfg.trusted).to(cfg.device)
    if cfg.encoder.pretrained_as is None:
        torch.manual_seed(cfg.seed)
        encoder = make_encoder(cfg.encoder.model)
    else:
        encoder = load_trusted(find_checkpoint(cfg), cfg.trusted)
        check_encoder(encoder, cfg)
    for wrapper in _wrappers(cfg):
        encoder = instantiate(wrapper, encoder)
    return encoder.eval().requires_grad_(False).to(cfg.device)


def keep_encoder(encoder: Encoder | None, cfg: DictConfig) -> Path | None:
    """Return where the encoder of `open_encoder` is, for the agent's file to refer to.

    What pretraining did not leave on disk as it is, is saved in the agent's folder.
    """
    if encoder is None:
        return None
    wrappers = _wrappers(cfg)
    if cfg.encoder.pretrained_as is not None and not wrappers:
        return Path(cfg.checkpoint)
    path = Path(cfg.run_dir) / ENCODER
    if not path.exists():
        config = settings(cfg.encoder.model)
        for wrapper in wrappers:
            config = {**wrapper, "encoder": config}
        save_encoder(path, encoder, config, {"seed": cfg.seed})
    return path


def _wrappers(cfg: DictConfig) -> list[dict[str, Any]]:
    """Return what an agent's encoder is wrapped in, from the inside out."""
    positions = [{"_target_": class_path(TokenPositions)}] if cfg.encoder.positions else []
    return positions + ([] if cfg.encoder.wrapper is None else [settings(cfg.encoder.wrapper)])


def check_encoder(encoder: Encoder, cfg: DictConfig) -> None:
    """Raise UsageError unless a loaded encoder is what ``cfg.encoder`` names."""
    for name, actual, wanted in (
        ("is a", builder(read_checkpoint(cfg.checkpoint).config), builder(cfg.encoder.model)),
        ("takes images of", encoder.image_size, tuple(cfg.encoder.image_size)),
    ):
        if actual != wanted:
            raise UsageError(
                f"{cfg.checkpoint} {name} {actual}, encoder={cfg.encoder.name} {name} {wanted}: "
                "name a checkpoint of that encoder, or choose the encoder of that checkpoint"
            )
