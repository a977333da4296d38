"""Encoders on disk: weights and configuration in one safetensors file. Nothing in it is run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ocrl import zoo
from ocrl.checkpoints.building import (
    build,
    check_fit,
    check_numbers,
    class_path,
    fit_weights,
    within,
)
from ocrl.checkpoints.official import identify, load_released
from ocrl.checkpoints.releases import RELEASES
from ocrl.encoder import Encoder
from ocrl.errors import UsageError
from ocrl.reading import parse_object
from ocrl.tensor_files import read_tensors, write_tensors

KIND = "encoder"
VERSION = "2"
# What is read. Files of version 1 name classes and their parts in place of the zoo's functions.
VERSIONS = ("1", "2")


LARGEST = {"image_size": 4096, "num_tokens": 2**16, "token_dim": 2**16}
"""What an encoder in a file may have: side of a frame in pixels, tokens, numbers in a token."""


class Checkpoint(NamedTuple):
    """What a file holds.

    Attributes:
        config: what builds the encoder: ``_target_``, that is ``ocrl.create_encoder`` or a class,
            and its arguments.
        metadata: notes for people: data, seed, scores.
        weights: the encoder's ``state_dict``.
    """

    config: dict[str, Any]
    metadata: dict[str, Any]
    weights: dict[str, Tensor]


def save_encoder(
    path: str | Path,
    encoder: Encoder,
    config: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> None:
    """Write an encoder to one file, whole or not at all.

    Args:
        path: where to; by custom it ends in ".safetensors". A file of that name is replaced.
        encoder: what is saved.
        config: what builds it, as Hydra would: a plain dict with ``_target_`` and arguments. None:
            what it was created with by `ocrl.create_encoder`.
        metadata: anything that JSON can hold, for people: data, seed, scores. Which files of the
            hub the encoder was made from joins it, under ``hub``.

    Raises:
        UsageError: if the configuration does not name what built the encoder, or JSON cannot hold
            it.
    """
    config = encoder.config if config is None else config
    actual = builder(encoder.config or {"_target_": class_path(type(encoder))})
    if config is None or builder(config) != actual:
        given = "nothing" if config is None else builder(config)
        raise UsageError(
            f"the configuration names {given}, but the encoder is of {actual}: "
            "save an encoder with the configuration that built it"
        )
    notes = dict(metadata or {})
    files = [file for part in encoder.modules() if (file := getattr(part, "origin", None))]
    if files:
        notes["hub"] = {file.name: file.pin._asdict() for file in files}
    try:
        texts = {"config": json.dumps(dict(config)), "metadata": json.dumps(notes)}
    except TypeError as error:
        raise UsageError(
            f"the configuration or the metadata is not plain JSON ({error}): resolve it first, "
            "with OmegaConf.to_container(config, resolve=True)"
        ) from error
    header = {"format": f"ocrl-{KIND}", "version": VERSION, **texts}
    write_tensors(path, encoder.state_dict(), header)


def builder(config: Mapping[str, Any]) -> str:
    """Say what a configuration builds an encoder with: the zoo's name for it, or a class.

    >>> builder({"_target_": "ocrl.create_encoder", "name": "slotcontrast", "num_slots": 5})
    'slotcontrast'
    """
    named = config.get("_target_") == zoo.TARGET
    return str(config.get("name" if named else "_target_"))


def load_encoder(source: str | Path, *, trusted: Sequence[str] = ("ocrl.",)) -> Encoder:
    """Load an encoder, in eval mode and without gradients.

    A saved file is read as tensors and JSON. What it names is built only if it is in the zoo or a
    torch module defined under a trusted prefix; nothing is fetched. A released encoder, by name,
    is fetched from the Hugging Face hub once, or read from the ``.ckpt`` itself: tensors only.

    Args:
        source: the path of what `save_encoder` wrote; or the name of a released encoder, such as
            "slotcontrast-movi-c", or the path of its ``.ckpt``.
        trusted: prefixes of the modules whose classes may be built. To load an encoder of your
            own, add your package's: ``("ocrl.", "mypackage.")``.

    Raises:
        UsageError: if the file is missing, cut short or of another kind, names classes that are
            not trusted, or holds tensors that do not fit; if a released one cannot be fetched.
    """
    if str(source) in RELEASES:
        return load_released(str(source))
    if Path(source).suffix == ".ckpt":
        return load_released(identify(source), source)
    checkpoint = read_checkpoint(source)
    check_numbers(checkpoint.config, str(source))
    with within(checkpoint.weights, str(source)):
        # without memory at first: what does not fit the weights is never allocated
        with torch.device("meta"):
            sketch = build(checkpoint.config, trusted)
        if not isinstance(sketch, Encoder):
            raise UsageError(f"{source} holds no encoder, but {checkpoint.config.get('_target_')}")
        check_sizes(sketch, str(source))
        check_fit(sketch, checkpoint.weights, str(source))
    with within(checkpoint.weights, str(source)):
        encoder: Encoder = build(checkpoint.config, trusted)
    fit_weights(encoder, checkpoint.weights, str(source))
    encoder.config = checkpoint.config
    return encoder.eval().requires_grad_(False)


def check_sizes(encoder: Encoder, source: str) -> None:
    """Raise UsageError if an encoder asks for frames or gives tokens of absurd sizes."""
    sizes = {
        "image_size": encoder.image_size,
        "num_tokens": (encoder.num_tokens,),
        "token_dim": (encoder.token_dim,),
    }
    for name, values in sizes.items():
        if not all(isinstance(value, int) and 1 <= value <= LARGEST[name] for value in values):
            raise UsageError(
                f"{source} has {name}={values}, expected whole numbers from 1 to {LARGEST[name]}: "
                "give a file that save_encoder wrote"
            )


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Read what `save_encoder` wrote, without building anything.

    Raises:
        UsageError: if the file is missing, cut short or of another kind.
    """
    header, weights = read_tensors(path, KIND, VERSIONS)
    config, metadata = (
        parse_object(header.get(name, ""), f"{name} of {path}") for name in ("config", "metadata")
    )
    return Checkpoint(config, metadata, weights)


def sha256(path: str | Path) -> str:
    """Return the hexadecimal sha256 of a file, which tells two checkpoints apart."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
