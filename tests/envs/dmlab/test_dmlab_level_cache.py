from __future__ import annotations

import multiprocessing
import os
import random
import time

import pytest

from ocrl_envs.dmlab import LevelCache
from ocrl_envs.errors import UsageError

SIZE = 1000


def compiled(folder, content):
    path = folder / "compiled.pk3"
    path.write_bytes(content)
    return str(path)


def fetched(cache, folder, key):
    path = folder / "fetched.pk3"
    return path.read_bytes() if cache.fetch(key, str(path)) else None


def stored(cache):
    return sum(path.stat().st_size for path in cache.folder.iterdir())


def test_fetch_returns_what_was_written(tmp_path):
    cache = LevelCache(tmp_path / "some" / "where")
    assert fetched(cache, tmp_path, "key") is None
    assert not (tmp_path / "fetched.pk3").exists()
    for content in (b"a map", b"a map compiled anew"):
        cache.write("key", compiled(tmp_path, content))
        assert fetched(cache, tmp_path, "key") == content
    assert fetched(cache, tmp_path, "another key") is None
    assert fetched(LevelCache(cache.folder), tmp_path, "key") == b"a map compiled anew"


def test_any_key_stays_in_the_folder(tmp_path):
    cache = LevelCache(tmp_path / "cache")
    for key in ("../../outside", "/absolute", "a" * 500, "ümlaut"):
        cache.write(key, compiled(tmp_path, key.encode()))
        assert fetched(cache, tmp_path, key) == key.encode()
    assert len(list(cache.folder.iterdir())) == 4


def test_least_recently_used_goes_first(tmp_path):
    cache = LevelCache(tmp_path / "cache", max_bytes=3 * SIZE)
    for key in "abc":
        cache.write(key, compiled(tmp_path, key.encode() * SIZE))
        time.sleep(0.01)  # file systems keep time in ticks
    assert fetched(cache, tmp_path, "a")
    time.sleep(0.01)
    cache.write("d", compiled(tmp_path, b"d" * SIZE))
    assert [key for key in "abcd" if fetched(cache, tmp_path, key)] == ["a", "c", "d"]
    assert stored(cache) == 3 * SIZE


def test_map_larger_than_the_cache_evicts_nothing(tmp_path):
    cache = LevelCache(tmp_path / "cache", max_bytes=SIZE)
    cache.write("small", compiled(tmp_path, b"s" * SIZE))
    cache.write("large", compiled(tmp_path, b"l" * (SIZE + 1)))
    assert fetched(cache, tmp_path, "small") == b"s" * SIZE
    assert fetched(cache, tmp_path, "large") is None


def test_rests_of_a_killed_writer_make_room(tmp_path):
    cache = LevelCache(tmp_path / "cache", max_bytes=2 * SIZE)
    rest = cache.folder / "tmp_of_a_killed_process"
    rest.write_bytes(b"r" * SIZE)
    os.utime(rest, (0, 0))
    for key in "ab":
        cache.write(key, compiled(tmp_path, key.encode() * SIZE))
    assert not rest.exists()
    assert fetched(cache, tmp_path, "a")
    assert fetched(cache, tmp_path, "b")


def work(cache, folder, seed):
    """Fetch and write at random, and exit with 1 if an entry is not whole."""
    folder.mkdir()
    rng = random.Random(seed)
    for _ in range(200):
        key = rng.choice("abcdefgh")
        entry = fetched(cache, folder, key)
        if entry is None:
            cache.write(key, compiled(folder, key.encode() * rng.randint(SIZE // 2, SIZE)))
        elif set(entry) != {ord(key)} or len(entry) < SIZE // 2:
            raise SystemExit(1)


def test_several_processes_at_once(tmp_path):
    cache = LevelCache(tmp_path / "cache", max_bytes=4 * SIZE)
    context = multiprocessing.get_context("fork")
    workers = [
        context.Process(target=work, args=(cache, tmp_path / str(seed), seed)) for seed in range(4)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=60)
    assert [worker.exitcode for worker in workers] == [0] * 4
    entries = list(cache.folder.iterdir())
    assert stored(cache) <= 4 * SIZE
    assert entries
    assert {entry.suffix for entry in entries} == {".pk3"}


@pytest.mark.parametrize("max_bytes", [0, -1])
def test_no_room(tmp_path, max_bytes):
    with pytest.raises(UsageError, match=f"max_bytes={max_bytes}: "):
        LevelCache(tmp_path, max_bytes)


def test_folder_that_is_a_file(tmp_path):
    path = tmp_path / "file"
    path.touch()
    with pytest.raises(UsageError, match=r"cannot make the level cache .*file"):
        LevelCache(path)
