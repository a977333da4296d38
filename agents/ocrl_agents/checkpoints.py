"""Agents on disk: weights, optimiser state and settings in one safetensors file.

Nothing in it is run. The file names the encoder it was trained with by sha256, and by where that is
seen from the file itself: both may move together.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy.typing as npt
from stable_baselines3.common.vec_env import VecEnv, is_vecenv_wrapped, unwrap_vec_wrapper
from torch import Tensor

from ocrl.checkpoints import sha256
from ocrl.checkpoints.building import check_numbers, within
from ocrl.errors import UsageError
from ocrl.reading import check_fields, parse_object
from ocrl.tensor_files import read_tensors, write_tensors
from ocrl_agents.bit_tensors import to_arrays, to_tensors
from ocrl_agents.building import build_policy, describe_policy
from ocrl_agents.policies import SlotPolicy
from ocrl_agents.policy_tensors import fill_optimizer, fill_policy, policy_tensors
from ocrl_agents.ppo import TokenPPO
from ocrl_agents.reward_scale import VecScaledReward
from ocrl_agents.run_state import get_run_state
from ocrl_agents.senses import describe_senses
from ocrl_agents.state_entropy import VecStateEntropy

KIND = "agent"
VERSION = "3"
READABLE = ("2", VERSION)
"""Versions of the format that can be read; 2 has no state of the training."""


HEADER = {
    "algorithm": str,
    "policy": dict,
    "spaces": dict,
    "num_timesteps": int,
    "num_updates": int,
    "largest_reward": float | int | None,
    "encoder": dict | None,
    "scores": dict,
    "notes": dict,
}
"""What a header has, and of which type."""

POLICY = {
    "name": str,
    "extractor_kwargs": dict,
    "net_arch": dict | list,
    "lstm_dim": int,
}
"""What a header says of the policy."""

TRAINING = "training."
"""What the names of tensors begin with that are no weights."""

SPACES = {"observation": str, "action": str}
ENCODER = {"path": str, "sha256": str}


class AgentFile(NamedTuple):
    """What a file holds.

    Attributes:
        header: algorithm, policy settings, spaces, senses, steps done, whether it is an explorer
            (`ocrl_agents.state_entropy`), encoder and notes.
        tensors: weights and buffers of the policy, the optimiser's state, and that of the training.
        folder: where the file is.
    """

    header: dict[str, Any]
    tensors: dict[str, Tensor]
    folder: Path

    @property
    def encoder(self) -> Path | None:
        """Path of the encoder that the agent was trained with; None if it needs none."""
        encoder = self.header["encoder"]
        return None if encoder is None else Path(os.path.normpath(self.folder / encoder["path"]))

    @property
    def run_state(self) -> dict[str, npt.NDArray[Any]]:
        """What `ocrl_agents.run_state.set_run_state` takes; empty if it was not saved."""
        return to_arrays(
            {
                key.removeprefix(TRAINING): tensor
                for key, tensor in self.tensors.items()
                if key.startswith(TRAINING)
            }
        )


def save_agent(
    path: str | Path,
    model: TokenPPO,
    *,
    encoder: str | Path | None = None,
    scores: Mapping[str, Mapping[str, float]] | None = None,
    notes: Mapping[str, Any] | None = None,
    keep: str | Path | None = None,
    resumable: bool = False,
) -> None:
    """Write an agent to one file, whole or not at all.

    Args:
        path: where to; by custom it ends in ".safetensors". A file of that name is replaced.
        model: what is saved, with the state of its optimiser and the number of steps done.
        encoder: checkpoint of the encoder whose tokens the agent reads. None: it reads frames.
        scores: of its last evaluation, by name of the environments.
        notes: anything that JSON can hold, for people, such as the configuration.
        keep: where the agent that was at ``path`` goes, in the same folder. None: nowhere.
        resumable: keep the state of its training too, from which `ocrl_agents.training.train` goes
            on as if nothing had happened; between two updates of a training alone.
    """
    policy = model.policy
    header = {
        "algorithm": type(model).__name__,
        "policy": describe_policy(policy),
        "spaces": _spaces(model),
        "senses": None if model.env is None else describe_senses(model.env),
        "num_timesteps": model.num_timesteps,
        "num_updates": model._n_updates,
        "largest_reward": scale.largest if (scale := _reward_scale(model)) else None,
        "explores": model.env is not None and is_vecenv_wrapped(model.env, VecStateEntropy),
        "encoder": None if encoder is None else _name_encoder(Path(encoder), Path(path).parent),
        "scores": {name: dict(values) for name, values in (scores or {}).items()},
        "notes": dict(notes or {}),
    }
    tensors = policy_tensors(policy)
    if resumable:
        state = to_tensors(get_run_state(model))
        tensors |= {f"{TRAINING}{name}": tensor for name, tensor in state.items()}
    texts = {"format": f"ocrl-{KIND}", "version": VERSION, "header": json.dumps(header)}
    write_tensors(path, tensors, texts, keep=keep)


def read_agent(path: str | Path) -> AgentFile:
    """Read what `save_agent` wrote, without building anything.

    Raises:
        UsageError: if the file is missing, cut short, damaged or of another kind.
    """
    texts, tensors = read_tensors(path, KIND, READABLE)
    header = parse_header(texts.get("header", ""), f"the header of {path}")
    return AgentFile(header, tensors, Path(path).parent)


def parse_header(text: str, source: str) -> dict[str, Any]:
    """Return the header of an agent.

    Args:
        text: JSON, from a file.
        source: of the text, for messages.

    Raises:
        UsageError: it is something else.
    """
    header = parse_object(text, source)
    check_fields(header, HEADER, source)
    check_fields(header["policy"], POLICY, source)
    check_fields(header["spaces"], SPACES, source)
    if header["encoder"] is not None:
        check_fields(header["encoder"], ENCODER, source)
    return header


def load_policy(
    path: str | Path,
    venv: VecEnv,
    *,
    encoder: str | Path | None = None,
    device: str = "cpu",
    trusted: Sequence[str] = ("ocrl_agents.",),
) -> SlotPolicy:
    """Rebuild the policy of a saved agent, ready to play.

    Args:
        path: what `save_agent` wrote.
        venv: environments that it is to play in.
        encoder: checkpoint of the encoder that gives `venv` its tokens.
        device: where the policy runs.
        trusted: prefixes of the modules whose features extractors may be built. For one of your
            own, add your package's: `("ocrl_agents.", "mypackage.")`.

    Raises:
        UsageError: if the file cannot be read, names an extractor that is not trusted, or was
            trained with another encoder, or for other observations or actions.
    """
    agent = read_agent(path)
    check_fits(agent, venv, encoder, source=str(path))
    check_numbers(agent.header["policy"], str(path))
    with within(agent.tensors, str(path)):
        policy = build_policy(agent.header["policy"], venv, trusted)
    fill_policy(policy, agent.tensors, str(path))
    policy.set_training_mode(False)
    return policy.to(device)


def restore(path: str | Path, model: TokenPPO, *, encoder: str | Path | None = None) -> AgentFile:
    """Put a saved agent into a model of the same settings, to go on with its training.

    Args:
        path: what `save_agent` wrote.
        model: what is filled: weights, optimiser state, numbers of steps and updates done,
            scale of the rewards.
        encoder: checkpoint of the encoder that gives the model's environments their tokens.

    Returns:
        What the file holds.

    Raises:
        UsageError: as `load_policy`, or if the model has other settings.
    """
    agent = read_agent(path)
    assert model.env is not None, "a model to train has environments"
    check_fits(agent, model.env, encoder, source=str(path))
    if agent.header["algorithm"] != type(model).__name__:
        raise UsageError(
            f"{path} was trained with {agent.header['algorithm']}, not {type(model).__name__}: "
            "continue it with the same algorithm"
        )
    fill_policy(model.policy, agent.tensors, str(path))
    fill_optimizer(model.policy, agent.tensors, str(path))
    model.num_timesteps = agent.header["num_timesteps"]
    model._n_updates = agent.header["num_updates"]
    if (scale := _reward_scale(model)) and agent.header["largest_reward"] is not None:
        scale.largest = agent.header["largest_reward"]
    return agent


def find_encoder(agent: AgentFile, encoder: str | Path | None = None) -> Path | None:
    """Return the checkpoint of the encoder that an agent plays with; None if it needs none.

    Args:
        agent: what `read_agent` read.
        encoder: where it is, if not where the agent's file names it.

    Raises:
        UsageError: it is not there.
    """
    path = agent.encoder if encoder is None else Path(encoder)
    if path is not None and not path.exists():
        raise UsageError(
            f"there is no encoder at {path} for the agent in {agent.folder}: copy it there, or say "
            "where it is with encoder_checkpoint=..."
        )
    return path


def check_fits(agent: AgentFile, venv: VecEnv, encoder: str | Path | None, *, source: str) -> None:
    """Raise UsageError unless the agent was trained with this encoder and for these spaces."""
    trained = agent.header["encoder"]
    if trained is None and encoder is not None:
        raise UsageError(
            f"{source} was trained without an encoder, {encoder} is given: leave it out"
        )
    if trained is not None and encoder is None:
        raise UsageError(
            f"{source} was trained with the encoder {trained['path']}, none is given: give it that"
        )
    if trained is not None and encoder is not None and sha256(encoder) != trained["sha256"]:
        raise UsageError(
            f"{source} was trained with another encoder (sha256 {trained['sha256'][:12]}, then at "
            f"{trained['path']}) than {encoder} ({sha256(encoder)[:12]}): give it that encoder"
        )
    for name, space in _spaces(venv).items():
        if (known := agent.header["spaces"][name]) != space:
            raise UsageError(
                f"{source} was trained for {name}s {known:.200}, the environment has {space}: use "
                "the environment and number of slots of its training"
            )


def _name_encoder(encoder: Path, folder: Path) -> dict[str, str]:
    path = os.path.relpath(encoder.resolve(), folder.resolve())
    return {"path": path, "sha256": sha256(encoder)}


def _reward_scale(model: TokenPPO) -> VecScaledReward | None:
    return None if model.env is None else unwrap_vec_wrapper(model.env, VecScaledReward)


def _spaces(owner: TokenPPO | VecEnv) -> dict[str, str]:
    return {"observation": str(owner.observation_space), "action": str(owner.action_space)}
