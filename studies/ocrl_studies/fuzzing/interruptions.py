"""Commands that are killed, or find the disk full: they go on, and end as if nothing was."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import safetensors.torch

from ocrl.errors import UsageError
from ocrl.tensor_files import digest
from ocrl_studies.fuzzing.commands import CLIPS, ROLLOUTS, STEPS, VERBS, call, fresh, give
from ocrl_studies.fuzzing.trials import Trial, campaign

TRIED = {verb: VERBS[verb] for verb in ("generate_scenes", "convert_data")}
TRIED |= {
    "collect_rollouts": [*ROLLOUTS, "data_dir=own"],
    "pretrain_backbone": VERBS["pretrain_backbone"],
    "pretrain_slots": [*VERBS["pretrain_slots"], "pretraining.max_steps=2"],
    "train_agent": VERBS["train_agent"],
    "transfer_study": [*VERBS["transfer_study"], "encoder=vector", *STEPS, *CLIPS],
}
"""Verb -> what makes it small."""

RESULTS = {
    "generate_scenes": ["data/movi_a_like/*.tar"],
    "convert_data": ["shards/*.tar", "shards/*.json"],
    "collect_rollouts": ["own/**/*.hdf5"],
    "pretrain_backbone": ["runs/**/backbone.safetensors"],
    "pretrain_slots": ["runs/**/encoder.safetensors"],
    "train_agent": ["runs/**/last.safetensors"],
    "transfer_study": ["runs/**/*.safetensors", "runs/study/*/*.csv"],
}
"""Verb -> what it leaves, the same to the last bit in every run."""

OFTEN = [verb for verb in RESULTS if verb != "transfer_study"]
TURNS = [*OFTEN * 3, "transfer_study"]
"""Who is tried, in turn: a study takes ten times as long as any other."""

RESUME = ("pretrain_backbone", "pretrain_slots", "train_agent")
WRITES = ("open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate")
"""What Python tells of before it happens, where something changes on the disk."""

NEW_MOUNTS, NEW_USER, REMOUNT, PRIVATE, DETACH = 0x00020000, 0x10000000, 0x20, 0x44000, 2


class Whole(NamedTuple):
    """An uninterrupted run.

    Attributes:
        digest: of what it leaves.
        seconds: of computation.
        size: bytes that it writes.
        writes: changes on the disk that Python tells of.
    """

    digest: str
    seconds: float
    size: int
    writes: int


def kills(number: int, seed: int, folder: Path, log: Path) -> None:
    """Kill each verb in turn, and run it again: before any of its writes, or at any time."""
    whole = references(folder)

    def make(trial: int) -> Trial:
        verb = TURNS[trial % len(TURNS)]
        rng = np.random.default_rng([seed, trial])
        write = int(rng.integers(whole[verb].writes))
        after = float(rng.uniform(0, 1.1 * whole[verb].seconds))
        by_write = rng.random() < 0.5

        def act() -> None:
            home = fresh(folder)
            _in_child(verb, home, (lambda: before(write, home)) if by_write else lambda: at(after))
            _finish(verb, home, whole[verb].digest)

        how = f"before write {write} of {whole[verb].writes}" if by_write else f"at {after:.2f} s"
        return Trial(verb, how, act)

    campaign(make, number, log)


def full_disks(number: int, seed: int, folder: Path, log: Path) -> None:
    """Let the disk be full at a random place; run again once there is room."""
    whole = references(folder)

    def make(trial: int) -> Trial:
        verb = TURNS[trial % len(TURNS)]
        room = int(np.random.default_rng([seed, trial]).uniform(0, whole[verb].size))

        def act() -> None:
            home, place = fresh(folder), folder / "disk"
            mount_new(place, room + _size(home))
            try:
                shutil.copytree(home, place / "home")
                with contextlib.suppress(UsageError):
                    call(verb, words(verb), place / "home")
                mount_new(place, 2**30, remount=True)
                _finish(verb, place / "home", whole[verb].digest)
            finally:
                os.chdir(folder)
                ctypes.CDLL(None).umount2(str(place).encode(), DETACH)

        return Trial(verb, f"{room} bytes of {whole[verb].size}", act)

    campaign(make, number, log)


def references(folder: Path) -> dict[str, Whole]:
    """Return what each verb does if nothing happens to it."""
    found = {}
    give(folder)
    for verb in RESULTS:
        call(verb, TRIED[verb], fresh(folder))  # compiles, and collects rollouts
        home = fresh(folder)
        size, start = _size(home), time.process_time()
        call(verb, TRIED[verb], home)
        seconds, made = time.process_time() - start, digest_of(verb, home)
        found[verb] = Whole(made, seconds, _size(home) - size, _count_writes(verb, folder))
    return found


def _count_writes(verb: str, folder: Path) -> int:
    home, noted = fresh(folder), folder / "writes"
    _in_child(verb, home, lambda: on_write(home, lambda count: noted.write_text(str(count))))
    return int(noted.read_text())


def _size(folder: Path) -> int:
    """Return the bytes that files take, in pages."""
    return sum(-(-path.stat().st_size // 4096) * 4096 for path in folder.rglob("*"))


def digest_of(verb: str, home: Path) -> str:
    """Return a hash of what a verb left."""
    whole = hashlib.sha256()
    paths = sorted(path for pattern in RESULTS[verb] for path in home.glob(pattern))
    if not paths:
        raise AssertionError(f"{verb} left nothing")
    for path in paths:
        if path.suffix == ".safetensors":  # whose texts tell when and how
            tensors = safetensors.torch.load_file(path)
            whole.update(digest(tensors, {}).encode())
        elif path.suffix == ".hdf5":  # which has times in it
            with h5py.File(path) as file:
                file.visititems(lambda name, item: whole.update(_content(name, item)))
        else:
            whole.update(path.name.encode() + path.read_bytes())
    return whole.hexdigest()


def _content(name: str, item: h5py.Group | h5py.Dataset) -> bytes:
    return name.encode() + (item[()].tobytes() if isinstance(item, h5py.Dataset) else b"")


def words(verb: str) -> list[str]:
    """Return the words that start a verb, or go on with it."""
    return [*TRIED[verb], *(["resume=true"] if verb in RESUME else [])]


def mount_new(place: Path, size: int, *, remount: bool = False) -> None:
    """Put a small disk somewhere, for this process alone.

    Args:
        place: a folder.
        size: in bytes.
        remount: it is there, and gets this size.

    Raises:
        OSError: the system does not allow it.
    """
    system = ctypes.CDLL(None, use_errno=True)
    place.mkdir(parents=True, exist_ok=True)
    if not remount:
        user, group = os.getuid(), os.getgid()
        flags = NEW_MOUNTS if user == 0 else NEW_MOUNTS | NEW_USER
        if system.unshare(flags):
            raise OSError(ctypes.get_errno(), "no mounts of one's own")
        if user:
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"0 {user} 1")
            Path("/proc/self/gid_map").write_text(f"0 {group} 1")
        system.mount(b"none", b"/", None, PRIVATE, None)
    options = f"size={size}".encode()
    flags = REMOUNT if remount else 0
    if system.mount(b"tmpfs", str(place).encode(), b"tmpfs", flags, options):
        raise OSError(ctypes.get_errno(), "no disk of one's own")


def _finish(verb: str, home: Path, expected: str) -> None:
    """Run again; raise AssertionError unless it ends as a run that nothing happened to."""
    call(verb, words(verb), home)
    if digest_of(verb, home) != expected:
        raise AssertionError("it came to something else")
    left = [path for path in home.rglob(".*partial*") if "rollouts" not in path.parts]
    if left:
        raise AssertionError(f"{left[0]} was left behind")


def _in_child(verb: str, home: Path, prepare: Callable[[], None]) -> None:
    """Run a verb in a process of its own, which is prepared to die."""
    child = os.fork()
    if child == 0:
        try:
            prepare()
            call(verb, words(verb), home)
        finally:
            os._exit(0)
    os.waitpid(child, 0)


def at(seconds: float) -> None:
    """Have the system end this process after some seconds of computation."""
    signal.signal(signal.SIGPROF, signal.SIG_DFL)  # which ends a process at once
    signal.setitimer(signal.ITIMER_PROF, max(seconds, 1e-3))


def before(number: int, home: Path) -> None:
    """End this process before a write in a folder."""

    def die(count: int) -> None:
        if count > number:
            os.kill(os.getpid(), signal.SIGKILL)

    on_write(home, die)


def on_write(home: Path, act: Callable[[int], object]) -> None:
    """Call with the number of writes so far, before each file or name that changes in a folder."""
    count, busy = 0, False

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal count, busy
        if busy or event not in WRITES or not isinstance(arguments[0], str | os.PathLike):
            return
        if event == "open" and not arguments[2] & (os.O_WRONLY | os.O_RDWR):
            return
        if Path(home, arguments[0]).is_relative_to(home):
            count, busy = count + 1, True
            act(count)
            busy = False

    sys.addaudithook(hook)
