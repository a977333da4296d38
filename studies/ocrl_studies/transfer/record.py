"""What a study notes of each cell: its settings, how long its stages took, what stopped it."""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from hydra.errors import InstantiationException
from omegaconf import DictConfig

from ocrl.errors import UsageError
from ocrl.files import write_text
from ocrl_studies.command_line import USAGE_ERRORS
from ocrl_studies.environments import flatten, settings

SHARED = ("env", "agent", "total_steps", "conditions", "episodes", "episode_seed", "num_envs")
"""What all cells of a table have in common."""

OWN = ("encoder", "data", "pretraining", "clip_length", "seed")
"""What may differ between cells, but not between two starts of one."""

PACKAGES = ("ocrl", "torch", "stable-baselines3", "gymnasium", "lightning", "numpy", "numba")


@dataclass
class Record:
    """One cell, kept in a JSON file.

    Attributes:
        name: of the cell.
        settings: what it was started with, by dotted name.
        machine: where it last ran.
        stages: wall and CPU seconds of each stage, of the start that finished it.
        error: the line that stopped it, or None.
    """

    name: str
    settings: dict[str, Any]
    machine: dict[str, str] = field(default_factory=dict)
    stages: dict[str, dict[str, float]] = field(default_factory=dict)
    error: str | None = None

    @contextmanager
    def timed(self, stage: str, path: Path) -> Iterator[None]:
        """Note how long a stage takes, once it is through."""
        wall, cpu = time.monotonic(), time.process_time()
        yield
        self.stages[stage] = {
            "wall": time.monotonic() - wall,
            "cpu": time.process_time() - cpu,
        }
        self.save(path)

    @contextmanager
    def stopped_by_bad_input(self, path: Path) -> Iterator[None]:
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
            self.save(path)
            print(f"error: {self.name}: {self.error}", file=sys.stderr)

    def save(self, path: Path) -> None:
        """Write the record, whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(asdict(self), indent=2))

    @classmethod
    def load(cls, path: Path) -> Record:
        """Read a record.

        Raises:
            UsageError: the file holds something else.
        """
        try:
            return cls(**json.loads(path.read_text()))
        except (ValueError, TypeError) as error:
            raise UsageError(f"{path} is no record of a cell ({error}): delete it") from error


def open_record(path: Path, name: str, cfg: DictConfig, keys: tuple[str, ...]) -> Record:
    """Begin the record of a cell, or go on with it.

    Args:
        path: of the record.
        name: of the cell.
        cfg: the configuration it is started with.
        keys: parts of the configuration that may not change afterwards.

    Raises:
        UsageError: it was started with other settings.
    """
    now = flatten({key: settings(cfg)[key] for key in keys})
    record = Record(name, now)
    if path.exists():
        record = Record.load(path)
        for key in sorted(now.keys() | record.settings.keys()):
            before, after = record.settings.get(key), now.get(key)
            if before != after:
                raise UsageError(
                    f"{name} was started with {key}={before}, now it is {after}: go on with the "
                    "same, or start another study with another runs_dir"
                )
    record.machine = describe_machine(cfg.device)
    record.error = None
    record.save(path)
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
