"""Wrappers around the environments of others, as a configuration names them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from typing import Any, cast

import gymnasium
from gymnasium.wrappers import AddRenderObservation
from omegaconf import DictConfig, OmegaConf

from ocrl.errors import UsageError
from ocrl_envs.action_repeat import ActionRepeat

Wrapped = gymnasium.Wrapper[Any, Any, Any, Any]
Wrap = Callable[[gymnasium.Env[Any, Any]], Wrapped]


def wrappers_of(env: DictConfig) -> list[Wrap]:
    """Return what is put around each environment, the innermost first.

    Actions are held within all else; then the picture takes the observation's place, and then come
    the wrappers of ``env.wrappers``, which may change it.

    Args:
        env: the ``env`` node: ``action_repeat``, ``render_observation``, ``wrappers``.

    Raises:
        UsageError: there is no such wrapper.
    """
    wrappers: list[Wrap] = []
    if (repeat := env.get("action_repeat", 1)) != 1:
        wrappers.append(partial(ActionRepeat, repeat=repeat))
    if env.get("render_observation", False):
        wrappers.append(partial(AddRenderObservation, render_only=True))
    for entry in env.get("wrappers", []):
        name, arguments = _read(entry)
        wrappers.append(partial(_wrap, name=name, wrapper=_find(name), arguments=arguments))
    return wrappers


def wrapper_settings(env: DictConfig) -> dict[str, Any]:
    """Return what is put around an environment, by the names of the settings.

    >>> wrapper_settings(OmegaConf.create({"id": "a", "wrappers": ["b.C"], "action_repeat": 1}))
    {'wrappers': ['b.C']}
    """
    given = cast(dict[str, Any], OmegaConf.to_object(env))
    found = {key: given.get(key) for key in ("max_episode_steps", "render_observation", "wrappers")}
    if "wrappers" in given and given.get("action_repeat", 1) != 1:
        found["action_repeat"] = given["action_repeat"]
    return {key: value for key, value in found.items() if value}


def _read(entry: Any) -> tuple[str, dict[str, Any]]:
    """Return name and arguments of an entry: a name, or a name with its arguments.

    Lists become tuples, which Gymnasium's wrappers insist on.

    >>> _read("a.Gray"), _read({"a.Resize": {"shape": [64, 64]}})
    (('a.Gray', {}), ('a.Resize', {'shape': (64, 64)}))
    """
    plain = OmegaConf.to_object(entry) if OmegaConf.is_config(entry) else entry
    if isinstance(plain, str):
        return plain, {}
    if isinstance(plain, Mapping) and len(plain) == 1:
        ((name, arguments),) = plain.items()
        if isinstance(arguments, Mapping):
            return str(name), {
                str(key): tuple(value) if isinstance(value, list) else value
                for key, value in arguments.items()
            }
    raise UsageError(
        f"env.wrappers holds {plain}: write package.Wrapper, "
        "or {package.Wrapper: {argument: 1}} with arguments"
    )


def _find(name: str) -> Callable[..., Wrapped]:
    module, _, attribute = name.rpartition(".")
    try:
        found = getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise UsageError(
            f"env.wrappers names {name} ({' '.join(str(error).split())}): write the whole name of "
            "a class that is installed, such as gymnasium.wrappers.StickyAction"
        ) from None
    return cast(Callable[..., Wrapped], found)


def _wrap(
    env: gymnasium.Env[Any, Any],
    name: str,
    wrapper: Callable[..., Wrapped],
    arguments: dict[str, Any],
) -> Wrapped:
    try:
        return wrapper(env, **arguments)
    except (TypeError, AssertionError, gymnasium.error.Error) as error:
        raise UsageError(
            f"env.wrappers: {name} does not go around {env} with {arguments} "
            f"({' '.join(str(error).split())}): give it what it takes"
        ) from None
