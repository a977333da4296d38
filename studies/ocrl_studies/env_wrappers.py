"""Wrappers around the environments of others, as a configuration names them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from typing import Any, cast

import gymnasium
from gymnasium.wrappers import AddRenderObservation

from ocrl.errors import UsageError
from ocrl_envs.action_repeat import ActionRepeat
from ocrl_studies.env_settings import EnvSettings

Wrapped = gymnasium.Wrapper[Any, Any, Any, Any]
Wrap = Callable[[gymnasium.Env[Any, Any]], Wrapped]


def wrappers_of(env: EnvSettings) -> list[Wrap]:
    """Return what is put around each environment, the innermost first.

    Actions are held within all else; then the picture takes the observation's place, and then come
    the wrappers of ``env.wrappers``, which may change it.

    Args:
        env: how it is made.

    Raises:
        UsageError: there is no such wrapper.
    """
    wrappers: list[Wrap] = []
    if env.action_repeat != 1:
        wrappers.append(partial(ActionRepeat, repeat=env.action_repeat))
    if env.render_observation:
        wrappers.append(partial(AddRenderObservation, render_only=True))
    for entry in env.wrappers:
        name, arguments = _read(entry)
        wrappers.append(partial(_wrap, name=name, wrapper=_find(name), arguments=arguments))
    return wrappers


def wrapper_settings(env: EnvSettings) -> dict[str, Any]:
    """Return what is put around an environment, by the names of the settings.

    >>> wrapper_settings(EnvSettings("a", wrappers=["b.C"]))
    {'wrappers': ['b.C']}
    """
    names = ("max_episode_steps", "render_observation", "wrappers")
    found = {name: getattr(env, name) for name in names if getattr(env, name)}
    if env.vectorization != "native" and env.action_repeat != 1:
        found["action_repeat"] = env.action_repeat
    return found


def _read(entry: Any) -> tuple[str, dict[str, Any]]:
    """Return name and arguments of an entry: a name, or a name with its arguments.

    Lists become tuples, which Gymnasium's wrappers insist on.

    >>> _read("a.Gray"), _read({"a.Resize": {"shape": [64, 64]}})
    (('a.Gray', {}), ('a.Resize', {'shape': (64, 64)}))
    """
    if isinstance(entry, str):
        return entry, {}
    if isinstance(entry, Mapping) and len(entry) == 1:
        ((name, arguments),) = entry.items()
        if isinstance(arguments, Mapping):
            return str(name), {
                str(key): tuple(value) if isinstance(value, list) else value
                for key, value in arguments.items()
            }
    raise UsageError(
        f"env.wrappers holds {entry}: write package.Wrapper, "
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
