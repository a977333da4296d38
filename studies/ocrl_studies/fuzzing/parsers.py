"""The two parsers that strangers feed: headers of files, and layouts as text."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ocrl.checkpoints.building import check_numbers
from ocrl.reading import parse_object
from ocrl_agents.checkpoints import parse_header
from ocrl_envs.maze.layout.layout import Layout
from ocrl_studies.fuzzing import miniatures
from ocrl_studies.fuzzing.mutations import nasty
from ocrl_studies.fuzzing.trials import USAGE_ERRORS, Trial, campaign
from ocrl_studies.habits import Habits

Generator = np.random.Generator

BATCH = 10_000
"""Texts in a trial."""

HEADER: dict[str, Any] = {
    "algorithm": "TokenPPO",
    "policy": {"name": "SlotPolicy", "extractor_kwargs": {}, "net_arch": [64], "lstm_dim": 0},
    "spaces": {"observation": "Box", "action": "Discrete(2)"},
    "senses": None,
    "num_timesteps": 8,
    "num_updates": 4,
    "largest_reward": 1.0,
    "encoder": None,
    "scores": {},
    "notes": miniatures.NOTES,
}
MAZE = "*******\n*P  A *\n* *** *\n*   *G*\n*******"

CHARACTERS = list('*PGA \n\t\r{}[]",:0e-\0\u2028é')


def parsers(number: int, seed: int, folder: Path, log: Path) -> None:
    """Parse 10,000 changed headers, or 10,000 changed layouts, in each trial."""
    ways: list[tuple[str, Callable[[Generator], object]]] = [
        ("header, 10,000 each", header),
        ("layout, 10,000 each", layout),
    ]

    def make(trial: int) -> Trial:
        kind, way = ways[trial % len(ways)]
        rng = np.random.default_rng([seed, trial])

        def act() -> None:
            for _ in range(BATCH):
                try:
                    way(rng)
                except USAGE_ERRORS as error:
                    if "\n" in str(error):
                        raise AssertionError(f"several lines: {error}") from error

        return Trial(kind, "", act)

    campaign(make, number, log)


def header(rng: Generator) -> None:
    """Parse a header of an agent in which something is something else."""
    text = json.dumps(nasty(HEADER, rng))
    if rng.random() < 0.5:
        text = changed(text, rng)
    content = parse_header(text, "the header")
    check_numbers(parse_object(text, "the header"), "the header")
    Habits.read(content["notes"], "the header")


def layout(rng: Generator) -> None:
    """Parse a maze in which characters are others, or there are more or less of them."""
    Layout.from_text(changed(MAZE, rng))


def changed(text: str, rng: Generator) -> str:
    """Return a text with some characters in place of others, put in or taken out."""
    for _ in range(int(rng.integers(1, 5))):
        place, length = int(rng.integers(len(text) + 1)), int(rng.integers(4))
        other = "".join(rng.choice(CHARACTERS, length))
        text = text[:place] + other + text[place + int(rng.integers(4)) :]
    return text
