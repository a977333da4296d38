"""Command lines with something wrong in them, run to the end in miniature."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from ocrl_studies.composition import compose, find_configs
from ocrl_studies.fuzzing.commands import VERBS, call, fresh, give
from ocrl_studies.fuzzing.trials import Trial, campaign

Generator = np.random.Generator

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
    give(folder)
    for verb, words in VERBS.items():
        call(verb, words, fresh(folder))  # whole without the change, and the data are there then
    keys = {verb: _keys(verb, words) for verb, words in VERBS.items()}

    def make(trial: int) -> Trial:
        verb = list(VERBS)[trial % len(VERBS)]
        rng = np.random.default_rng([seed, trial])
        how = CHANGES[int(rng.integers(len(CHANGES)))]
        word = how(keys[verb], rng)
        words = [*VERBS[verb], word]
        return Trial(f"{verb}", word, lambda: call(verb, words, fresh(folder)))

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
