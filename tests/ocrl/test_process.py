"""What a process asks of the system, seen in a process of its own."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

STEPS = """
import resource, torch
from ocrl.process import keep_freed_memory
torch.set_num_threads(1)
if {keeps}:
    keep_freed_memory()
def step():
    large = [torch.ones(12_000_000) for _ in range(4)]  # what is above 32 MiB is always given back
for _ in range(3):
    step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    step()
print((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) // 10)
"""


def told(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    ).stdout.strip()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told")
def test_freed_memory_is_there_for_the_next_step() -> None:
    keeps, gives_back = (int(told(STEPS.format(keeps=keeps))) for keeps in (True, False))
    assert 10 * keeps < gives_back
    assert gives_back > 80, "192 MB are 47,000 pages, or 92 huge ones"


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="only Linux lets one choose")
def test_cores_are_shared_evenly() -> None:
    code = """
import os
cores = set(range(5))
os.sched_getaffinity = lambda pid: cores
taken = []
os.sched_setaffinity = lambda pid, own: taken.append(sorted(own))
from ocrl.process import keep_to_own_cores
for number in range({total}):
    keep_to_own_cores(number, {total})
print(taken)
"""
    assert told(code.format(total=2)) == "[[0, 2, 4], [1, 3]]"
    assert told(code.format(total=5)) == "[[0], [1], [2], [3], [4]]"
    assert told(code.format(total=7)) == "[[0], [1], [2], [3], [4], [0], [1]]"
