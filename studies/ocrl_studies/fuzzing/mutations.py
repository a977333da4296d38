"""Changes to a file: by bytes, by what it holds, and of what stands in its place."""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import safetensors
import safetensors.torch
import torch
import yaml

Generator = np.random.Generator
Change = Callable[[Path, Generator], None]

NASTY: list[Any] = [
    None, True, -1, 0, 1.5, 10**12, 2**63, -(2**31), float("nan"), float("inf"), "", "x" * 1000,
    "../../../etc/passwd", "os.system", "${oc.env:HOME}", [], {}, [1, [2, [3]]],
    {"_target_": "os.system"},
    "\0", "é\u202e", [10**9] * 3, "1e999", "nan",
]  # fmt: skip
"""What stands where something else is expected."""


def mutate(path: Path, rng: Generator) -> str:
    """Change a file, and say how."""
    changes: list[Change] = [*BYTES, *PLACES]
    own = BY_ENDING.get(path.suffix, []) * 6
    change = (changes + own)[int(rng.integers(len(changes) + len(own)))]
    try:
        change(path, rng)
    except OverflowError:  # a number that the format cannot hold
        flip(path, rng)
    return change.__name__


def damage(path: Path, rng: Generator) -> str:
    """Change bytes of a file, as a disk or a copy would, and say how."""
    before = path.read_bytes()
    while path.read_bytes() == before:
        change = DAMAGE[int(rng.integers(len(DAMAGE)))]
        change(path, rng)
    return change.__name__


def flip(path: Path, rng: Generator) -> None:
    """Turn one bit, or a few."""
    content = bytearray(path.read_bytes())
    for _ in range(int(rng.choice([1, 1, 1, 8]))):
        if content:
            content[int(rng.integers(len(content)))] ^= 1 << int(rng.integers(8))
    path.write_bytes(content)


def flip_in_front(path: Path, rng: Generator) -> None:
    """Turn a bit where headers are."""
    content = bytearray(path.read_bytes())
    content[int(rng.integers(min(len(content), 512)))] ^= 1 << int(rng.integers(8))
    path.write_bytes(content)


def truncate(path: Path, rng: Generator) -> None:
    """Cut the end off."""
    os.truncate(path, int(rng.integers(path.stat().st_size)))


def blank(path: Path, rng: Generator) -> None:
    """Fill a block with zeros, or with noise."""
    content = bytearray(path.read_bytes())
    start = int(rng.integers(len(content)))
    stop = min(len(content), start + int(rng.choice([8, 64, 512])))
    content[start:stop] = rng.bytes(stop - start) if rng.random() < 0.5 else bytes(stop - start)
    path.write_bytes(content)


def repeat(path: Path, rng: Generator) -> None:
    """Put a block in twice."""
    content = path.read_bytes()
    start, stop = sorted(int(n) for n in rng.integers(len(content) + 1, size=2))
    path.write_bytes(content[:stop] + content[start:])


def noise(path: Path, rng: Generator) -> None:
    """Put noise in place of all."""
    path.write_bytes(rng.bytes(int(rng.integers(1, 4096))))


def empty(path: Path, rng: Generator) -> None:
    """Leave nothing."""
    os.truncate(path, 0)


def huge(path: Path, rng: Generator) -> None:
    """Append 3 GB that take no place on the disk."""
    os.truncate(path, path.stat().st_size + 3 * 10**9)


def encode(path: Path, rng: Generator) -> None:
    """Write it in another encoding, as an editor would."""
    text = path.read_bytes().decode("latin-1")
    name = ("utf-16", "utf-8-sig", "utf-32", "cp037")[int(rng.integers(4))]
    path.write_bytes(text.encode(name))


def folder(path: Path, rng: Generator) -> None:
    """Put a folder in its place."""
    path.unlink()
    path.mkdir()


def pipe(path: Path, rng: Generator) -> None:
    """Put a pipe in its place."""
    path.unlink()
    os.mkfifo(path)


def circle(path: Path, rng: Generator) -> None:
    """Put a link to itself in its place."""
    path.unlink()
    path.symlink_to(path.name)


def device(path: Path, rng: Generator) -> None:
    """Put a link to an endless device in its place."""
    path.unlink()
    path.symlink_to("/dev/zero")


def absent(path: Path, rng: Generator) -> None:
    """Take it away."""
    path.unlink()


BYTES: list[Change] = [flip, flip_in_front, truncate, blank, repeat, noise, empty, huge, encode]
DAMAGE: list[Change] = [flip, flip, flip_in_front, truncate, blank, repeat]
PLACES: list[Change] = [folder, pipe, circle, device, absent]


def nasty(content: Any, rng: Generator) -> Any:
    """Return JSON-like content with something else somewhere in it."""
    if isinstance(content, dict | list) and content and rng.random() < 0.85:
        keys = list(content) if isinstance(content, dict) else list(range(len(content)))
        key = keys[int(rng.integers(len(keys)))]
        copy = content.copy()
        if rng.random() < 0.15:
            del copy[key]
        elif rng.random() < 0.1 and isinstance(copy, dict):
            copy["unknown"] = copy[key]
        else:
            copy[key] = nasty(content[key], rng)
        return copy
    return NASTY[int(rng.integers(len(NASTY)))]


