"""Encoders on the Hugging Face hub: a repository has one file of weights and a model card."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ocrl.checkpoints.encoders import builder, load_encoder, read_checkpoint, sha256
from ocrl.encoder import Encoder
from ocrl.errors import UsageError
from ocrl.hub_files import check_sha256

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
        The address of the commit, whose last part is what `from_pretrained` takes as ``revision``.

    Raises:
        UsageError: the file is no encoder, or the hub refuses.
    """
    return publish(repository, {ENCODER: Path(path)}, encoder_card(path, repository), private)


def from_pretrained(
    source: str | Path,
    *,
    revision: str | None = None,
    sha256: str | None = None,
    trusted: Sequence[str] = ("ocrl.",),
) -> Encoder:
    """Load an encoder of the hub, fetched once, or of a folder laid out like a repository.

    Args:
        source: "user/name", or a folder.
        revision: a commit of the repository, a branch or a tag. None: what is newest.
        sha256: of the encoder's file; the card has it. None: whatever there is.
        trusted: see `ocrl.load_encoder`.

    Raises:
        UsageError: it cannot be fetched, is another than meant, or is no encoder.
    """
    path = fetch(source, [ENCODER], revision) / ENCODER
    if sha256 is not None:
        check_sha256(path, sha256)
    return load_encoder(path, trusted=trusted)


def encoder_card(path: str | Path, repository: str) -> str:
    """Return the model card of an encoder: how to load it, its scores and its configuration."""
    checkpoint = read_checkpoint(path)
    scores = checkpoint.metadata.get("scores") or {}
    return card(
        repository,
        f"An object-centric encoder, `{builder(checkpoint.config)}`: RGB frames in, tokens out.",
        f'encoder = ocrl.checkpoints.hub.from_pretrained("{repository}", sha256="{sha256(path)}")',
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
    """Upload files under new names, and a model card; return the address of the commit.

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
            commit = api.upload_folder(repo_id=repository, folder_path=folder)
        except (HfHubHTTPError, HFValidationError, OSError) as error:
            raise UsageError(
                f"the hub did not take {repository} ({' '.join(str(error).split())[:200]}): log in "
                "with hf auth login, and name it user/name"
            ) from error
    return f"{url}/tree/{commit.oid}"


def fetch(source: str | Path, names: Sequence[str], revision: str | None) -> Path:
    """Return the folder of a repository, of which only some files are fetched.

    Args:
        source: "user/name" on the hub, or a folder.
        names: the files.
        revision: a commit, a branch or a tag of the repository. None: what is newest.

    Raises:
        UsageError: they cannot be fetched.
    """
    if Path(source).is_dir():
        if revision is not None:
            raise UsageError(f"{source} is a folder, without revisions: leave revision out")
        return Path(source)
    from huggingface_hub import snapshot_download  # here, since it takes long to import
    from huggingface_hub.errors import HFValidationError

    try:
        return Path(snapshot_download(str(source), revision=revision, allow_patterns=list(names)))
    except (OSError, HFValidationError) as error:
        version = f"revision {revision} of {source}" if revision else str(source)
        raise UsageError(
            f"{version} is no folder, and could not be fetched from huggingface.co "
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
