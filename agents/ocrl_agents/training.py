"""Train PPO over tokens.

>>> model = make_ppo(venv, seed=0, n_steps=8)
>>> train(model, 16, folder, progress=False)
>>> (folder / LAST).exists()
True
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from gymnasium import spaces
from gymnasium.vector import VectorEnv
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.vec_env import VecEnv, VecMonitor, is_vecenv_wrapped

from ocrl.errors import UsageError
from ocrl.files import newest, previous
from ocrl_agents.calibration import calibrate
from ocrl_agents.callbacks import Checkpoint, EpisodeScores, Evaluate, Progress
from ocrl_agents.checkpoints import read_agent, restore, save_agent
from ocrl_agents.extractors import TransformerExtractor
from ocrl_agents.finetuning import with_encoder
from ocrl_agents.logs import make_logger
from ocrl_agents.memory import Memory, MemoryPolicy
from ocrl_agents.policies import SlotPolicy
from ocrl_agents.ppo import TokenPPO
from ocrl_agents.reward_scale import VecScaledReward
from ocrl_agents.run_state import set_run_state
from ocrl_agents.vec_env import GymnasiumVecEnv, environment_seeds, set_seeds

EVALUATION_SEED = 20_250_000
"""Episodes of evaluation during training are the same for every run."""

ACTION_SPACES = (spaces.Box, spaces.Discrete, spaces.MultiDiscrete, spaces.MultiBinary)

NUM_MINIBATCHES = 4
"""That a rollout is cut into, unless it is said how large they are."""

LAST = "last.safetensors"
BEST = "best.safetensors"


def make_ppo(
    envs: VecEnv | VectorEnv[Any, Any, Any],
    *,
    seed: int,
    extractor: type[BaseFeaturesExtractor] = TransformerExtractor,
    extractor_kwargs: Mapping[str, Any] | None = None,
    head_dims: Sequence[int] = (64,),
    lstm_dim: int = 0,
    memory: type[Memory] = Memory,
    calibration_steps: int = 64,
    scale_rewards: bool = True,
    n_steps: int = 128,
    batch_size: int | None = None,
    n_epochs: int = 4,
    learning_rate: float = 1e-3,
    anneal_learning_rate: bool = True,
    gamma: float = 0.99,
    gae_lambda: float = 0.95,
    clip_range: float = 0.2,
    ent_coef: float = 0.01,
    vf_coef: float = 0.5,
    max_grad_norm: float = 0.5,
    device: str = "cpu",
) -> TokenPPO:
    """Build PPO (Schulman et al. 2017) over tokens, with settings that are fast on one core.

    Args:
        envs: environments to train in, of stable-baselines3 or Gymnasium: 16 where rewards are
            frequent, 64 where an update would see but a few otherwise. With
            `ocrl_agents.finetuning.VecFrameObservation` the encoder is trained along.
        seed: of weights, actions and environments. Each environment gets a seed of its own, and
            runs with neighbouring seeds share none.
        extractor: what makes one feature vector of the tokens.
        extractor_kwargs: its arguments.
        head_dims: widths of the hidden layers of the actor, and of the critic.
        lstm_dim: width of an LSTM beside the features. It is trained on whole segments of `n_steps`
            steps. 0: none.
        memory: what is beside the features in place of the LSTM, a subclass of it.
        calibration_steps: random steps of each environment, from which the mean and spread of the
            tokens are measured before training. 0: tokens are taken as they are.
        scale_rewards: divide rewards by the largest seen so far, so that the value loss does not
            drown the others. What is logged stays as it is.
        n_steps: steps of each environment between two updates.
        batch_size: steps of a minibatch, a divisor of the number of environments times `n_steps`;
            with an LSTM also a multiple of `n_steps`. None: a quarter of them.
        n_epochs: passes over the collected steps in each update.
        learning_rate: of Adam.
        anneal_learning_rate: let it fall linearly to zero over the training.
        gamma: discount.
        gae_lambda: of generalised advantage estimation.
        clip_range: of the probability ratio.
        ent_coef: weight of the entropy bonus.
        vf_coef: weight of the value loss.
        max_grad_norm: gradients are clipped to this norm.
        device: where the policy is trained.

    Raises:
        UsageError: if PPO cannot draw such actions, the observations are no tokens, or the batch
            size does not divide the steps between two updates, or holds no whole segments.
    """
    venv = envs if isinstance(envs, VecEnv) else GymnasiumVecEnv(envs)
    if not isinstance(venv.action_space, ACTION_SPACES):
        raise UsageError(
            f"PPO draws actions from {', '.join(space.__name__ for space in ACTION_SPACES)}, not "
            f"from {venv.action_space}: wrap the environment so that it takes one of these"
        )
    rollout = venv.num_envs * n_steps
    if batch_size is None:
        pieces = venv.num_envs if lstm_dim else rollout  # a segment is not cut
        batch_size = rollout // math.gcd(NUM_MINIBATCHES, pieces)
    if rollout % batch_size:
        divisor = max(d for d in range(1, min(batch_size, rollout) + 1) if rollout % d == 0)
        raise UsageError(
            f"batch_size={batch_size} does not divide the {rollout} steps of a rollout "
            f"({venv.num_envs} environments x n_steps={n_steps}): take batch_size={divisor}"
        )
    if not (is_vecenv_wrapped(venv, VecMonitor) or all(venv.env_is_wrapped(Monitor))):
        venv = VecMonitor(venv)
    if scale_rewards:
        venv = VecScaledReward(venv)
    extractor_class, kwargs = with_encoder(venv, extractor, dict(extractor_kwargs or {}))
    policy_kwargs: dict[str, Any] = {
        "features_extractor_class": extractor_class,
        "features_extractor_kwargs": kwargs,
        "net_arch": {"pi": list(head_dims), "vf": list(head_dims)},
    }
    settings: dict[str, Any] = {
        # the last rollout may run past the end: what is left is then below zero
        "learning_rate": (lambda left: learning_rate * max(left, 0.0))
        if anneal_learning_rate
        else learning_rate,
        "n_steps": n_steps,
        "batch_size": batch_size,
        "n_epochs": n_epochs,
        "gamma": gamma,
        "gae_lambda": gae_lambda,
        "clip_range": clip_range,
        "ent_coef": ent_coef,
        "vf_coef": vf_coef,
        "max_grad_norm": max_grad_norm,
        "seed": seed,
        "device": device,
        "policy_kwargs": policy_kwargs,
    }
    policy: type[SlotPolicy] = SlotPolicy
    if lstm_dim:
        policy = MemoryPolicy
        policy_kwargs |= {"lstm_dim": lstm_dim, "memory_class": memory}
    model = TokenPPO(policy, venv, **settings)
    _seed(model, seed)
    if calibration_steps:
        calibrate(model.policy, venv, calibration_steps)
        _seed(model, seed)
    return model


def train(
    model: TokenPPO,
    total_timesteps: int,
    run_dir: str | Path,
    *,
    encoder: str | Path | None = None,
    evaluations: Mapping[str, VecEnv | VectorEnv[Any, Any, Any]] | None = None,
    eval_every: int = 100_000,
    eval_episodes: int = 32,
    select_on: str = "validation",
    checkpoint_every: int = 20_000,
    notes: Mapping[str, Any] | None = None,
    resume: bool = False,
    progress: bool = True,
    num_threads: int = 1,
) -> None:
    """Train until `total_timesteps` steps are done, and keep everything in one folder.

    The folder holds `last.safetensors`, the one before it as `previous.safetensors`, and
    `best.safetensors` (see `ocrl_agents.checkpoints`), `progress.csv` and TensorBoard events.

    Args:
        model: from `make_ppo`.
        total_timesteps: steps to have been done at the end, over all environments, those before an
            interruption included.
        run_dir: where the run is kept.
        encoder: checkpoint of the encoder that gives the environments their tokens.
        evaluations: by name, environments to evaluate on, logged as `eval_<name>/<score>`.
        eval_every: steps between two evaluations.
        eval_episodes: episodes for each of them, always the same ones.
        select_on: name of the evaluation whose return says which agent is best.
        checkpoint_every: steps between two checkpoints.
        notes: anything that JSON can hold, kept in the checkpoints.
        resume: go on from `last.safetensors`, if there is one; if it is damaged, from the one
            before. On the CPU the run then equals one that was not interrupted, to the last bit; if
            the environments have no state to save (`ocrl_envs.protocols.HasState`), a line says so
            and new episodes begin.
        progress: show a progress bar.
        num_threads: of torch, while training. More than one seldom helps networks this small.

    Raises:
        UsageError: if the folder holds an agent and `resume` is False, or the agent that it holds
            does not fit the model, or `select_on` is none of the evaluations.
    """
    run_dir = Path(run_dir)
    last, best = run_dir / LAST, run_dir / BEST
    if not resume and (last.exists() or previous(last).exists()):
        raise UsageError(
            f"{run_dir} already holds an agent: go on with it by resume=True, or choose "
            "another folder"
        )
    if evaluations and select_on not in evaluations:
        raise UsageError(
            f"select_on={select_on!r} is to say which agent is best, and is none of the "
            f"evaluations: choose from {', '.join(evaluations)}"
        )
    saved = newest(last, read_agent)
    agent = None if saved is None else restore(saved, model, encoder=encoder)
    if model.num_timesteps >= total_timesteps:
        return
    run_dir.mkdir(parents=True, exist_ok=True)
    best_return = _saved_return(best, select_on)
    scores: dict[str, dict[str, float]] = {} if agent is None else agent.header["scores"]
    save = partial(save_agent, model=model, encoder=encoder, scores=scores, notes=notes)

    def on_scores(new: dict[str, dict[str, float]]) -> None:
        nonlocal best_return
        scores.update(new)
        if select_on in new and new[select_on]["return"] > best_return:
            best_return = new[select_on]["return"]
            save(best)

    callbacks: list[BaseCallback] = [EpisodeScores()]
    if evaluations:
        seeds = environment_seeds(EVALUATION_SEED, eval_episodes)
        callbacks.append(Evaluate(evaluations, seeds, eval_every, on_scores, progress))
    save_last = partial(save, last, keep=previous(last), resumable=True)
    callbacks.append(Checkpoint(checkpoint_every, save_last))
    if progress:
        callbacks.append(Progress(total_timesteps))

    logger = make_logger(run_dir, resume_step=model.num_timesteps)
    model.set_logger(logger)
    if agent is not None:
        # seeded for the case that it cannot go on where it was: not the episodes of the beginning
        _seed(model, model.seed or 0, model.num_timesteps)
        if reason := set_run_state(model, agent.run_state):
            print(f"{saved} {reason}: new episodes begin", file=sys.stderr)
    threads_before = torch.get_num_threads()
    torch.set_num_threads(num_threads)
    try:
        # learn() counts from the steps that are done
        model.learn(
            total_timesteps - model.num_timesteps,
            callback=callbacks,
            reset_num_timesteps=model.num_timesteps == 0,
        )
    finally:
        torch.set_num_threads(threads_before)
        logger.close()


def _saved_return(path: Path, name: str) -> float:
    """Return the return of a saved agent on the environments of that name."""
    if not path.exists():
        return -math.inf
    scores = read_agent(path).header["scores"].get(name)
    value = scores.get("return") if isinstance(scores, dict) else None
    return float(value) if isinstance(value, int | float) else -math.inf


def _seed(model: TokenPPO, seed: int, num_timesteps: int = 0) -> None:
    """Seed actions, and each environment on its own, from that step of a training on."""
    assert model.env is not None, "a model to train has environments"
    # it ends in no zero: NumPy takes [seed, 0] for [seed], which evaluations are seeded by
    action_seed, *seeds = environment_seeds([seed, num_timesteps, 1], model.env.num_envs + 1)
    model.set_random_seed(action_seed)
    set_seeds(model.env, seeds)
