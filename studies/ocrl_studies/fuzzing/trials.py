"""Trials: each is made in a process that may die of it, and what came of it is kept in a file."""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import signal
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import ocrl.errors
import ocrl_envs.errors
from ocrl.files import disk_trouble

ANSWER = "clear answer"
ACCEPTED = "accepted"
TRACEBACK = "traceback"
HANG = "hang"
MEMORY = "memory"
CRASH = "crash"
OUTCOMES = (ANSWER, ACCEPTED, TRACEBACK, HANG, MEMORY, CRASH)

LONGEST = 20
"""Seconds of computation after which a trial hangs."""

PATIENCE = 60
"""Times as long that it may take on a machine with other work."""

TOGETHER = 50
"""Trials in a process, which keeps the threads and the memory of all before."""

LARGEST = 2e9
"""Bytes by which memory may grow in a trial."""

ROOM = 8 * 2**30
"""Bytes that a process may ask for besides, for the sake of others on the machine."""

USAGE_ERRORS = (ocrl.errors.UsageError, ocrl_envs.errors.UsageError)


class Trial(NamedTuple):
    """Something to try.

    Attributes:
        kind: row of the table.
        what: is tried, for whoever looks into it.
        act: tries it.
    """

    kind: str
    what: str
    act: Callable[[], object]


def campaign(make: Callable[[int], Trial], number: int, log: Path) -> None:
    """Make trials 0 .. number - 1, those that the log does not have; a killed campaign goes on.

    Args:
        make: returns a trial of a number, always the same.
        number: of trials.
        log: gets a line of JSON for the beginning and the end of each.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    while todo := sorted(set(range(number)) - {row["number"] for row in ends(log)}):
        child = os.fork()
        if child == 0:
            try:
                _work(make, todo[:TOGETHER], log)
            finally:
                os._exit(0)
        _watch(child, log)


def ends(log: Path) -> list[dict[str, Any]]:
    """Return what came of the trials in a log."""
    return [row for row in _rows(log) if "outcome" in row]


def table(log: Path) -> dict[str, Counter[str]]:
    """Return how often each outcome came of each kind of trial."""
    found: dict[str, Counter[str]] = {}
    for row in ends(log):
        found.setdefault(row["kind"], Counter())[row["outcome"]] += 1
    return found


def lines(log: Path) -> list[str]:
    """Return a table in Markdown: how often each outcome came of each kind of trial."""
    counts = table(log)
    rows = [f"| | {' | '.join(('tries', *OUTCOMES))} |", "| --- " * (len(OUTCOMES) + 2) + "|"]
    for kind, found in {**counts, "all": sum(counts.values(), Counter[str]())}.items():
        cells = [found.total(), *(found[outcome] for outcome in OUTCOMES)]
        rows.append(f"| {kind} | {' | '.join(map(str, cells))} |")
    return rows


def _work(make: Callable[[int], Trial], todo: list[int], log: Path) -> None:
    used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (used + ROOM, used + ROOM))
    for number in todo:
        trial = make(number)
        row = {"number": number, "kind": trial.kind, "what": trial.what}
        _append(log, {**row, "begin": True})
        before, start = _peak(), time.process_time()
        outcome, detail = _outcome(trial)
        grown = _peak() - before
        if grown > LARGEST:
            outcome, detail = MEMORY, f"{grown / 1e9:.1f} GB; {detail}"
        seconds = round(time.process_time() - start, 2)
        _append(log, {**row, "outcome": outcome, "detail": detail, "seconds": seconds})


def _outcome(trial: Trial) -> tuple[str, str]:
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            trial.act()
    except USAGE_ERRORS as error:
        lines = len(str(error).strip().splitlines())
        return (ANSWER if lines == 1 else TRACEBACK), str(error)
    except BaseException as error:
        if isinstance(error, OSError) and (line := disk_trouble(error)):
            return ANSWER, line
        place = traceback.extract_tb(error.__traceback__)[-1]
        text = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        return TRACEBACK, f"{text} ({place.filename}:{place.lineno})"
    return ACCEPTED, ""


def _watch(child: int, log: Path) -> None:
    """Wait for a process, and end it if a trial takes too long; note of which trial it died."""
    begun, since, worked = -1, time.monotonic(), 0.0
    reason = CRASH
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            break
        last = next(reversed(list(_rows(log))), {"number": -1})
        if last["number"] != begun:
            begun, since, worked = last["number"], time.monotonic(), _computed(child)
        elif (
            _computed(child) - worked > LONGEST or time.monotonic() - since > PATIENCE * LONGEST
        ) and "begin" in last:
            reason = HANG
            os.kill(child, signal.SIGKILL)
        time.sleep(0.2)
    rows = list(_rows(log))
    if rows and "begin" in rows[-1]:
        row = {key: rows[-1][key] for key in ("number", "kind", "what")}
        _append(log, {**row, "outcome": reason, "detail": f"status {status}", "seconds": 0})


def _rows(log: Path) -> Iterator[dict[str, Any]]:
    if log.exists():
        for line in log.read_text().splitlines():
            with contextlib.suppress(ValueError):  # a kill may have cut the last one short
                yield json.loads(line)


def _append(log: Path, row: dict[str, Any]) -> None:
    with log.open("a") as file:
        file.write(json.dumps(row) + "\n")


def _computed(process: int) -> float:
    """Return the seconds that a process has computed."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0
