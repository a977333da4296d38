"""Policies from plain settings: names are looked up in tables, or are classes that are trusted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.vec_env import VecEnv
from torch import nn

from ocrl.checkpoints.building import class_path, trusted_class
from ocrl.errors import UsageError, nearest
from ocrl_agents.extractors import (
    DeepSetsExtractor,
    MLPExtractor,
    RelationNetworkExtractor,
    TransformerExtractor,
)
from ocrl_agents.finetuning import EncoderExtractor, with_encoder
from ocrl_agents.memory import Memory, MemoryPolicy
from ocrl_agents.policies import SlotPolicy

Module = TypeVar("Module", bound=nn.Module)

POLICIES: dict[str, type[SlotPolicy]] = {cls.__name__: cls for cls in (SlotPolicy, MemoryPolicy)}
"""Policies that a file may name."""

EXTRACTORS: dict[str, type[BaseFeaturesExtractor]] = {
    cls.__name__: cls
    for cls in (
        TransformerExtractor,
        MLPExtractor,
        DeepSetsExtractor,
        RelationNetworkExtractor,
    )
}
"""Extractors that a file may name. Others it names by the path of their class."""

ACTIVATIONS: dict[str, type[nn.Module]] = {
    cls.__name__: cls for cls in (nn.Tanh, nn.ReLU, nn.LeakyReLU, nn.ELU, nn.SiLU, nn.GELU)
}
"""Activations of the heads that a file may name, Tanh if it names none. Others as extractors."""


def describe_policy(policy: SlotPolicy) -> dict[str, Any]:
    """Return what `build_policy` builds the policy of, as JSON can hold it.

    An encoder that is trained along is no part of it: it comes with the environments.
    """
    extractor, kwargs = policy.features_extractor_class, policy.features_extractor_kwargs
    if extractor is EncoderExtractor:
        extractor, kwargs = kwargs["reader"], kwargs["reader_kwargs"]
    memory: dict[str, Any] = {"lstm_dim": 0}
    if isinstance(policy, MemoryPolicy):
        memory = {"lstm_dim": policy.lstm_dim}
        if policy.memory_class is not Memory:
            memory["memory"] = class_path(policy.memory_class)
    activation: dict[str, Any] = {}
    if policy.activation_fn is not nn.Tanh:
        activation = {"activation": _name(policy.activation_fn, ACTIVATIONS)}
    return {
        "name": type(policy).__name__,
        "extractor": _name(extractor, EXTRACTORS),
        "extractor_kwargs": kwargs,
        "net_arch": policy.net_arch,
        **activation,
        **memory,
    }


def build_policy(settings: dict[str, Any], venv: VecEnv, trusted: Sequence[str]) -> SlotPolicy:
    """Build a policy with fresh weights.

    Args:
        settings: of `describe_policy`.
        venv: environments that it is to play in.
        trusted: prefixes of the modules whose features extractors, memories and
            activations may be built.

    Raises:
        UsageError: if they name a policy that there is not, or a class that is not trusted.
    """
    name = settings["name"]
    if name not in POLICIES:
        raise UsageError(f"there is no policy {name!r}: {nearest(str(name), POLICIES)}")
    extractor, kwargs = with_encoder(
        venv,
        _find(settings["extractor"], EXTRACTORS, trusted, BaseFeaturesExtractor),
        settings["extractor_kwargs"],
    )
    memory: dict[str, Any] = {}
    if POLICIES[name] is MemoryPolicy:
        memory = {"lstm_dim": settings["lstm_dim"]}
        if "memory" in settings:
            memory["memory_class"] = trusted_class(settings["memory"], trusted, Memory)
    return POLICIES[name](
        venv.observation_space,
        venv.action_space,
        lambda _: 0.0,
        net_arch=settings["net_arch"],
        activation_fn=_find(settings.get("activation", "Tanh"), ACTIVATIONS, trusted, nn.Module),
        features_extractor_class=extractor,
        features_extractor_kwargs=kwargs,
        **memory,
    )


def _name(cls: type[nn.Module], known: Mapping[str, type[nn.Module]]) -> str:
    return cls.__name__ if known.get(cls.__name__) is cls else class_path(cls)


def _find(
    name: Any, known: Mapping[str, type[Module]], trusted: Sequence[str], kind: type[Module]
) -> type[Module]:
    is_known = isinstance(name, str) and name in known
    return known[name] if is_known else trusted_class(name, trusted, kind)
