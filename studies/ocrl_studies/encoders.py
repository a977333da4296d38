"""New encoders, as a configuration names them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import get_object, instantiate

from ocrl import zoo
from ocrl.checkpoints.building import class_path
from ocrl.encoder import Encoder
from ocrl.errors import UsageError


def make_encoder(model: Mapping[str, Any]) -> Encoder:
    """Return an encoder with random weights, but for a backbone that is pretrained.

    Args:
        model: ``encoder.model``: ``_target_``, and its arguments.

    Raises:
        UsageError: there is no such encoder, it does not take these arguments, or a file could not
            name it.
    """
    check_target(model["_target_"])
    try:
        encoder: Encoder = instantiate(model)
    except InstantiationException as error:
        if not (isinstance(error.__cause__, TypeError) and "argument" in str(error.__cause__)):
            raise
        raise UsageError(
            f"encoder.model: {error.__cause__}: give what {model['_target_']} takes, "
            "+encoder.model.<argument>=..."
        ) from error
    return encoder


def check_target(target: str) -> None:
    """Raise UsageError unless files can name an encoder so: by the zoo, or by its class.

    >>> check_target("ocrl.encoders.grid.GridEncoder")
    >>> check_target("ocrl.encoders.grid.grid")
    Traceback (most recent call last):
    ocrl.errors.UsageError: encoder.model._target_=ocrl.encoders.grid.grid is no class of encoders:
    name the class itself, its arguments as +encoder.model.<argument>=...
    """
    if target == zoo.TARGET:
        return
    try:
        found = get_object(target)
    except (ImportError, AttributeError, ValueError) as error:
        reason = " ".join(str(error.__cause__ or error).split())
        raise UsageError(
            f"encoder.model._target_={target} cannot be imported ({reason}): give the path of a "
            "class, with its folder on PYTHONPATH"
        ) from error
    if not (isinstance(found, type) and issubclass(found, Encoder)):
        raise UsageError(
            f"encoder.model._target_={target} is no class of encoders: name the class itself, its "
            "arguments as +encoder.model.<argument>=..."
        )
    if class_path(found) != target:
        raise UsageError(
            f"encoder.model._target_={target} is defined elsewhere: name it {class_path(found)}"
        )
