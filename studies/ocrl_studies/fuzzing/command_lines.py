"""Command lines with something wrong in them, run to the end in miniature."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from hydra.core.global_hydra import GlobalHydra

from ocrl.errors import UsageError
from ocrl_studies.composition import compose, find_configs
from ocrl_studies.fuzzing import miniatures
from ocrl_studies.fuzzing.trials import Trial, campaign
from ocrl_studies.main import run

Generator = np.random.Generator

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

WORDS = "nope null true [] [1,2,3] {} {a:1} ' ??? \u00e9 cuda a=b -0.0 [0,64] [64] None yes {"
PLACES = "../../nowhere/a /dev/null/a"
NUMBERS = "-1 0 1.5 2 1e30 -1e30 nan inf 1000000000000 0x10 1_000"
VALUES = [
    *WORDS.split(),
    *PLACES.split(),
    *NUMBERS.split(),
    "${oc.env:HOME}",
    "${nope}",
    "x" * 300,
    "a b",
    "",
]
"""What stands where something else is expected."""


def command_lines(number: int, seed: int, folder: Path, log: Path) -> None:
    """Give each verb in turn a setting that may be wrong, and let it run."""
    folder.mkdir(parents=True, exist_ok=True)
    os.environ.pop("MINARI_DATASETS_PATH", None)
    for verb, words in VERBS.items():
        _call(verb, words, _fresh(folder))  # whole without the change, and the data are there then
    keys = {verb: _keys(verb, words) for verb, words in VERBS.items()}

    def make(trial: int) -> Trial:
        verb = list(VERBS)[trial % len(VERBS)]
        rng = np.random.default_rng([seed, trial])
        how = CHANGES[int(rng.integers(len(CHANGES)))]
        word = how(keys[verb], rng)
        words = [*VERBS[verb], word]
        return Trial(f"{verb}", word, lambda: _call(verb, words, _fresh(folder)))

    campaign(make, number, log)


def value(keys: list[str], rng: Generator) -> str:
    """Set something to what it may not be."""
    return f"{_one(keys, rng)}={_one(VALUES, rng)}"


def below(keys: list[str], rng: Generator) -> str:
    """Set a part of something that has none."""
    return f"{_one(['', '+', '++'], rng)}{_one(keys, rng)}.{_one(['a', 'name', '0'], rng)}=3"


def misspelt(keys: list[str], rng: Generator) -> str:
    """Swap two letters of a name."""
    key = _one(keys, rng)
    place = int(rng.integers(max(1, len(key) - 1)))
    swapped = key[place : place + 2][::-1]
    return f"{_one(['', '+'], rng)}{key[:place]}{swapped}{key[place + 2 :]}=1"


def taken_out(keys: list[str], rng: Generator) -> str:
    """Take something out."""
    return f"~{_one(keys, rng)}"


def choice(keys: list[str], rng: Generator) -> str:
    """Choose what there is not, or what belongs elsewhere."""
    groups = sorted(path for path in find_configs().iterdir() if path.is_dir())
    group = _one([path.name for path in groups], rng)
    names = [path.stem for path in find_configs().glob("*/*.yaml")]
    return f"{group}={_one([*VALUES, *names], rng)}"


def malformed(keys: list[str], rng: Generator) -> str:
    """Say what is no setting at all."""
    words = [
        "nope",
        "=",
        "=3",
        "--nope",
        "-x",
        "a b",
        "seed",
        "seed:3",
        "'seed=3",
        "seed==3",
        "@",
        "+",
    ]
    return _one(words, rng)


CHANGES: list[Callable[[list[str], Generator], str]] = [
    *[value] * 6, below, misspelt, taken_out, choice, malformed,
]  # fmt: skip


def _one(items: list[str], rng: Generator) -> str:
    return items[int(rng.integers(len(items)))]


def _keys(verb: str, words: list[str]) -> list[str]:
    cfg = compose(verb, words)
    keys: list[str] = []

    def visit(node: object, prefix: str) -> Iterator[str]:
        for key in node:  # type: ignore[attr-defined]
            child = node._get_node(key)  # type: ignore[attr-defined]
            name = f"{prefix}{key}"
            if hasattr(child, "items") and len(child):
                yield from visit(child, f"{name}.")
            else:
                yield name

    keys += visit(cfg, "")
    return keys


def _fresh(folder: Path) -> Path:
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


def _call(verb: str, words: list[str], home: Path) -> None:
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
