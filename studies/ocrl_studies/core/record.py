"""The record of a cell: its settings, how long its stages took, what stopped it."""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from hydra.errors import InstantiationException

from ocrl.errors import UsageError
from ocrl.files import write_text
from ocrl.reading import read_object
from ocrl_studies.command_line import USAGE_ERRORS

FIELDS = {
    "name": str,
    "settings": dict[str, Any],
    "places": dict[str, str],
    "machine": dict[str, str],
    "stages": dict[str, dict[str, float]],
    "error": str | None,
}
"""What the file of a record has, and of which type."""

PACKAGES = ("ocrl", "torch", "stable-baselines3", "gymnasium", "lightning", "numpy", "numba")


@dataclass
class Record:
    """One cell, kept in a JSON file.

    Attributes:
        path: of the file.
        name: of the cell.
        settings: what it was started with, by dotted name.
        places: where what the cell made is, by name, relative to the folder of the file.
        machine: where it last ran.
        stages: wall and CPU seconds of each stage, of the start that finished it.
        error: the line that stopped it, or None.
    """

    path: Path
    name: str
    settings: dict[str, Any]
    places: dict[str, str] = field(default_factory=dict)
    machine: dict[str, str] = field(default_factory=dict)
    stages: dict[str, dict[str, float]] = field(default_factory=dict)
    error: str | None = None

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Note how long a stage takes, once it is through."""
        wall, cpu = time.monotonic(), time.process_time()
        yield
        self.stages[stage] = {
            "wall": time.monotonic() - wall,
            "cpu": time.process_time() - cpu,
        }
        self.save()

    @contextmanager
    def stopped_by_bad_input(self) -> Iterator[None]:
        """Say and note what is wrong instead of raising it: the other cells go on."""
        try:
            yield
        except InstantiationException as error:
            if not isinstance(error.__cause__, USAGE_ERRORS):
                raise
            self.error = str(error.__cause__)
        except USAGE_ERRORS as error:
            self.error = str(error)
        if self.error is not None:
            self.save()
            print(f"error: {self.name}: {self.error}", file=sys.stderr)

    def keep_place(self, name: str, place: Path) -> None:
        """Note where something is; the record and what it names move together."""
        self.places[name] = os.path.relpath(place.resolve(), self.path.parent.resolve())

    def place(self, name: str) -> Path:
        """Return where something is, as `keep_place` noted it."""
        return Path(os.path.normpath(self.path.parent / self.places[name]))

    def save(self) -> None:
        """Write the record, whole or not at all."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        kept = {name: value for name, value in asdict(self).items() if name != "path"}
        write_text(self.path, json.dumps(kept, indent=2))

    @classmethod
    def load(cls, path: Path) -> Record:
        """Read a record.

        Raises:
            UsageError: the file holds something else.
        """
        content = read_object(path, "record of a cell", "delete it", fields=FIELDS)
        return cls(path, **{name: content[name] for name in FIELDS})


def open_record(path: Path, name: str, settings: Mapping[str, Any], device: str) -> Record:
    """Begin the record of a cell, or go on with it.

    Args:
        path: of the record.
        name: of the cell.
        settings: what it is started with and may not change afterwards, by dotted name.
        device: that it runs on.

    Raises:
        UsageError: it was started with other settings.
    """
    record = Record(path, name, dict(settings))
    if path.exists():
        record = Record.load(path)
        for key in sorted(settings.keys() | record.settings.keys()):
            before, after = record.settings.get(key), settings.get(key)
            if before != after:
                raise UsageError(
                    f"{name} was started with {key}={before}, now it is {after}: go on with the "
                    "same, or start another study with another runs_dir"
                )
    record.machine = describe_machine(device)
    record.error = None
    record.save()
    return record


def describe_machine(device: str) -> dict[str, str]:
    """Return the machine and the versions that are in use."""
    on_gpu = device != "cpu" and torch.cuda.is_available()
    return {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "accelerator": torch.cuda.get_device_name() if on_gpu else "none",
        "system": f"{platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
        **{package: version(package) for package in PACKAGES},
    }


def machines(records: Iterable[Record]) -> list[str]:
    """Return a line for each machine that cells ran on."""
    found = dict.fromkeys(tuple(record.machine.items()) for record in records)
    return [", ".join(f"{name} {value}" for name, value in machine) for machine in found]


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        if names:
            return names[0].partition(":")[2].strip()
    return platform.processor() or platform.machine()
