"""The schema of all settings: what each may be, checked before anything is written.

A rule is for every setting whose dotted name fits its pattern; what has no rule is as its default
is (`ocrl_studies.overrides.check_kinds`), or is checked by whatever it is given to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import torch

from ocrl.errors import UsageError, nearest
from ocrl_envs.maze.task.shifts import SHIFTS
from ocrl_studies.habits import PRECISIONS
from ocrl_studies.plain import flatten
from ocrl_studies.rules import Choice, Made, Number, Place, Row, Rule, Text

COUNT = Number(1)
RATE = Number(0, 1, whole=False, above=True)
SHARE = Number(0, 1, whole=False)
SEED = Number(0, 2**32 - 1)
SIDE = Number(1, 4096)
SIZE = Row(SIDE, "[height, width] in pixels", "[64,64]")
ANY_SIZE = Row(SIDE, "[height, width] in pixels", "[64,64]", optional=True)
AREA = Row(SHARE, "[smallest, largest] share of a frame", "[0.25,1.0]")
REPEATED = Number(1, 1024)
"""As many as a saved encoder may have of it."""
SPLITS = Choice(("train", "validation", "test"))
MAZE_SCORES = ("return", "success", "goals", "apples", "spl", "length", "steps_to_goal")

RULES: Mapping[str, Rule] = {
    "seed": SEED,
    "episode_seed": SEED,
    "data.seed": SEED,
    "num_threads": Number(1, 256),
    "runs_dir": Place(),
    "data_dir": Place(),
    "run_dir": Place(),
    "study_dir": Place(),
    "results_dir": Place(),
    "folder": Place(),
    "path": Place(),
    "data.path": Place(),
    "data.held_out": Place(),
    "pretraining.feature_cache": Place(optional=True),
    "name": Text(),
    "env.id": Text(),
    "data.run_name": Text(),
    "encoder.pretrained_as": Text(optional=True),
    "output": Place(optional=True),
    "checkpoint": Place(optional=True),
    "encoder_checkpoint": Place(optional=True),
    "split": SPLITS,
    "splits": Row(SPLITS, "a list", "[train,validation]", length=None),
    "num_layouts": Row(Number(1, optional=True), "a list", "[null]", length=None),
    "encoder.model": Made(optional=True),
    "encoder.wrapper": Made(optional=True),
    "encoder.image_size": ANY_SIZE,
    "encoder.*num_slots": REPEATED,
    "encoder.*num_steps": REPEATED,
    "encoder.*num_iterations": REPEATED,
    "encoder.*num_refinements": REPEATED,
    "encoder.*num_heads": REPEATED,
    "encoder.*_dim": Number(1, 2**16, optional=True),
    "backbone.image_size": SIZE,
    "data.image_size": ANY_SIZE,
    "data.recipe.image_size": SIZE,
    "crops.*_area": AREA,
    "teacher.temperature": Row(RATE, "[first, last]", "[0.04,0.07]"),
    "env.vectorization": Choice(("native", "sync", "async")),
    "clip_length": COUNT,
    "scoring.num_clips": Number(1, optional=True),
    "scoring.clip_length": Number(1, optional=True),
    "scoring.num_*": COUNT,
    "identity.*": COUNT,
    "strip.*": COUNT,
    "steps": COUNT,
    "episodes": COUNT,
    "num_envs": Number(1, 2**16),
    "total_steps": COUNT,
    "eval_every": Number(0),
    "eval_episodes": COUNT,
    "agreement": Number(1, optional=True),
    "limit": Number(1, optional=True),
    "size": Number(1, 4096, optional=True),
    "pretraining.max_steps": COUNT,
    "pretraining.steps_per_epoch": COUNT,
    "pretraining.batch_size": Number(1, 2**20),
    "pretraining.learning_rate": RATE,
    "pretraining.warmup_steps": Number(0),
    "pretraining.decay_steps": Number(1, optional=True),
    "pretraining.gradient_clip": Number(0, whole=False),
    "pretraining.clip_norm": Number(1, whole=False),
    "pretraining.precision": Choice(("32-true", "bf16-mixed")),
    "pretraining.num_workers": Number(0, 1024),
    "pretraining.devices": Number(1, 1024),
    "pretraining.num_nodes": Number(1, 1024),
    "agent.num_envs": Number(1, 2**16),
    "agent.num_workers": Number(1, 256),
    "agent.precision": Choice(PRECISIONS),
    "agent.place_memory": Number(0, 1000),
    "agent.visit_bonus": Number(0, whole=False),
    "agent.explores": Choice(("tokens", "places"), optional=True),
    "agent.model.n_steps": COUNT,
    "agent.model.batch_size": Number(1, optional=True),
    "agent.model.n_epochs": COUNT,
    "agent.model.lstm_dim": Number(0, 2**16),
    "agent.model.learning_rate": RATE,
    "agent.model.gamma": SHARE,
    "agent.model.gae_lambda": SHARE,
    "agent.model.clip_range": RATE,
    "agent.model.ent_coef": Number(0, whole=False),
    "agent.model.vf_coef": Number(0, whole=False),
    "agent.model.max_grad_norm": Number(0, whole=False, above=True),
    "agent.model.calibration_steps": Number(0),
    "env.num_envs": Number(1, 2**16),
    "env.action_repeat": Number(1, 1000),
    "data.num_envs": Number(1, 2**16),
    "data.num_steps.*": COUNT,
    "data.num_videos.*": COUNT,
    "data.num_workers": Number(0, 1024),
    "data.skip_first": Number(0),
    "data.recipe.num_frames": COUNT,
    "distillation.hidden_dim": COUNT,
    "distillation.bottleneck_dim": COUNT,
    "distillation.num_prototypes": Number(2),
    "distillation.student_temperature": Number(0, whole=False, above=True),
    "distillation.centre_momentum": SHARE,
    "teacher.momentum": SHARE,
    "teacher.warmup_steps": COUNT,
    "teacher.weight_decay": Number(0, whole=False),
    "crops.large_size": COUNT,
    "crops.small_size": COUNT,
    "crops.num_small": Number(0),
    "num_frames.*": COUNT,
    "every": COUNT,
    "probe.num_steps": COUNT,
    "probe.batch_size": COUNT,
    "probe.learning_rate": RATE,
    "probe.weight_decay": Number(0, whole=False),
    "probe.dim": Number(1, 2**16),
}
"""Pattern of a setting's name -> what it may be."""

