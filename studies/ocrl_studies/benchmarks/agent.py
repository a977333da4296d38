"""The whole PPO loop: environment steps per CPU-second, and where the time goes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from hydra.utils import instantiate
from stable_baselines3 import PPO
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.utils import obs_as_tensor
from stable_baselines3.common.vec_env import VecEnv

from ocrl.checkpoints import load_encoder
from ocrl.encoder import Encoder
from ocrl.errors import UsageError
from ocrl_agents.finetuning import EncoderExtractor
from ocrl_agents.policies import SlotPolicy
from ocrl_agents.shared_vec_env import make_shared
from ocrl_agents.vec_env import GymnasiumVecEnv, VecSlotObservation
from ocrl_agents.workers import Workers
from ocrl_studies.benchmarks.measuring import interleaved, seconds
from ocrl_studies.command_line import stop
from ocrl_studies.composition import compose
from ocrl_studies.core.tables import print_table
from ocrl_studies.env_settings import EnvSettings
from ocrl_studies.environments import make_environments
from ocrl_studies.habits import Habits
from ocrl_studies.observations import make_token_environments
from ocrl_studies.plain import plain

TRUTH, FLOAT32, MEMORY = "encoder=ground_truth", "agent.precision=float32", "agent=recurrent_ppo"

STEPS = 2048
"""Decisions of a rollout, over all environments: a minibatch of the default settings."""

FEW_STEPS = 512
"""The same where the encoder is inside the policy, which encodes them again in every epoch."""


class Loop(NamedTuple):
    """PPO, its encoder (None where the simulator tells the truth), and how it plays what."""

    model: PPO
    encoder: Encoder | None
    env: EnvSettings
    habits: Habits

    @property
    def repeat(self) -> int:
        """Environment steps for which an action is held."""
        return int(self.env.kwargs.get("action_repeat", 1))

    def learn(self) -> None:
        """Play one rollout and update by it."""
        steps = self.model.n_steps * self.model.n_envs
        PPO.learn(self.model, steps, reset_num_timesteps=False)


def run(budget: float, checkpoint: Path | None) -> None:
    """Print three tables.

    Args:
        budget: CPU seconds for each measurement.
        checkpoint: of a slotcontrast encoder; None: random weights.
    """
    try:
        wrapped = make_loop(checkpoint=checkpoint)
    except UsageError as error:
        stop(str(error))
    slots, truth = partial(make_loop, checkpoint=checkpoint), partial(make_loop, TRUTH)
    whole = {
        "ground truth": truth(),
        "ground truth, loop of stable-baselines3": in_own_loop(truth()),
        "ground truth, with memory": truth(MEMORY),
        "slotcontrast": wrapped,
        "slotcontrast, loop of stable-baselines3, float32": in_own_loop(slots(FLOAT32)),
        "slotcontrast, float32": slots(FLOAT32),
        "slotcontrast, with memory": slots(MEMORY),
    }
    times = step_times(whole, budget)
    print_speeds(whole, times, "slotcontrast")
    rows, overhead = where_time_goes(wrapped, times["slotcontrast"], budget)
    print_table(["a decision, slotcontrast", "CPU-ms", "share"], rows)
    print(f"The wrapper takes {100 * overhead:.1f} % longer than the encoder's forward pass alone.")

    slots = partial(slots, steps=FEW_STEPS)
    frozen = slots("encoder.finetune=true")
    reader = frozen.model.policy.features_extractor
    assert isinstance(reader, EncoderExtractor)
    reader.encoder.requires_grad_(False)
    inside = {
        "slotcontrast, rollouts as short": slots(),
        "slotcontrast inside the policy, frozen": frozen,
        "slotcontrast inside the policy, trained along": slots("encoder.finetune=true"),
        "cnn, trained end to end": make_loop("encoder=cnn", steps=FEW_STEPS),
    }
    print_speeds(inside, step_times(inside, budget), "slotcontrast, rollouts as short")


def make_loop(
    *overrides: str,
    checkpoint: Path | None = None,
    steps: int | None = None,
    workers: Workers | None = None,
) -> Loop:
    """Build PPO with the settings of ``train_agent``, but a rollout is a single minibatch.

    Args:
        overrides: of these settings.
        checkpoint: of the encoder; None: random weights.
        steps: of a rollout, over all environments; None: `STEPS`.
        workers: that share the environments; None: they are in this process.
    """
    cfg = compose("train_agent", overrides)
    cfg.agent.model.batch_size = STEPS if steps is None else steps
    cfg.agent.model.n_steps = cfg.agent.model.batch_size // cfg.agent.num_envs
    encoder = None
    if cfg.encoder.model is not None:
        encoder = load_encoder(checkpoint) if checkpoint else instantiate(cfg.encoder.model)
        encoder.eval().requires_grad_(bool(cfg.encoder.finetune))
    env, habits = EnvSettings.of(cfg.env), Habits.read(plain(cfg), "the configuration")

    def make(num_envs: int) -> VecEnv:
        return make_token_environments(env, env.splits["train"], num_envs, habits, encoder)

    num_envs = cfg.agent.num_envs
    envs = make(num_envs) if workers is None else make_shared(workers, make, num_envs)
    model = instantiate(cfg.agent.model, envs, seed=0, device="cpu", calibration_steps=0)
    model.set_logger(Logger(folder=None, output_formats=[]))
    return Loop(model, encoder, env, habits)


def in_own_loop(loop: Loop) -> Loop:
    """Return the same policy, environments and settings in the loop of stable-baselines3."""
    names = ("n_steps", "batch_size", "n_epochs", "gamma", "gae_lambda", "ent_coef", "seed")
    settings = {name: getattr(loop.model, name) for name in names}
    assert loop.model.env is not None, "a model to train has environments"
    model = PPO(
        SlotPolicy, loop.model.env, policy_kwargs=loop.model.policy_kwargs, device="cpu", **settings
    )
    model.set_logger(Logger(folder=None, output_formats=[]))
    return loop._replace(model=model)


def step_times(loops: Mapping[str, Loop], budget: float) -> dict[str, float]:
    """Return CPU seconds of one decision in one environment, rollout and update, of each loop."""
    times = interleaved({name: loop.learn for name, loop in loops.items()}, budget)
    return {
        name: time / (loops[name].model.n_steps * loops[name].model.n_envs)
        for name, time in times.items()
    }


def print_speeds(loops: Mapping[str, Loop], times: Mapping[str, float], base: str) -> None:
    """Print what each loop does in a second; an environment step is 4 engine frames."""
    print_table(
        ["PPO in nav_maze_1", "decisions per CPU-second", "environment steps", "time, ratio"],
        [
            [
                name,
                f"{1 / time:,.0f}",
                f"{loops[name].repeat / time:,.0f}",
                f"{time / times[base]:.2f}",
            ]
            for name, time in times.items()
        ],
    )


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
    model, encoder, num_envs = loop.model, loop.encoder, loop.model.n_envs
    assert encoder is not None, "slots are measured"
    simulator = GymnasiumVecEnv(make_environments(loop.env, loop.env.splits["train"], num_envs))
    frames = simulator.reset()
    actions = np.stack([simulator.action_space.sample() for _ in range(num_envs)])
    running = np.zeros(num_envs, dtype=np.bool_)
    wrapper = VecSlotObservation(simulator, encoder, precision=loop.habits.precision)
    tokens = obs_as_tensor(wrapper.stream.reset(frames), model.device)
    state, pixels = wrapper.stream.state, wrapper.stream.frames(frames)

    def simulate() -> None:
        simulator.step(actions)

    def encode() -> None:
        is_half = wrapper.stream.precision == "bfloat16"
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=is_half):
            encoder.step(pixels, state, torch.from_numpy(running))

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
        "update": seconds(model.train, budget) / (model.n_steps * num_envs),
    }
    parts["buffers and all else"] = total - sum(parts.values())
    rows = [
        [name, f"{1000 * time:.3f}", f"{100 * time / total:.0f} %"] for name, time in parts.items()
    ]
    return rows, once["wrapper"] / once["encoder"] - 1
