"""Tar shards, written one by one and published together; an interrupted run goes on."""

from __future__ import annotations

import functools
import hashlib
import io
import itertools
import json
import os
import shutil
import tarfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ocrl.data.shard_entries import ADVICE, CHECKSUMS, row_checksums
from ocrl.data.shards import listed_shards
from ocrl.errors import UsageError
from ocrl.files import LOCK, PARTIAL, alone, whole_file, write_text
from ocrl.reading import read_object, reading

VIDEOS_PER_SHARD = 32

Arrays = Mapping[str, NDArray[Any]]


def write_shards(
    videos: Callable[[int], Iterable[Arrays]],
    folder: str | Path,
    dataset: str,
    split: str,
    *,
    total: int | None = None,
    settings: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    progress: bool = True,
) -> list[Path]:
    """Write videos as shards ``<folder>/<dataset>-<split>-<number>.tar``, see `ocrl.data.shards`.

    The shards appear when all are whole, with ``<dataset>-<split>.json``, which lists their sizes
    and hashes. Called again after an interruption, it goes on with the shard that was begun.

    Args:
        videos: given n, yields the videos from the n-th on: arrays by name, ``video`` uint8
            (T, H, W, 3) or ``image`` (H, W, 3) at least.
        folder: made if it is absent.
        dataset: such as ``movi_c``.
        split: such as ``train``.
        total: number of videos, for the progress bar.
        settings: what they were made with; what an interrupted run with others left is discarded.
        overwrite: replace the shards of this split.
        progress: show a progress bar.

    Returns:
        The paths of the shards; those that are there if they were made with these settings, and
        have the hashes that are listed.

    Raises:
        UsageError: there are other shards of this split already, or one that is damaged.
    """
    folder = Path(folder)
    partial = folder / f".{dataset}-{split}{PARTIAL}"
    manifest = partial / "manifest.json"
    there = functools.partial(_there_already, folder, dataset, split, settings)
    if not overwrite and not partial.exists() and (old := there()):
        return old
    with alone(partial, f"another process is writing the {split} shards in {folder}: wait for it"):
        if not manifest.exists():
            if not overwrite and (old := there()):
                shutil.rmtree(partial)
                return old
            _write_all(videos, partial, dataset, split, total, dict(settings or {}), progress)
        return _publish(manifest, folder, dataset, split)


def _there_already(
    folder: Path, dataset: str, split: str, settings: Mapping[str, Any] | None
) -> list[Path]:
    """Return the shards of a split that were made with some settings; none if there are none.

    Raises:
        UsageError: there are others, or one is damaged.
    """
    old = sorted(folder.glob(f"{dataset}-{split}-*.tar"))
    if old and not is_made_with(folder, dataset, split, settings):
        raise UsageError(
            f"{old[0]} exists already: pass overwrite=true to replace the {split} shards, or "
            "choose another folder"
        )
    if old:
        _check_hashes(folder, dataset, split)
        print(f"the {split} shards in {folder} are there already, and whole")
    return old


def is_made_with(
    folder: Path, dataset: str, split: str, settings: Mapping[str, Any] | None
) -> bool:
    """Say whether the shards of a split were published, and made with some settings."""
    manifest = folder / f"{dataset}-{split}.json"
    if not settings or not manifest.exists():
        return False
    content = read_object(manifest, "list of shards", "make the split again with overwrite=true")
    return bool(content.get("settings") == json.loads(json.dumps(dict(settings))))


def _check_hashes(folder: Path, dataset: str, split: str) -> None:
    for name, written in listed_shards(folder / f"{dataset}-{split}.json", ADVICE).items():
        with reading(folder / name, "shard", ADVICE):
            if _sha256(folder / name) != written.get("sha256"):
                raise ValueError("it is damaged")


def _write_all(
    videos: Callable[[int], Iterable[Arrays]],
    partial: Path,
    dataset: str,
    split: str,
    total: int | None,
    settings: dict[str, Any],
    progress: bool,
) -> None:
    written = _begin(partial, settings)
    number = sum(len_ for _, len_ in written)
    stream = iter(videos(number))
    with tqdm(
        desc=f"{dataset} {split}", unit="video", total=total, initial=number, disable=not progress
    ) as bar:
        while piece := list(itertools.islice(stream, VIDEOS_PER_SHARD)):
            name = f"{dataset}-{split}-{len(written):06d}.tar"
            with whole_file(partial / name) as part, tarfile.open(part, "w") as shard:
                for arrays in piece:
                    for entry, array in arrays.items():
                        _add(shard, f"{number}.{entry}", array)
                    number += 1
                    bar.update()
            written.append((name, len(piece)))
    shards = {
        name: {"bytes": (partial / name).stat().st_size, "sha256": _sha256(partial / name)}
        for name, _ in written
    }
    content = {"videos": number, "shards": shards, "settings": settings}
    write_text(partial / "manifest.json", json.dumps(content, indent=2))


def _begin(partial: Path, settings: dict[str, Any]) -> list[tuple[str, int]]:
    """Return the whole shards that an interrupted run of the same settings left."""
    note = partial / "settings.json"
    text = json.dumps(settings, sort_keys=True)
    if note.is_file() and note.read_bytes() == text.encode():
        for leftover in partial.glob(".*.partial*"):
            leftover.unlink()
        return [
            (path.name, VIDEOS_PER_SHARD)
            for path in sorted(partial.glob("*.tar"))
            if _num_videos(path) == VIDEOS_PER_SHARD
        ]
    for other in partial.iterdir():
        if other.name != LOCK:
            other.unlink()
    write_text(note, text)
    return []


def _publish(manifest: Path, folder: Path, dataset: str, split: str) -> list[Path]:
    """Move what is written to where it is read; whoever reads before the end is told so."""
    advice = f"remove {manifest.parent}, and run the same command again"
    names = list(listed_shards(manifest, advice))
    for path in folder.glob(f"{dataset}-{split}-*.tar"):
        if path.name not in names:
            path.unlink()
    for name in names:
        if (manifest.parent / name).exists():
            os.replace(manifest.parent / name, folder / name)
    os.replace(manifest, folder / f"{dataset}-{split}.json")
    shutil.rmtree(manifest.parent)
    return [folder / name for name in names]


def _add(shard: tarfile.TarFile, name: str, array: NDArray[Any]) -> None:
    _add_file(shard, f"{name}.npy", array)
    if array.ndim:  # a number has no rows
        _add_file(shard, f"{name}{CHECKSUMS}.npy", row_checksums(array))


def _add_file(shard: tarfile.TarFile, name: str, array: NDArray[Any]) -> None:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    member = tarfile.TarInfo(name)
    member.size = buffer.tell()
    buffer.seek(0)
    shard.addfile(member, buffer)


def _num_videos(path: Path) -> int:
    try:
        with tarfile.open(path, "r:") as shard:
            return len({name.partition(".")[0] for name in shard.getnames()})
    except tarfile.TarError:
        return 0


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
