"""Compiled maps on disk, so that each is compiled once."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from ocrl_envs.errors import UsageError


class LevelCache:
    """A folder of compiled maps that several processes read and write at once.

    DeepMind Lab compiles a map for every episode of a generated level, 7 to 42 seconds each, unless
    its ``level_cache`` has it already. Entries appear whole or not at all, since they are renamed
    into place; the least recently used ones make room for new ones.

    Args:
        folder: where the maps are; made if absent.
        max_bytes: size that the maps may reach together. A map takes about a megabyte.

    Raises:
        UsageError: ``max_bytes`` is not positive, or the folder cannot be made.

    Example:
        >>> folder = Path(tempfile.mkdtemp())
        >>> compiled = folder / "compiled.pk3"
        >>> compiled.write_bytes(b"map")
        3
        >>> cache = LevelCache(folder / "cache", max_bytes=10**6)
        >>> cache.write("maze", str(compiled))
        >>> cache.fetch("maze", str(compiled)), cache.fetch("another maze", str(compiled))
        (True, False)
    """

    def __init__(self, folder: str | Path, max_bytes: int = 10**10):
        if max_bytes <= 0:
            raise UsageError(
                f"max_bytes={max_bytes}: a level cache needs room, give a positive size"
            )
        self.folder = Path(folder).expanduser()
        self.max_bytes = max_bytes
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(
                f"cannot make the level cache {folder}: {error.strerror}; give a writable folder"
            ) from error

    def fetch(self, key: str, pk3_path: str) -> bool:
        """Copy the map of this key to ``pk3_path``, and say whether there was one."""
        try:
            entry = self._path(key).open("rb")
        except FileNotFoundError:
            return False
        # Once open, the entry stays readable even if another process evicts it meanwhile.
        with entry, open(pk3_path, "wb") as destination:
            shutil.copyfileobj(entry, destination)
            os.utime(entry.fileno())
        return True

    def write(self, key: str, pk3_path: str) -> None:
        """Keep a copy of the map at ``pk3_path`` under this key, unless it is too big."""
        if os.path.getsize(pk3_path) > self.max_bytes:
            return
        descriptor, temporary = tempfile.mkstemp(dir=self.folder)
        with open(pk3_path, "rb") as source, open(descriptor, "wb") as entry:
            shutil.copyfileobj(source, entry)
        self._evict()
        # A process that needed the room may have taken this one too: the cache is only a cache.
        with suppress(FileNotFoundError):
            os.replace(temporary, self._path(key))

    def _path(self, key: str) -> Path:
        """Return the place of a key, whatever characters it has."""
        return self.folder / f"{hashlib.sha256(key.encode()).hexdigest()}.pk3"

    def _evict(self) -> None:
        """Delete what was not used for longest, the rests of killed writers too, until all fits."""
        files = []
        for path in self.folder.iterdir():
            with suppress(FileNotFoundError):
                files.append((path.stat(), path))
        excess = sum(stat.st_size for stat, _ in files) - self.max_bytes
        for stat, path in sorted(files, key=lambda file: file[0].st_mtime_ns):
            if excess <= 0:
                return
            path.unlink(missing_ok=True)
            excess -= stat.st_size
