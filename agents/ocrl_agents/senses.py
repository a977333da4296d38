"""What lies between an environment and its agent's policy, as an agent's file keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stable_baselines3.common.vec_env import VecEnv, is_vecenv_wrapped, unwrap_vec_wrapper

from ocrl.encoder import Encoder
from ocrl_agents.finetuning import VecFrameObservation
from ocrl_agents.place_memory import VecPlaceMemory
from ocrl_agents.previous_step import VecPreviousStep
from ocrl_agents.spaces import describe_space
from ocrl_agents.vec_env import VecSlotObservation


def describe_senses(venv: VecEnv) -> dict[str, Any]:
    """Return what the environments show themselves, and how an agent is shown it, as JSON."""
    base = venv.unwrapped
    slots = unwrap_vec_wrapper(venv, VecSlotObservation)
    frames = unwrap_vec_wrapper(venv, VecFrameObservation)
    places = unwrap_vec_wrapper(venv, VecPlaceMemory)
    stream = slots.stream if slots else frames.stream if frames else None
    return {
        "observation": describe_space(base.observation_space),
        "action": describe_space(base.action_space),
        "image_key": stream and stream.image_key,
        "precision": stream.precision if stream else "float32",
        "is_finetuned": frames is not None,
        "place_memory": places.num_places if places else 0,
        "previous_step": is_vecenv_wrapped(venv, VecPreviousStep),
    }


def build_senses(senses: Mapping[str, Any], venv: VecEnv, encoder: Encoder | None) -> VecEnv:
    """Put around environments what `describe_senses` found around those of the training.

    Args:
        senses: of `describe_senses`.
        venv: environments that show the same as those.
        encoder: of the agent; None if it needs none.
    """
    key = senses["image_key"]
    if encoder is not None and senses["is_finetuned"]:
        venv = VecFrameObservation(venv, encoder, image_key=key)
    elif encoder is not None:
        venv = VecSlotObservation(venv, encoder, image_key=key, precision=senses["precision"])
    return with_past(venv, senses.get("place_memory", 0), senses["previous_step"])


def with_past(venv: VecEnv, num_places: int, previous_step: bool) -> VecEnv:
    """Show beside the present what an agent is told of the past.

    Args:
        venv: environments that show the present.
        num_places: that are remembered for their rewards, see `VecPlaceMemory`; 0: none.
        previous_step: show the last action and reward.
    """
    if num_places:
        venv = VecPlaceMemory(venv, num_places)
    return VecPreviousStep(venv) if previous_step else venv