def in_json(path: Path, rng: Generator) -> None:
    """Put something else into JSON."""
    path.write_text(json.dumps(nasty(json.loads(path.read_text()), rng)))


def in_yaml(path: Path, rng: Generator) -> None:
    """Put something else into YAML."""
    path.write_text(yaml.safe_dump(nasty(yaml.safe_load(path.read_text()), rng)))


def in_csv(path: Path, rng: Generator) -> None:
    """Put something else into a cell, or a cell too many."""
    rows = list(csv.reader(path.read_text().splitlines()))
    row = rows[int(rng.integers(len(rows)))]
    value = str(NASTY[int(rng.integers(len(NASTY)))])
    if rng.random() < 0.3:
        row.append(value)
    else:
        row[int(rng.integers(len(row)))] = value
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)


def in_text(path: Path, rng: Generator) -> None:
    """Put another character into a text."""
    text = path.read_text()
    place = int(rng.integers(len(text)))
    path.write_text(text[:place] + "*PGA \tx\n\u2028é"[int(rng.integers(10))] + text[place + 1 :])


def in_array(array: np.ndarray, rng: Generator) -> np.ndarray:
    """Return an array of another type or shape, or with what is no number."""
    ways: list[Callable[[], np.ndarray]] = [
        lambda: array.astype(np.float64),
        lambda: array.astype(str),
        lambda: array[..., None],
        lambda: array.reshape(-1),
        lambda: array[:0],
        lambda: array[: len(array) // 2] if array.ndim else array,
        lambda: np.full(array.shape, np.nan, np.float32),
        lambda: np.zeros((2, 2), np.int8),
        lambda: np.array(3),
    ]
    return ways[int(rng.integers(len(ways)))]()


def in_arrays(path: Path, rng: Generator) -> None:
    """Change one array in a file of arrays."""
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    name = list(arrays)[int(rng.integers(len(arrays)))]
    arrays[name] = in_array(arrays[name], rng)
    np.savez(path, **arrays)


def in_one_array(path: Path, rng: Generator) -> None:
    """Change the array in a file of one."""
    np.save(path, in_array(np.load(path), rng))


def in_hdf5(path: Path, rng: Generator) -> None:
    """Change, or take out, a group, an array or an attribute."""
    with h5py.File(path, "r+") as file:
        names: list[str] = []
        file.visit(names.append)
        name = names[int(rng.integers(len(names)))]
        node = file[name]
        if node.attrs and rng.random() < 0.5:
            node.attrs[next(iter(node.attrs))] = (-1, 10**9, "x", np.nan)[int(rng.integers(4))]
            return
        array = in_array(node[()], rng) if isinstance(node, h5py.Dataset) else np.zeros(3)
        del file[name]
        if rng.random() < 0.7 and array.dtype.kind != "U":
            file[name] = array


def in_tensors(path: Path, rng: Generator) -> None:
    """Change a text, or a tensor, of a file that has no hash any more."""
    with safetensors.safe_open(path, "pt") as file:
        texts = dict(file.metadata())
    tensors = safetensors.torch.load_file(path)
    texts.pop("sha256", None)
    if rng.random() < 0.7:
        name = sorted(texts)[int(rng.integers(len(texts)))]
        try:
            texts[name] = json.dumps(nasty(json.loads(texts[name]), rng))
        except ValueError:
            texts[name] = str(NASTY[int(rng.integers(len(NASTY)))])
    else:
        name = sorted(tensors)[int(rng.integers(len(tensors)))]
        tensors[name] = torch.from_numpy(np.ascontiguousarray(_numbers(tensors[name], rng)))
        if rng.random() < 0.2:
            del tensors[name]
    safetensors.torch.save_file(tensors, path, texts)


def in_pickle(path: Path, rng: Generator) -> None:
    """Change a value of a checkpoint of torch, and take its hash away."""
    content = torch.load(path, weights_only=True)
    torch.save(nasty(content, rng), path)
    path.with_name(f"{path.name}.sha256").unlink(missing_ok=True)


def _numbers(tensor: torch.Tensor, rng: Generator) -> np.ndarray:
    changed = in_array(tensor.numpy(), rng)
    return np.zeros(3) if changed.dtype.kind == "U" else changed


BY_ENDING: dict[str, list[Change]] = {
    ".json": [in_json],
    ".yaml": [in_yaml],
    ".csv": [in_csv],
    ".txt": [in_text],
    ".npz": [in_arrays],
    ".npy": [in_one_array],
    ".hdf5": [in_hdf5],
    ".safetensors": [in_tensors],
    ".ckpt": [in_pickle],
}
"""Ending of a file -> changes to what it holds."""


def copy_of(folder: Path, place: Path) -> Path:
    """Return a fresh copy of a folder."""
    if place.is_symlink() or place.is_file():
        place.unlink()
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(folder, place)
    return place
