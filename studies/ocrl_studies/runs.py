"""Run folders: one run each, never overwritten, continued on request."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from ocrl.errors import UsageError
from ocrl.files import write_text

CONFIG = "config.yaml"


def check_run(cfg: DictConfig, same: tuple[str, ...]) -> Path:
    """Return the folder ``cfg.run_dir`` if a run may start or go on there; nothing is written.

    Args:
        cfg: the resolved configuration.
        same: keys that may not change when a run is continued.

    Raises:
        UsageError: it holds a run already and ``resume`` is false; or what is to be continued was
            started with other settings.
    """
    run_dir = Path(cfg.run_dir)
    saved = run_dir / CONFIG
    if not saved.exists():
        return run_dir
    if not cfg.resume:
        raise UsageError(
            f"{run_dir} already holds a run: continue it with resume=true, or start another "
            "with another seed, runs_dir or run_dir"
        )
    before = OmegaConf.load(saved)
    for key in same:
        old, new = OmegaConf.select(before, key), OmegaConf.select(cfg, key)
        if old != new:
            raise UsageError(
                f"{run_dir} was started with another {key}: resume with the settings in "
                f"{saved}, or start another run with another seed, runs_dir or run_dir"
            )
    return run_dir


def open_run(cfg: DictConfig, same: tuple[str, ...]) -> Path:
    """Create the folder ``cfg.run_dir`` for a new run, or enter it to continue one.

    To be called once all that the run needs is there: what cannot start leaves no folder.

    Args:
        cfg: the resolved configuration, saved as ``config.yaml``.
        same: keys that may not change when a run is continued.

    Returns:
        The folder.

    Raises:
        UsageError: see `check_run`.
    """
    run_dir = check_run(cfg, same)
    run_dir.mkdir(parents=True, exist_ok=True)
    write_text(run_dir / CONFIG, OmegaConf.to_yaml(cfg, resolve=True))
    return run_dir


def find_checkpoint(cfg: DictConfig) -> Path:
    """Return the encoder's checkpoint, or say which command makes it.

    Raises:
        UsageError: there is none.
    """
    path = Path(cfg.checkpoint)
    if not path.exists():
        raise UsageError(
            f"there is no encoder at {path}: make it with  python scripts/pretrain_slots.py "
            f"{overrides(cfg)}  or name another with checkpoint=..."
        )
    return path


def overrides(cfg: DictConfig) -> str:
    """Return the arguments that name a pretraining: env, encoder, seed and where runs are kept."""
    words = [f"env={cfg.env.name}", f"encoder={cfg.encoder.pretrained_as}"]
    if cfg.env.simulator == "gymnasium":
        words.append(f"env.id={cfg.env.id}")
    elif cfg.env.simulator != "maze":
        words.append(f"simulator={cfg.env.simulator}")
    if cfg.seed:
        words.append(f"seed={cfg.seed}")
    if cfg.runs_dir != "runs":
        words.append(f"runs_dir={cfg.runs_dir}")
    return " ".join(words)
