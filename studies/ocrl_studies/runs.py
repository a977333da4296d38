"""Run folders: one run each, never overwritten, continued on request."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from ocrl.errors import UsageError
from ocrl.files import alone, remove_leftovers, write_text
from ocrl.reading import parsing, read_text
from ocrl_studies.plain import flatten, plain, selected

CONFIG = "config.yaml"

ADVICE = "copy the run again, or start another with another seed, runs_dir or run_dir"

LONGEST = 2**20
"""Characters of a configuration."""

CHECKPOINTS = {".ckpt", ".safetensors"}
"""Ends of the names of what a run goes on from."""

FREE = {f"pretraining.{name}" for name in ("num_workers", "compile", "feature_cache")}
"""Settings by which a run is faster or slower, and comes to the same."""

BATCH = tuple(f"pretraining.{name}" for name in ("batch_size", "devices", "num_nodes"))
"""Settings that come to the same as long as their product does: the clips in a step."""

RANKS = ("RANK", "LOCAL_RANK", "NODE_RANK", "GROUP_RANK", "SLURM_PROCID")
"""Variables by which Lightning, torchrun and Slurm number the processes of one training."""


@dataclass(frozen=True)
class Run:
    """A run: its folder, and the settings that it is started with.

    Attributes:
        folder: of it.
        settings: all of them, resolved; they say whether it may ``resume``.
        same: parts that may not change when it is continued, but for those of `FREE`, and those of
            `BATCH` against each other.
        grows: a number that may become larger, such as the steps of the whole run.
    """

    folder: Path
    settings: Mapping[str, Any]
    same: tuple[str, ...]
    grows: str | None = None

    @classmethod
    def of(cls, cfg: DictConfig, same: tuple[str, ...], grows: str | None = None) -> Run:
        """Return the run of a configuration, which is in ``run_dir``."""
        return cls(Path(cfg.run_dir), plain(cfg), same, grows)

    @property
    def resume(self) -> bool:
        """Say whether it is continued if it was begun."""
        return bool(self.settings["resume"])

    @property
    def is_first(self) -> bool:
        """Say whether this is the first process of a training, which alone writes and prints.

        Where one process is asked for, that is this one.
        """
        alone = num_processes(self.settings) == 1
        return alone or all(os.environ.get(name, "0") == "0" for name in RANKS)

    @contextmanager
    def open(self) -> Iterator[None]:
        """Create the folder for a new run, or enter it to continue one, alone.

        To be called once all that the run needs is there: what cannot start leaves no folder. What
        fails before its first checkpoint leaves none either, and is in nobody's way when it is
        tried again. Each start leaves its settings: ``config.yaml``, then ``config.resume-1.yaml``
        and so on. Of several processes that train together the first does all that, for all.

        Raises:
            UsageError: see `check`; or another process is at it.
        """
        self.check()
        if not self.is_first:
            yield
            return
        is_new = not self.folder.exists()
        with claim(self.folder):
            self.check()
            number = len(starts(self.folder))
            name = f"config.resume-{number}.yaml" if number else CONFIG
            write_text(self.folder / name, OmegaConf.to_yaml(dict(self.settings)))
            try:
                yield
            except Exception:
                if not number and not has_checkpoint(self.folder):
                    (self.folder / name).unlink()
                    if is_new:  # so nothing in it is of others
                        shutil.rmtree(self.folder)
                raise

    def check(self) -> None:
        """Raise UsageError unless the run may start or go on; nothing is written.

        Raises:
            UsageError: there is a run already and it is not to ``resume``; or it was started with
                other settings.
        """
        paths = starts(self.folder)
        if not paths or not self.is_first:
            return
        if not self.resume:
            raise UsageError(
                f"{self.folder} already holds a run: continue it with resume=true, or start "
                "another with another seed, runs_dir or run_dir"
            )
        before = [read_config(path, self.same) for path in paths]
        old, new = (
            with_whole_batch(selected(each, self.same)) for each in (before[0], self.settings)
        )
        for key in sorted((old.keys() | new.keys()) - FREE - {self.grows}):
            if old.get(key) != new.get(key):
                raise UsageError(
                    f"{self.folder} was started with {key}={old.get(key)}, now it is "
                    f"{new.get(key)}: go on with the same, or start another run with another seed, "
                    "runs_dir or run_dir"
                )
        if self.grows is not None:
            with parsing(self.folder, f"{self.grows} of the starts of", ADVICE):
                largest = max(int(OmegaConf.select(each, self.grows)) for each in before)
            size = flatten(self.settings)[self.grows]
            if size < largest:
                raise UsageError(
                    f"{self.folder} was started with {self.grows}={largest}, now it is {size}: it "
                    "may grow, not shrink"
                )


def has_checkpoint(folder: Path) -> bool:
    """Say whether a run has anything to go on from."""
    return any(path.suffix in CHECKPOINTS for path in folder.iterdir())


def num_processes(settings: Mapping[str, Any]) -> int:
    """Return how many processes train together.

    >>> num_processes({"pretraining": {"devices": 2, "num_nodes": 3}})
    6
    """
    pretraining = settings.get("pretraining") or {}
    return int(pretraining.get("devices", 1)) * int(pretraining.get("num_nodes", 1))


def check_one_process(cfg: DictConfig) -> None:
    """Raise UsageError if a study is to pretrain in several processes, which would each run it.

    Args:
        cfg: of the study.
    """
    if num_processes(plain(cfg)) > 1:
        raise UsageError(
            f"pretraining.devices={cfg.pretraining.devices} "
            f"pretraining.num_nodes={cfg.pretraining.num_nodes}: a study pretrains in one process; "
            "pretrain with these by pretrain_slots, then run the study without, which finds it"
        )


@contextmanager
def claim(run_dir: Path) -> Iterator[Path]:
    """Have a folder alone; what processes that were killed left half-written in it is removed.

    The system frees the lock of a process that dies. The same process may claim it again.

    Args:
        run_dir: made if it is absent.

    Raises:
        UsageError: another process has it.
    """
    refusal = (
        f"another process is writing to {run_dir}: wait until it is done, or start another run "
        "with another seed, runs_dir or run_dir"
    )
    with alone(run_dir, refusal):
        remove_leftovers(run_dir)
        yield run_dir


def with_whole_batch(chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings in which one number, how many clips are in a step, stands for `BATCH`.

    >>> with_whole_batch({"pretraining.batch_size": 8, "pretraining.devices": 2, "seed": 0})
    {'seed': 0, 'pretraining.batch_size x devices x num_nodes': 16}

    Args:
        chosen: settings by dotted name.
    """
    numbers = [chosen[name] for name in BATCH if name in chosen]
    if BATCH[0] not in chosen or not all(isinstance(number, int) for number in numbers):
        return dict(chosen)
    others = {name: value for name, value in chosen.items() if name not in BATCH}
    return {**others, f"{BATCH[0]} x devices x num_nodes": math.prod(numbers)}


def starts(run_dir: Path) -> list[Path]:
    """Return the configuration of each start of a run, in order."""
    first = run_dir / CONFIG
    resumes = [path for path in run_dir.glob("config.resume-*.yaml") if _number(path).isdecimal()]
    by_number = sorted(resumes, key=lambda path: int(_number(path)))
    return [first, *by_number] if first.exists() else []


def read_config(path: Path, parts: tuple[str, ...] = ()) -> DictConfig:
    """Return the configuration that a run was started with.

    Args:
        path: one of `starts`.
        parts: that it has.

    Raises:
        UsageError: the file is no configuration of a run, or lacks a part.
    """
    text = read_text(path, "configuration", ADVICE)
    with parsing(path, "configuration", ADVICE):
        if len(text) > LONGEST:
            raise ValueError(f"it has {len(text)} characters, one of a run has up to {LONGEST}")
        cfg = OmegaConf.create(text)
        if not isinstance(cfg, DictConfig):
            raise TypeError("it is no mapping")
        plain(cfg)  # resolves, or raises
        for part in parts:
            if OmegaConf.select(cfg, part) is None:
                raise ValueError(f"it has no {part}")
    return cfg


def _number(path: Path) -> str:
    return path.stem.partition("-")[2]
