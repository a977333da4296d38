"""Commands that are killed, or find the disk full: they go on, and end as if nothing was."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import safetensors.torch

from ocrl.errors import UsageError
from ocrl.tensor_files import digest
from ocrl_studies.fuzzing.commands import VERBS, call, fresh
from ocrl_studies.fuzzing.trials import Trial, campaign

RESULTS = {
    "generate_scenes": ["data/movi_a_like/*.tar"],
    "convert_data": ["shards/*.tar", "shards/*.json"],
    "pretrain_backbone": ["runs/**/backbone.safetensors"],
    "pretrain_slots": ["runs/**/encoder.safetensors"],
    "train_agent": ["runs/**/last.safetensors"],
}
"""Verb -> what it leaves, the same to the last bit in every run."""

RESUME = ("pretrain_backbone", "pretrain_slots", "train_agent")
NEW_MOUNTS, NEW_USER, REMOUNT, PRIVATE, DETACH = 0x00020000, 0x10000000, 0x20, 0x44000, 2


def kills(number: int, seed: int, folder: Path, log: Path) -> None:
    """Kill each verb in turn at a random time, and run it again until it is through."""
    whole = references(folder)

    def make(trial: int) -> Trial:
        verb = list(RESULTS)[trial % len(RESULTS)]
        whole_digest, seconds, _ = whole[verb]
        after = float(np.random.default_rng([seed, trial]).uniform(0, 1.1 * seconds))

        def act() -> None:
            home = fresh(folder)
            _in_child(verb, home, after=after)
            _finish(verb, home, whole_digest)

        return Trial(verb, f"after {after:.2f} s", act)

    campaign(make, number, log)


def full_disks(number: int, seed: int, folder: Path, log: Path) -> None:
    """Let the disk be full at a random place; run again once there is room."""
    whole = references(folder)

    def make(trial: int) -> Trial:
        verb = list(RESULTS)[trial % len(RESULTS)]
        whole_digest, _, size = whole[verb]
        room = int(np.random.default_rng([seed, trial]).uniform(0, size))

        def act() -> None:
            home, place = fresh(folder), folder / "disk"
            mount_new(place, room + _size(home))
            try:
                shutil.copytree(home, place / "home")
                with contextlib.suppress(UsageError):
                    call(verb, words(verb), place / "home")
                mount_new(place, 2**30, remount=True)
                _finish(verb, place / "home", whole_digest)
            finally:
                os.chdir(folder)
                ctypes.CDLL(None).umount2(str(place).encode(), DETACH)

        return Trial(verb, f"{room} bytes of {size}", act)

    campaign(make, number, log)


def references(folder: Path) -> dict[str, tuple[str, float, int]]:
    """Return of each verb what it comes to, the CPU seconds it takes and the bytes it writes."""
    found = {}
    (folder / "home").mkdir(parents=True, exist_ok=True)
    for verb in RESULTS:
        call(verb, VERBS[verb], fresh(folder))  # compiles, and collects rollouts
        home = fresh(folder)
        before, start = _size(home), time.process_time()
        call(verb, VERBS[verb], home)
        seconds = time.process_time() - start
        found[verb] = (digest_of(verb, home), seconds, _size(home) - before)
    return found


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
        else:
            whole.update(path.name.encode() + path.read_bytes())
    return whole.hexdigest()


def words(verb: str) -> list[str]:
    """Return the words that start a verb, or go on with it."""
    return [*VERBS[verb], *(["resume=true"] if verb in RESUME else [])]


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


def _in_child(verb: str, home: Path, *, after: float) -> None:
    """Run a verb in a process that the system ends after some seconds of computation."""
    child = os.fork()
    if child == 0:
        try:
            signal.signal(signal.SIGPROF, signal.SIG_DFL)  # which ends a process at once
            signal.setitimer(signal.ITIMER_PROF, max(after, 1e-3))
            call(verb, words(verb), home)
        finally:
            os._exit(0)
    os.waitpid(child, 0)