MAZES = "maze"
MAZE_RULES: Mapping[str, Rule] = {
    "shift": Choice(SHIFTS, optional=True),
    "split": SPLITS,
    "num_layouts": Number(1, optional=True),
    "looks": Choice(("by_layout", "by_episode", "one")),
}
"""Option of a maze -> what it may be, under whatever condition."""


def check_settings(settings: Mapping[str, Any]) -> None:
    """Raise UsageError if a setting is what it may not be.

    >>> check_settings({"clip_length": 0})
    Traceback (most recent call last):
    ocrl.errors.UsageError: clip_length=0: expected a whole number from 1; the nearest is 1

    Args:
        settings: resolved, in groups or by dotted names.
    """
    plain = flatten(settings)
    for key, value in _walk(settings):
        rule = find_rule(key, plain)
        if rule is not None and not rule.fits(value):
            raise UsageError(f"{key}={_given(value)}: expected {rule}; {rule.closest(value)}")
    if "device" in plain:
        check_device(plain["device"])


def find_rule(key: str, plain: Mapping[str, Any]) -> Rule | None:
    """Return the rule for a setting, if there is one."""
    if plain.get("env.simulator") == MAZES:
        if key == "score":
            return Choice(MAZE_SCORES)
        parent, _, option = key.rpartition(".")
        if parent and option in MAZE_RULES:
            return MAZE_RULES[option]
    if key in RULES:
        return RULES[key]
    patterns = (pattern for pattern in RULES if "*" in pattern and fnmatchcase(key, pattern))
    pattern = next(patterns, None)
    return None if pattern is None else RULES[pattern]


def check_device(device: Any) -> None:
    """Raise UsageError unless torch can compute there."""
    kind, _, number = str(device).partition(":")
    if kind not in ("cpu", "cuda", "auto") or (
        number and not (number.isdigit() and kind == "cuda")
    ):
        raise UsageError(
            f"device={device}: expected cpu, cuda or auto; {nearest(kind, ('cpu', 'cuda', 'auto'))}"
        )
    if kind == "cuda" and int(number or 0) >= torch.cuda.device_count():
        raise UsageError(
            f"device={device}: this machine has {torch.cuda.device_count()} GPUs that torch can "
            "use; take device=cpu"
        )


def _walk(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield all settings by dotted names, and groups of them too."""
    for key, value in settings.items():
        yield f"{prefix}{key}", value
        if isinstance(value, Mapping):
            yield from _walk(value, f"{prefix}{key}.")


def _given(value: Any) -> str:
    text = str(Path(value)) if isinstance(value, Path) else str(value)
    return f"{'null' if value is None else text:.100}"
