"""Encoders on the Hugging Face hub: a repository has one file of weights and a model card."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ocrl.checkpoints.encoders import builder, load_encoder, read_checkpoint
from ocrl.encoder import Encoder
from ocrl.errors import UsageError

ENCODER = "encoder.safetensors"
"""The file of an encoder in a repository."""


def push_to_hub(path: str | Path, repository: str, *, private: bool = False) -> str:
    """Publish an encoder with a card that says what it is.

    Args:
        path: what `ocrl.save_encoder` wrote.
        repository: "user/name", made if it is not there. Who may write to it is what
            ``hf auth login`` was told.
        private: make it visible to its owner alone.

    Returns:
        Its address.

    Raises:
        UsageError: the file is no encoder, or the hub refuses.
    """
    return publish(repository, {ENCODER: Path(path)}, encoder_card(path, repository), private)


def from_pretrained(source: str | Path, *, trusted: Sequence[str] = ("ocrl.",)) -> Encoder:
    """Load an encoder of the hub, fetched once, or of a folder laid out like a repository.

    Args:
        source: "user/name", or a folder.
        trusted: see `ocrl.load_encoder`.

    Raises:
        UsageError: it cannot be fetched, or is no encoder.
    """
    return load_encoder(fetch(source, [ENCODER]) / ENCODER, trusted=trusted)


def encoder_card(path: str | Path, repository: str) -> str:
    """Return the model card of an encoder: how to load it, its scores and its configuration."""
    checkpoint = read_checkpoint(path)
    scores = checkpoint.metadata.get("scores") or {}
    return card(
        repository,
        f"An object-centric encoder, `{builder(checkpoint.config)}`: RGB frames in, tokens out.",
        f'encoder = ocrl.checkpoints.hub.from_pretrained("{repository}")',
        {"Scores": {name: row for name, row in scores.items() if isinstance(row, Mapping)}},
        {"Configuration": checkpoint.config},
    )


def card(
    title: str,
    summary: str,
    code: str,
    tables: Mapping[str, Mapping[str, Mapping[str, Any]]],
    settings: Mapping[str, Any],
) -> str:
    """Return a model card.

    Args:
        title: its heading.
        summary: a sentence.
        code: the line that loads the model.
        tables: heading -> row -> column -> number; empty ones are left out.
        settings: heading -> anything that JSON can hold.
    """
    package = code.partition("= ")[2].partition(".")[0]
    parts = [
        "---\nlibrary_name: ocrl\ntags: [object-centric-learning, ocrl]\n---",
        f"# {title}",
        summary,
        f"```python\nimport {package}\n\n{code}\n```",
    ]
    for heading, rows in tables.items():
        if rows:
            parts += [f"## {heading}", _table(rows)]
    for heading, values in settings.items():
        parts += [f"## {heading}", f"```json\n{json.dumps(values, indent=2)}\n```"]
    return "\n\n".join(parts) + "\n"


def publish(repository: str, files: Mapping[str, Path], text: str, private: bool) -> str:
    """Upload files under new names, and a model card, in one commit; return the address.

    Raises:
        UsageError: a file is missing, or the hub refuses.
    """
    from huggingface_hub import HfApi  # here, since it takes long to import
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    with tempfile.TemporaryDirectory() as folder:
        for name, path in files.items():
            if not path.exists():
                raise UsageError(f"there is no {path} to publish: name a file that is there")
            shutil.copyfile(path, Path(folder) / name)
        (Path(folder) / "README.md").write_text(text)
        try:
            api = HfApi()
            url = api.create_repo(repository, private=private, exist_ok=True)
            api.upload_folder(repo_id=repository, folder_path=folder)
        except (HfHubHTTPError, HFValidationError, OSError) as error:
            raise UsageError(
                f"the hub did not take {repository} ({' '.join(str(error).split())[:200]}): log in "
                "with hf auth login, and name it user/name"
            ) from error
    return str(url)


def fetch(source: str | Path, names: Sequence[str]) -> Path:
    """Return the folder of a repository, of which only some files are fetched.

    Args:
        source: "user/name" on the hub, or a folder.
        names: the files.

    Raises:
        UsageError: they cannot be fetched.
    """
    if Path(source).is_dir():
        return Path(source)
    from huggingface_hub import snapshot_download  # here, since it takes long to import
    from huggingface_hub.errors import HFValidationError

    try:
        return Path(snapshot_download(str(source), allow_patterns=list(names)))
    except (OSError, HFValidationError) as error:
        raise UsageError(
            f"{source} is no folder, and could not be fetched from huggingface.co "
            f"({type(error).__name__}): go online once, or give the folder of a download"
        ) from error


def _table(rows: Mapping[str, Mapping[str, Any]]) -> str:
    columns = list(dict.fromkeys(name for row in rows.values() for name in row))
    lines = [["", *columns], ["---"] * (len(columns) + 1)]
    for name, row in rows.items():
        cells = [row.get(column) for column in columns]
        texts = [f"{cell:.3g}" if isinstance(cell, int | float) else "" for cell in cells]
        lines.append([name, *texts])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
