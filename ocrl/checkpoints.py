"""Encoders on disk: weights and configuration in one safetensors file. Nothing in it is run."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import safetensors.torch
from hydra.utils import get_object
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from ocrl.encoder import Encoder
from ocrl.errors import UsageError

FORMAT = "ocrl-encoder"
VERSION = "1"


class Checkpoint(NamedTuple):
    """What a file holds.

    Attributes:
        config: what builds the encoder: ``_target_`` and the constructor's arguments.
        metadata: notes for people: data, seed, scores.
        weights: the encoder's ``state_dict``.
    """

    config: dict[str, Any]
    metadata: dict[str, Any]
    weights: dict[str, Tensor]


def save_encoder(
    path: str | Path,
    encoder: Encoder,
    config: Mapping[str, Any],
    metadata: Mapping[str, Any] | None = None,
) -> None:
    """Write an encoder to one file, whole or not at all.

    Args:
        path: where to; by custom it ends in ".safetensors". A file of that name is replaced.
        encoder: what is saved.
        config: what builds it: a plain dict with ``_target_`` and the constructor's arguments, as
            Hydra instantiates them.
        metadata: anything that JSON can hold, for people: data, seed, scores.

    Raises:
        UsageError: if the configuration does not name the encoder's class, or JSON cannot hold it.
    """
    name = _name(type(encoder))
    if config.get("_target_") != name:
        raise UsageError(
            f"the configuration builds {config.get('_target_')}, but the encoder is a {name}: "
            "save an encoder with the configuration that built it"
        )
    try:
        texts = {"config": json.dumps(dict(config)), "metadata": json.dumps(dict(metadata or {}))}
    except TypeError as error:
        raise UsageError(
            f"the configuration or the metadata is not plain JSON ({error}): resolve it first, "
            "with OmegaConf.to_container(config, resolve=True)"
        ) from error
    header = {"format": FORMAT, "version": VERSION, **texts}
    weights = {key: value.cpu().contiguous() for key, value in encoder.state_dict().items()}
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        safetensors.torch.save_file(weights, temporary, header)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def load_encoder(path: str | Path, *, trusted: Sequence[str] = ("ocrl.",)) -> Encoder:
    """Rebuild a saved encoder, in eval mode and without gradients.

    The file is read as tensors and JSON. The classes that it names are built only if they are
    torch modules defined under a trusted prefix; nothing is fetched.

    Args:
        path: what `save_encoder` wrote.
        trusted: prefixes of the modules whose classes may be built. To load an encoder of your
            own, add your package's: ``("ocrl.", "mypackage.")``.

    Raises:
        UsageError: if the file is missing, cut short or of another kind, names classes that are
            not trusted, or holds tensors that do not fit.
    """
    checkpoint = read_checkpoint(path)
    try:
        encoder = _build(checkpoint.config, tuple(trusted))
    except TypeError as error:
        raise UsageError(
            f"{path} does not fit this version of its classes ({error}): load it with the version "
            "that saved it"
        ) from error
    if not isinstance(encoder, Encoder):
        raise UsageError(f"{path} holds no encoder, but {checkpoint.config.get('_target_')}")
    fit_weights(encoder, checkpoint.weights, str(path))
    return encoder.eval().requires_grad_(False)


def load_weights(encoder: Encoder, path: str | Path) -> None:
    """Copy saved weights into an encoder of the same configuration, to start training from them.

    Args:
        encoder: what is filled.
        path: what `save_encoder` wrote.

    Raises:
        UsageError: if the file cannot be read, or is of another encoder.
    """
    checkpoint = read_checkpoint(path)
    if checkpoint.config.get("_target_") != _name(type(encoder)):
        raise UsageError(
            f"{path} holds a {checkpoint.config.get('_target_')}, not a {_name(type(encoder))}: "
            "choose a checkpoint of the same encoder"
        )
    fit_weights(encoder, checkpoint.weights, str(path))


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Read what `save_encoder` wrote, without building anything.

    Raises:
        UsageError: if the file is missing, cut short or of another kind.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            weights = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        reason = "there is no such file" if isinstance(error, FileNotFoundError) else str(error)
        raise UsageError(
            f"cannot read the encoder {path} ({reason}): give a whole file that save_encoder wrote"
        ) from error
    if (header.get("format"), header.get("version")) != (FORMAT, VERSION):
        raise UsageError(
            f"{path} is not an encoder of format {FORMAT} {VERSION}: give a file that save_encoder "
            "of this version wrote"
        )
    return Checkpoint(json.loads(header["config"]), json.loads(header["metadata"]), weights)


def fit_weights(module: nn.Module, weights: Mapping[str, Tensor], source: str) -> None:
    """Copy weights into a module whose names and shapes they match exactly.

    Args:
        module: what is filled.
        weights: as a ``state_dict``.
        source: where they come from, for messages.

    Raises:
        UsageError: for the first name that is missing, left over or of another shape.
    """
    own = module.state_dict()
    missing = sorted(own.keys() - weights.keys())
    extra = sorted(weights.keys() - own.keys())
    misshapen = [key for key in own if key in weights and own[key].shape != weights[key].shape]
    if missing or extra or misshapen:
        if misshapen:
            key = misshapen[0]
            detail = f"{key} is {tuple(weights[key].shape)}, expected {tuple(own[key].shape)}"
        else:
            detail = f"{missing[0]} is missing" if missing else f"{extra[0]} is left over"
        count = len(missing) + len(extra) + len(misshapen)
        raise UsageError(
            f"{source} does not fit {type(module).__name__}: {detail} ({count} such in all); "
            "use the configuration that it was saved with"
        )
    module.load_state_dict(dict(weights))


def sha256(path: str | Path) -> str:
    """Return the hexadecimal sha256 of a file, which tells two checkpoints apart."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _name(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def _build(node: Any, trusted: tuple[str, ...]) -> Any:
    """Build a configuration as Hydra would, but only modules of trusted packages."""
    if isinstance(node, list):
        return [_build(item, trusted) for item in node]
    if not isinstance(node, dict):
        return node
    # The weights come from the file: a backbone need not fetch its own.
    arguments = {
        key: False if key == "pretrained" else _build(value, trusted)
        for key, value in node.items()
        if key != "_target_"
    }
    return (
        _trusted_class(node["_target_"], trusted)(**arguments) if "_target_" in node else arguments
    )


def _trusted_class(target: Any, trusted: tuple[str, ...]) -> type[nn.Module]:
    refusal = UsageError(
        f"a checkpoint asks for {target!r}, which is no torch module under {', '.join(trusted)}: "
        "load files of your own classes with trusted=('ocrl.', 'mypackage.'), others not at all"
    )
    if not isinstance(target, str) or not target.startswith(trusted):
        raise refusal
    try:
        found = get_object(target)
    except (ImportError, AttributeError, ValueError) as error:
        raise refusal from error
    # A trusted module's names lead anywhere, as in "ocrl.checkpoints.os.system": what counts is
    # where a class is defined.
    if not (isinstance(found, type) and issubclass(found, nn.Module) and _name(found) == target):
        raise refusal
    return found
