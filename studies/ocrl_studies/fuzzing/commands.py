"""Commands in miniature, run in this process."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import sys
from pathlib import Path

from hydra.core.global_hydra import GlobalHydra

from ocrl.errors import UsageError
from ocrl_studies.fuzzing import miniatures
from ocrl_studies.main import run

ROLLOUTS = ["data.num_envs=2", "data.num_steps.train=64", "data.num_steps.validation=64"]
STEPS = [
    *ROLLOUTS,
    "pretraining.max_steps=1",
    "pretraining.steps_per_epoch=1",
    "pretraining.batch_size=2",
    "pretraining.warmup_steps=0",
    "scoring.num_pictures=1",
]
CLIPS = ["clip_length=2", "scoring.num_clips=2", "scoring.clip_length=2"]
AGENT = ["agent.num_envs=2", "agent.model.n_steps=8", "agent.model.batch_size=16", "eval_every=0"]

VERBS: dict[str, list[str]] = {
    "collect_rollouts": [*ROLLOUTS, "overwrite=true"],
    "generate_scenes": ["data.num_videos.train=1", "data.recipe.num_frames=2", "splits=[train]"],
    "convert_data": ["name=movi_a", "split=train", "source=movi", "folder=shards"],
    "pretrain_backbone": [*STEPS, "scoring.num_frames=4", "crops.num_small=1"],
    "pretrain_slots": ["encoder=vector", *STEPS, *CLIPS],
    "train_agent": ["encoder=ground_truth", "total_steps=32", *AGENT],
    "record_video": ["steps=2"],
}
"""Verb -> what makes it small."""


def fresh(folder: Path) -> Path:
    """Return a working directory with nothing but rollouts, which take long to collect."""
    home = folder / "home"
    for path in [*home.glob("*"), *home.glob("data/*")]:
        if path.name not in ("data", "rollouts"):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    miniatures.make_movi(_made(home / "movi"))
    return home


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def call(verb: str, words: list[str], home: Path) -> None:
    """Run a command in this process.

    Raises:
        UsageError: it stopped with one line that says why.
    """
    os.chdir(home)
    os.environ.pop("MINARI_DATASETS_PATH", None)
    GlobalHydra.instance().clear()
    sys.argv = [f"{verb}.py", *words]
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
            run(verb)
    except SystemExit as stop:
        if not stop.code:
            return
        lines = [line for line in said.getvalue().splitlines() if line.startswith("error: ")]
        if stop.code != 2 or len(lines) != 1 or "Traceback" in said.getvalue():
            raise AssertionError(f"exit {stop.code}: {said.getvalue()[-400:]}") from None
        left = [path for path in home.rglob("config*.yaml") if "multirun" not in path.parts]
        raise UsageError(f"{lines[0]}{f' LEFT {left[0].name}' if left else ''}") from None
