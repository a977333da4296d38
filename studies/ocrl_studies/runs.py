"""Run folders: one run each, never overwritten, continued on request."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from omegaconf import DictConfig, OmegaConf

from ocrl.errors import UsageError
from ocrl.files import remove_leftovers, write_text
from ocrl.reading import parsing, read_text
from ocrl_studies.environments import selected, settings
from ocrl_studies.invocation import invocation

CONFIG = "config.yaml"

ADVICE = "copy the run again, or start another with another seed, runs_dir or run_dir"

LONGEST = 2**20
"""Characters of a configuration."""

LOCK = ".lock"
"""File that the process locks which writes to a run's folder."""

FREE = {
    f"pretraining.{name}"
    for name in ("num_workers", "devices", "num_nodes", "compile", "feature_cache")
}
"""Settings by which a run is faster or slower, and comes to the same."""


RANKS = ("RANK", "LOCAL_RANK", "NODE_RANK", "GROUP_RANK", "SLURM_PROCID")
"""Variables by which Lightning, torchrun and Slurm number the processes of one training."""


def is_first(cfg: DictConfig) -> bool:
    """Say whether this is the first process of a training, which alone writes and prints.

    Args:
        cfg: the configuration; where it asks for one process, that is this one.
    """
    return num_processes(cfg) == 1 or all(os.environ.get(name, "0") == "0" for name in RANKS)


def num_processes(cfg: DictConfig) -> int:
    """Return how many processes train together.

    >>> num_processes(OmegaConf.create({"pretraining": {"devices": 2, "num_nodes": 3}}))
    6
    """
    pretraining = cfg.get("pretraining") or {}
    return int(pretraining.get("devices", 1)) * int(pretraining.get("num_nodes", 1))


def check_one_process(cfg: DictConfig) -> None:
    """Raise UsageError if a study is to pretrain in several processes, which would each run it.

    Args:
        cfg: of the study.
    """
    if num_processes(cfg) > 1:
        raise UsageError(
            f"pretraining.devices={cfg.pretraining.devices} "
            f"pretraining.num_nodes={cfg.pretraining.num_nodes}: a study pretrains in one process; "
            "pretrain with these by pretrain_slots, then run the study without, which finds it"
        )


@contextmanager
def open_run(cfg: DictConfig, same: tuple[str, ...], grows: str | None = None) -> Iterator[Path]:
    """Create the folder ``cfg.run_dir`` for a new run, or enter it to continue one, alone.

    To be called once all that the run needs is there: what cannot start leaves no folder. Each
    start leaves its configuration, resolved: ``config.yaml``, then ``config.resume-1.yaml`` and so
    on. Of several processes that train together the first does all that, for all.

    Args:
        cfg: the configuration.
        same: see `check_run`.
        grows: likewise.

    Yields:
        The folder.

    Raises:
        UsageError: see `check_run`; or another process is at it.
    """
    check_run(cfg, same, grows)
    if not is_first(cfg):
        yield Path(cfg.run_dir)
        return
    with claim(Path(cfg.run_dir)) as run_dir:
        check_run(cfg, same, grows)
        number = len(starts(run_dir))
        name = f"config.resume-{number}.yaml" if number else CONFIG
        write_text(run_dir / name, OmegaConf.to_yaml(cfg, resolve=True))
        yield run_dir


@contextmanager
def claim(run_dir: Path) -> Iterator[Path]:
    """Have a folder alone; what processes that were killed left half-written in it is removed.

    The system frees the lock of a process that dies. The same process may claim it again.

    Args:
        run_dir: made if it is absent.

    Raises:
        UsageError: another process has it.
    """
    run_dir.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(run_dir / LOCK, timeout=0, is_singleton=True):
            remove_leftovers(run_dir)
            yield run_dir
    except Timeout as error:
        raise UsageError(
            f"another process is writing to {run_dir}: wait until it is done, or start another run "
            "with another seed, runs_dir or run_dir"
        ) from error


def check_run(cfg: DictConfig, same: tuple[str, ...], grows: str | None = None) -> Path:
    """Return the folder ``cfg.run_dir`` if a run may start or go on there; nothing is written.

    Args:
        cfg: the configuration.
        same: parts that may not change when a run is continued, but for those of `FREE`.
        grows: a number that may become larger, such as the steps of the whole run.

    Raises:
        UsageError: it holds a run already and ``resume`` is false; or what is to be continued was
            started with other settings.
    """
    run_dir = Path(cfg.run_dir)
    paths = starts(run_dir)
    if not paths or not is_first(cfg):
        return run_dir
    if not cfg.resume:
        raise UsageError(
            f"{run_dir} already holds a run: continue it with resume=true, or start another with "
            "another seed, runs_dir or run_dir"
        )
    before = [read_config(path, same) for path in paths]
    old, new = selected(before[0], same), selected(cfg, same)
    for key in sorted((old.keys() | new.keys()) - FREE - {grows}):
        if old.get(key) != new.get(key):
            raise UsageError(
                f"{run_dir} was started with {key}={old.get(key)}, now it is {new.get(key)}: go on "
                "with the same, or start another run with another seed, runs_dir or run_dir"
            )
    if grows is not None:
        with parsing(run_dir, f"{grows} of the starts of", ADVICE):
            largest = max(int(OmegaConf.select(each, grows)) for each in before)
        if OmegaConf.select(cfg, grows) < largest:
            raise UsageError(
                f"{run_dir} was started with {grows}={largest}, now it is "
                f"{OmegaConf.select(cfg, grows)}: it may grow, not shrink"
            )
    return run_dir


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
        settings(cfg)  # resolves, or raises
        for part in parts:
            if OmegaConf.select(cfg, part) is None:
                raise ValueError(f"it has no {part}")
    return cfg


def _number(path: Path) -> str:
    return path.stem.partition("-")[2]


def find_checkpoint(cfg: DictConfig) -> Path:
    """Return the encoder's checkpoint, or say which command makes it.

    Raises:
        UsageError: there is none.
    """
    path = Path(cfg.checkpoint)
    if not path.exists():
        raise UsageError(
            f"there is no encoder at {path}: make it with  {invocation('pretrain_slots', cfg)}  "
            "or name another with checkpoint=..."
        )
    return path
