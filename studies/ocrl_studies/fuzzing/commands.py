"""Commands in miniature, run in this process."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import sys
from pathlib import Path

from hydra.core.global_hydra import GlobalHydra

from ocrl.checkpoints import save_encoder
from ocrl.errors import UsageError
from ocrl_studies.fuzzing import miniature_data, miniatures
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
PPO = ["agent.num_envs=2", "agent.model.n_steps=8", "agent.model.batch_size=16", "eval_every=0"]
AGENT = ["encoder=ground_truth", "total_steps=32", *PPO]
PLAYED = ["episodes=1", "num_envs=1", "conditions=layout", "strip.num_frames=1"]
LONG = ["identity.num_clips=1", "identity.clip_length=4"]
FRAMES = ["num_frames.train=8", "num_frames.test=8", "num_envs=2", "every=1", "probe.num_steps=1"]

VERBS: dict[str, list[str]] = {
    "collect_rollouts": [*ROLLOUTS, "overwrite=true"],
    "generate_scenes": ["data.num_videos.train=1", "data.recipe.num_frames=2", "splits=[train]"],
    "convert_data": ["name=movi_a", "split=train", "source=given", "folder=shards"],
    "pretrain_backbone": [*STEPS, "scoring.num_frames=4", "crops.num_small=1"],
    "pretrain_slots": ["encoder=vector", *STEPS, *CLIPS],
    "train_agent": AGENT,
    "record_video": ["steps=2"],
    "evaluate_slots": ["checkpoint=given/encoder.safetensors", *ROLLOUTS, *CLIPS],
    "segment": ["checkpoint=given/encoder.safetensors", "path=given/val2017"],
    "compare_encoders": ["encoder=slotcontrast", "seed=0", *STEPS, *CLIPS, *LONG],
    "transfer_study": [*AGENT, "seed=0", *ROLLOUTS, *PLAYED],
    "evaluate_transfer": ["runs_dir=given/runs", *PLAYED],
    "probe_tokens": ["encoders=[ground_truth]", *FRAMES],
}
"""Verb -> what makes it small."""


def fresh(folder: Path) -> Path:
    """Return a working directory with nothing but rollouts, which take long to collect.

    And with what commands are given: see `give`.
    """
    home = folder / "home"
    for path in [*home.glob("*"), *home.glob("data/*")]:
        if path.name not in ("data", "rollouts"):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    if (folder / "given").exists():
        shutil.copytree(folder / "given", home / "given")
    return home


def give(folder: Path) -> None:
    """Make what commands are given: videos, a photograph, an encoder and an agent, once."""
    given, part = folder / "given", folder / "given.partial"
    if given.exists():
        return
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    miniature_data.make_movi(part)
    miniature_data.make_coco(part)
    save_encoder(part / "encoder.safetensors", miniatures.tiny_encoder())
    home = fresh(folder)
    home.mkdir(parents=True, exist_ok=True)
    call("train_agent", AGENT, home)
    (home / "runs").rename(part / "runs")
    part.rename(given)


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
        kept = {"multirun", "given"}
        left = [path for path in home.rglob("config*.yaml") if not kept.intersection(path.parts)]
        raise UsageError(f"{lines[0]}{f' LEFT {left[0].name}' if left else ''}") from None
