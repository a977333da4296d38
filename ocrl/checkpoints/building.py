"""Modules from plain configurations and tensors: only what is trusted, only weights that fit."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from torch import Tensor, nn
from torch.nn.modules import module as registration

from ocrl import zoo
from ocrl.encoder import Encoder
from ocrl.errors import UsageError

M = TypeVar("M", bound=nn.Module)

SLACK = 4
"""How much more may be made than a file has weights for, as what is replaced again is made too."""

LARGEST_NUMBER = 2**16
"""What a size or a depth in a file may be at most."""

LARGEST_COUNT = 2**10
"""What ``num_slots``, ``num_steps`` and the like may be at most: no weights account for them."""

BUFFERS = 2**26
"""Numbers in buffers that no file has, such as the positions of a grid."""


def build(config: Any, trusted: Sequence[str] = ("ocrl.",)) -> Any:
    """Build what a plain configuration describes, as Hydra would, but only what is trusted.

    That is encoders of the zoo, by name, and torch modules. No weights of pretrained backbones are
    fetched: those are to come from a checkpoint.

    >>> config = {"_target_": "ocrl.modules.mlp.MLP", "in_dim": 2, "hidden_dims": [], "out_dim": 3}
    >>> build(config).layers
    Sequential(
      (0): Linear(in_features=2, out_features=3, bias=True)
    )

    Args:
        config: dicts, lists and values; a dict with ``_target_`` describes a module.
        trusted: prefixes of the modules whose classes may be built.

    Raises:
        UsageError: if a ``_target_`` is anything but the zoo or a torch module defined under a
            trusted prefix, or the zoo has no encoder of a name.
    """
    if isinstance(config, list | tuple):
        return [build(item, trusted) for item in config]
    if not isinstance(config, Mapping):
        return config
    arguments = {
        key: False if key == "pretrained" else build(value, trusted)
        for key, value in config.items()
        if key != "_target_"
    }
    if "_target_" not in config:
        return arguments
    if config["_target_"] == zoo.TARGET:
        return _build_encoder(arguments)
    return trusted_class(config["_target_"], trusted, nn.Module)(**arguments)


def _build_encoder(arguments: dict[str, Any]) -> Encoder:
    name = arguments.pop("name", None)
    if "pretrained" in inspect.signature(zoo.find_encoder(name)).parameters:
        arguments["pretrained"] = False
    return zoo.create_encoder(name, **arguments)


def check_numbers(config: Any, source: str, largest: int = LARGEST_NUMBER) -> None:
    """Raise UsageError if a configuration from a file has a number that no network has.

    >>> check_numbers({"depth": 10**6}, "this")
    Traceback (most recent call last):
    ocrl.errors.UsageError: this asks for 1000000, the largest number is 65536: give a whole file

    Args:
        config: dicts, lists and values.
        source: the file, for the message.
        largest: of the numbers that have no name.
    """
    if isinstance(config, Mapping):
        for name, value in config.items():
            counts = isinstance(name, str) and name.startswith("num_")
            check_numbers(value, source, LARGEST_COUNT if counts else LARGEST_NUMBER)
    elif isinstance(config, list | tuple):
        for item in config:
            check_numbers(item, source, largest)
    elif isinstance(config, int | float) and not abs(config) <= largest:
        raise UsageError(
            f"{source} asks for {config!s:.40}, the largest number is {largest}: give a whole file"
        )


@contextmanager
def within(weights: Mapping[str, Tensor], source: str) -> Iterator[None]:
    """Build what a file describes, but nothing that is much larger than the file's weights.

    A header may ask for a million layers, or for one of a terabyte: each parameter and module is
    counted as it is registered, which is before it is filled.

    >>> import torch
    >>> with within({"bias": torch.zeros(3)}, "this"):
    ...     layer = nn.Linear(2, 3)
    >>> with within({"bias": torch.zeros(3)}, "this"):
    ...     layers = [nn.Linear(2, 3) for _ in range(10**6)]
    Traceback (most recent call last):
    ocrl.errors.UsageError: this asks for more than it has weights for: give a whole file

    Args:
        weights: of the file.
        source: the file, for the message.

    Raises:
        UsageError: it is larger, or cannot be built.
    """
    numbers = SLACK * (sum(weight.numel() for weight in weights.values()) + 2**16)
    left = {"numbers": numbers, "tensors": SLACK * (len(weights) + 64), "buffers": BUFFERS}
    left["modules"] = 16 * left["tensors"]
    refusal = f"{source} asks for more than it has weights for: give a whole file"

    def take(**amounts: int) -> None:
        for name, amount in amounts.items():
            left[name] -= amount
            if left[name] < 0:
                raise UsageError(refusal)

    def on_parameter(module: nn.Module, name: str, parameter: nn.Parameter) -> None:
        take(tensors=1, numbers=0 if parameter is None else parameter.numel())

    def on_buffer(module: nn.Module, name: str, buffer: Tensor | None) -> None:
        take(tensors=1, buffers=0 if buffer is None else buffer.numel())

    def on_module(module: nn.Module, name: str, child: nn.Module | None) -> None:
        take(modules=1)

    hooks = [
        registration.register_module_parameter_registration_hook(on_parameter),
        registration.register_module_buffer_registration_hook(on_buffer),
        registration.register_module_module_registration_hook(on_module),
    ]
    try:
        yield
    except UsageError:
        raise
    except Exception as error:  # whatever classes make of the arguments in a file
        reason = f"{type(error).__name__}: {' '.join(str(error).split()):.200}"
        raise UsageError(
            f"{source} does not fit this version of its classes ({reason}): load it with the "
            "version that saved it"
        ) from error
    finally:
        for hook in hooks:
            hook.remove()


def fit_weights(module: nn.Module, weights: Mapping[str, Tensor], source: str) -> None:
    """Copy weights into a module whose names and shapes they match exactly.

    Args:
        module: what is filled.
        weights: as a ``state_dict``.
        source: where they come from, for messages.

    Raises:
        UsageError: as `check_fit`.
    """
    check_fit(module, weights, source)
    module.load_state_dict(dict(weights))


def check_fit(module: nn.Module, weights: Mapping[str, Tensor], source: str) -> None:
    """Raise UsageError if a name is missing, left over or of another shape, naming the first."""
    misfits = list_misfits(module, weights)
    if misfits:
        raise UsageError(
            f"{source} does not fit {type(module).__name__}: {misfits[0]} ({len(misfits)} such in "
            "all); use the configuration that it was saved with"
        )


def list_misfits(module: nn.Module, weights: Mapping[str, Tensor]) -> list[str]:
    """Say of each weight that does not fit a module what is wrong with it."""
    own = module.state_dict()
    return [
        *(
            f"{key} is {tuple(weights[key].shape)}, expected {tuple(value.shape)}"
            for key, value in own.items()
            if key in weights and weights[key].shape != value.shape
        ),
        *(f"{key} is missing" for key in own if key not in weights),
        *(f"{key} is left over" for key in weights if key not in own),
    ]


def class_path(cls: type) -> str:
    """Return the path by which a configuration names a class."""
    return f"{cls.__module__}.{cls.__qualname__}"


def trusted_class(target: Any, trusted: Sequence[str], base: type[M]) -> type[M]:
    """Return the class that a file names, if it is one that may be built.

    Args:
        target: its path, such as "ocrl.modules.mlp.MLP".
        trusted: prefixes of the modules whose classes may be built.
        base: what it has to be a subclass of.

    Raises:
        UsageError: if it is anything else, or defined elsewhere.
    """
    refusal = UsageError(
        f"a checkpoint asks for {target!r:.100}, which is no {base.__name__} under "
        f"{', '.join(trusted)}: load files of your own classes with "
        f"trusted={(*trusted, 'mypackage.')} (on a command line trusted=[mypackage]), "
        "others not at all"
    )
    if not isinstance(target, str) or not target.startswith(tuple(trusted)):
        raise refusal
    from hydra.utils import get_object  # here, since it takes long to import

    try:
        found = get_object(target)
    except (ImportError, AttributeError, ValueError) as error:
        raise refusal from error
    # A trusted module's names lead anywhere, as in "ocrl.checkpoints.os.system": what counts is
    # where a class is defined.
    if not (isinstance(found, type) and issubclass(found, base) and class_path(found) == target):
        raise refusal
    return found
