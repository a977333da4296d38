"""The published checkpoints of SlotContrast, VideoSAUR and DINOSAUR, by name or as a file."""

from __future__ import annotations

import difflib
import pathlib
from pathlib import Path

import torch
from torch import Tensor
from torch.serialization import safe_globals

from ocrl.checkpoints.building import fit_weights, list_misfits
from ocrl.checkpoints.releases import RELEASES, Release
from ocrl.encoder import Encoder
from ocrl.errors import UsageError
from ocrl.hub_files import fetch_published
from ocrl.reading import reading
from ocrl.zoo import create_encoder

# What the official code calls the parts of its model, and what they are called here. Its video
# models put "module." after some.
PARTS = {
    "initializer.": "recurrence.initializer.",
    "encoder.backbone.": "backbone.",
    "encoder.output_transform.": "projection.",
    "processor.corrector.": "recurrence.corrector.",
    "processor.predictor.": "recurrence.predictor.",
    "decoder.": "decoder.",
}
ADVICE = "give a whole .ckpt, as it was released, that holds tensors and nothing to run"
# A random initialiser's fixed noise in eval mode, which the official code draws each time.
OURS_ALONE = "recurrence.initializer.eval_noise"


def load_released(name: str, path: str | Path | None = None) -> Encoder:
    """Load a published encoder, in eval mode and without gradients.

    Args:
        name: such as "slotcontrast-movi-c"; all are in `ocrl.checkpoints.releases.RELEASES`.
        path: the downloaded ``.ckpt``. None: fetch it from the Hugging Face hub, once; what came
            first is what is taken ever after (`ocrl.hub_files`).

    Raises:
        UsageError: for an unknown name, if the hub cannot be reached, or if the file holds
            anything but the tensors of that encoder.
    """
    if name not in RELEASES:
        close = difflib.get_close_matches(name, RELEASES, n=1)
        hint = f"did you mean {close[0]}?" if close else f"choose one of {', '.join(RELEASES)}"
        raise UsageError(f"there is no released encoder {name!r}: {hint}")
    if path is None:
        release = RELEASES[name]
        path = fetch_published(release.repository, release.filename).path
    weights = read_weights(path)
    encoder = _create(RELEASES[name])
    fit_weights(encoder, weights | _ours_alone(encoder), str(path))
    return encoder.eval().requires_grad_(False)


def identify(path: str | Path) -> str:
    """Return the name of the release whose parameters a ``.ckpt`` holds.

    Raises:
        UsageError: if it is none of them, or if several have the same parameters.
    """
    weights = read_weights(path)
    names = []
    for name, release in RELEASES.items():
        with torch.device("meta"):
            encoder = _create(release)
        if not list_misfits(encoder, weights | _ours_alone(encoder)):
            names.append(name)
    if len(names) != 1:
        fits = " and ".join(names) or f"none of {', '.join(RELEASES)}"
        raise UsageError(
            f"{path} fits {fits}: say which it is with "
            "ocrl.checkpoints.official.load_released(name, path)"
        )
    return names[0]


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """Read the weights from a ``.ckpt`` of the official code, under the names they have here.

    Such files are pickles. Tensors, plain containers and the one path class that they hold are let
    in; a file that asks for anything else is refused before any of it runs.

    Raises:
        UsageError: if the file is missing, cut short, of another kind, or asks for more.
    """
    with reading(path, "encoder", ADVICE), safe_globals([pathlib.PosixPath]):
        content = torch.load(path, map_location="cpu", weights_only=True)
    weights = content.get("state_dict") if isinstance(content, dict) else None
    if not isinstance(weights, dict) or not all(
        isinstance(key, str) and isinstance(value, Tensor) for key, value in weights.items()
    ):
        raise UsageError(f"{path} holds no state_dict of tensors: give a .ckpt as it was released")
    return {_our_name(key): value for key, value in weights.items()}


def _create(release: Release) -> Encoder:
    return create_encoder(release.encoder, **release.arguments, pretrained=False)


def _our_name(key: str) -> str:
    plain = key.replace(".module.", ".", 1)
    for theirs, ours in PARTS.items():
        if plain.startswith(theirs):
            return ours + plain.removeprefix(theirs)
    return key


def _ours_alone(encoder: Encoder) -> dict[str, Tensor]:
    return {key: value for key, value in encoder.state_dict().items() if key == OURS_ALONE}
