"""Configurations as plain values, and parts of them by dotted names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from omegaconf import OmegaConf


def plain(node: Mapping[Any, Any]) -> dict[str, Any]:
    """Return a configuration or a node of one, resolved; what is plain already, as it is.

    >>> plain(OmegaConf.create({"sizes": [1, 2], "first": "${sizes.0}"}))
    {'sizes': [1, 2], 'first': 1}
    """
    found = OmegaConf.to_object(node) if OmegaConf.is_config(node) else node
    return {str(key): value for key, value in cast(Mapping[Any, Any], found).items()}


def selected(settings: Mapping[Any, Any], keys: Iterable[str]) -> dict[str, Any]:
    """Return some parts of a configuration by dotted names, resolved.

    >>> selected(OmegaConf.create({"env": {"id": "a"}, "seed": "${env.id}", "x": 1}), ["seed"])
    {'seed': 'a'}
    """
    whole = plain(settings)
    return flatten({key: whole[key] for key in keys})


def flatten(node: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested settings by dotted names.

    >>> flatten({"env": {"name": "maze", "kwargs": {}}, "sizes": [1, 2]})
    {'env.name': 'maze', 'sizes': [1, 2]}
    """
    flat: dict[str, Any] = {}
    for key, value in node.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat
