"""The whole PPO loop: environment steps per CPU-second, and where the time goes."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig
from stable_baselines3 import PPO
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.utils import obs_as_tensor

from benchmarks.measuring import interleaved, seconds
from ocrl.checkpoints import load_encoder
from ocrl.encoder import Encoder
from ocrl.errors import UsageError
from ocrl_agents.finetuning import EncoderExtractor
from ocrl_agents.vec_env import GymnasiumVecEnv, VecSlotObservation
from ocrl_studies.command_line import stop
from ocrl_studies.composition import compose
from ocrl_studies.core.tables import print_table
from ocrl_studies.environments import make_environments
from ocrl_studies.observations import make_token_environments


class Loop(NamedTuple):
    """PPO, its encoder and its settings."""

    model: PPO
    encoder: Encoder
    cfg: DictConfig


def run(budget: float, checkpoint: Path | None) -> None:
    """Print two tables.

    Args:
        budget: CPU seconds for each measurement.
        checkpoint: of a slotcontrast encoder; None: random weights.
    """
    try:
        wrapped = make_loop(checkpoint=checkpoint)
    except UsageError as error:
        stop(str(error))
    inside = ["encoder.finetune=true"]
    trained = make_loop(*inside, checkpoint=checkpoint)
    frozen = make_loop(*inside, checkpoint=checkpoint)
    reader = frozen.model.policy.features_extractor
    assert isinstance(reader, EncoderExtractor)
    reader.encoder.requires_grad_(False)
    loops = {
        "slotcontrast, encoded once": wrapped,
        "slotcontrast inside the policy, frozen": frozen,
        "slotcontrast inside the policy, trained along": trained,
        "cnn, trained end to end": make_loop("encoder=cnn"),
    }
    times = {name: step_time(loop, budget) for name, loop in loops.items()}
    base = times["slotcontrast, encoded once"]
    print_table(
        ["PPO in nav_maze_1", "steps per CPU-second", "time of a step, ratio"],
        [[name, f"{1 / time:,.0f}", f"{time / base:.1f}"] for name, time in times.items()],
    )
    rows, overhead = where_time_goes(wrapped, base, budget)
    print_table(["a step, encoded once", "CPU-ms", "share"], rows)
    print(f"The wrapper takes {100 * overhead:.1f} % longer than the encoder's forward pass alone.")


def make_loop(*overrides: str, checkpoint: Path | None = None) -> Loop:
    """Build PPO with the settings of ``train_agent``, but a rollout is a single minibatch."""
    cfg = compose("train_agent", overrides)
    cfg.agent.model.n_steps = cfg.agent.model.batch_size // cfg.agent.num_envs
    encoder = load_encoder(checkpoint) if checkpoint else instantiate(cfg.encoder.model)
    encoder.eval()
    envs = make_token_environments(cfg.env, cfg.env.train, cfg.agent.num_envs, cfg, encoder)
    model = instantiate(cfg.agent.model, envs, seed=0, device="cpu", calibration_steps=0)
    model.set_logger(Logger(folder=None, output_formats=[]))
    return Loop(model, encoder, cfg)


def step_time(loop: Loop, budget: float) -> float:
    """Return CPU seconds of one step of one environment, rollout and update."""
    steps = int(loop.cfg.agent.model.batch_size)
    learn = partial(PPO.learn, loop.model, steps, reset_num_timesteps=False)
    return seconds(learn, budget) / steps


def where_time_goes(loop: Loop, total: float, budget: float) -> tuple[list[list[str]], float]:
    """Measure the parts of a loop on their own.

    Args:
        loop: that has learned already.
        total: CPU seconds of a step.
        budget: CPU seconds for each measurement.

    Returns:
        A row for each part, and what the wrapper adds to the encoder's forward pass, as a share of
        it.
    """
    model, num_envs = loop.model, loop.cfg.agent.num_envs
    simulator = GymnasiumVecEnv(make_environments(loop.cfg.env, loop.cfg.env.train, num_envs))
    frames = simulator.reset()
    actions = np.stack([simulator.action_space.sample() for _ in range(num_envs)])
    running = np.zeros(num_envs, dtype=np.bool_)
    wrapper = VecSlotObservation(simulator, loop.encoder)
    tokens = obs_as_tensor(wrapper.stream.reset(frames), model.device)
    state, pixels = wrapper.stream.state, wrapper.stream.frames(frames)

    def simulate() -> None:
        simulator.step(actions)

    def encode() -> None:
        with torch.inference_mode():
            loop.encoder.step(pixels, state, torch.from_numpy(running))

    def wrap() -> None:
        wrapper.stream.step(frames, running)

    def act() -> None:
        with torch.no_grad():
            model.policy(tokens)

    once = interleaved({"simulator": simulate, "encoder": encode, "wrapper": wrap}, budget)
    parts = {
        "simulator": once["simulator"] / num_envs,
        "encoder": once["wrapper"] / num_envs,
        "policy, forward": seconds(act, budget) / num_envs,
        "update": seconds(model.train, budget) / loop.cfg.agent.model.batch_size,
    }
    parts["buffers and all else"] = total - sum(parts.values())
    rows = [
        [name, f"{1000 * time:.3f}", f"{100 * time / total:.0f} %"] for name, time in parts.items()
    ]
    return rows, once["wrapper"] / once["encoder"] - 1
