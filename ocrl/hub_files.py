"""Files of the Hugging Face hub, each pinned: by the commit that has it, and by its SHA-256.

What others published and this package takes by name is in `PINS`, or is pinned by the first who
fetches it: commit and hash are noted beside the downloads, and hold ever after.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import NamedTuple

from ocrl.errors import UsageError
from ocrl.files import write_text
from ocrl.reading import read_object

NOTES = "ocrl_pins.json"
"""What was fetched first, in the folder of the downloads: ``~/.cache/huggingface``."""


class Pin(NamedTuple):
    """Which version of a file, and what is in it.

    Attributes:
        revision: a commit of its repository, 40 hexadecimal digits.
        sha256: of the file, 64 of them.
    """

    revision: str
    sha256: str


PINS = {
    "timm/vit_small_patch14_dinov2.lvd142m/model.safetensors": Pin(
        "4610ca143709d58a633b6397a74412c2c3842454",
        "04d27f3400d059fc0cfd7d17dd1909a75bf3ea8fb3eeb48b97cb99e57ee20081",
    ),
    "timm/vit_base_patch14_dinov2.lvd142m/model.safetensors": Pin(
        "4685c99dabffe5affac90bd99dbffd25801ae58d",
        "55cbb5d887b336d430e649c277b85a1429e724871f9d02ac16203235886d8c7b",
    ),
}
"""Files by ``repository/name``, as several projects that fetched them state them."""


class HubFile(NamedTuple):
    """A file of the hub on this disk.

    Attributes:
        path: of the file.
        name: ``repository/name``.
        pin: of which version it is.
    """

    path: Path
    name: str
    pin: Pin


def fetch_published(repository: str, filename: str) -> HubFile:
    """Return what others published, as it was when this package, or its user, first had it.

    Args:
        repository: "owner/name".
        filename: in the repository.

    Raises:
        UsageError: it cannot be fetched, or is not what it was.
    """
    name = f"{repository}/{filename}"
    if name in PINS:
        return download(repository, filename, *PINS[name])
    notes = _notes()
    known = read_object(notes, "pins") if notes.exists() else {}
    if name not in known:
        file = download(repository, filename)
        write_text(notes, json.dumps({**known, name: file.pin._asdict()}, indent=2))
        return file
    pin = known[name]
    if not isinstance(pin, dict) or not all(isinstance(pin.get(key), str) for key in Pin._fields):
        raise UsageError(f"{notes} has no {' and '.join(Pin._fields)} of {name}: take it out there")
    return download(repository, filename, pin["revision"], pin["sha256"])


def download(
    repository: str, filename: str, revision: str | None = None, sha256: str | None = None
) -> HubFile:
    """Fetch a file, once, and check that it is the one that is meant.

    Args:
        repository: "owner/name".
        filename: in the repository.
        revision: a commit, a branch or a tag. None: what is newest.
        sha256: of the file. None: whatever there is.

    Raises:
        UsageError: it cannot be fetched, or is another.
    """
    import huggingface_hub  # here, since it takes long to import
    from huggingface_hub.errors import HFValidationError

    try:
        path = Path(huggingface_hub.hf_hub_download(repository, filename, revision=revision))
    except (OSError, HFValidationError) as error:
        version = f" of revision {revision}" if revision else ""
        raise UsageError(
            f"{filename}{version} could not be fetched from huggingface.co/{repository} "
            f"({type(error).__name__}): go online once, or give a file or folder of your own"
        ) from error
    found = check_sha256(path, sha256)
    # downloads are kept in snapshots/<commit>/<filename>
    commit = path.parts[-1 - len(Path(filename).parts)]
    return HubFile(path, f"{repository}/{filename}", Pin(commit, found))


def check_sha256(path: Path, expected: str | None) -> str:
    """Return the SHA-256 of a file.

    Args:
        path: of the file.
        expected: what it is to be. None: anything.

    Raises:
        UsageError: it is another.
    """
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if expected is not None and found != expected.lower():
        raise UsageError(
            f"{path} is not the file that is meant (its SHA-256 is {found}, expected is "
            f"{expected}): remove it to have it fetched again, or give the hash of this one if it "
            "is what you want"
        )
    return found


def _notes() -> Path:
    from huggingface_hub import constants  # here, since it takes long to import

    return Path(constants.HF_HOME) / NOTES
