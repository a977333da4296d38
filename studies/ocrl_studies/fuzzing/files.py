"""Files of every kind, changed at random and read."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ocrl_studies.fuzzing.mutations import copy_of, damage, mutate
from ocrl_studies.fuzzing.samples import CHECKPOINTS, SAMPLES, Sample
from ocrl_studies.fuzzing.trials import Trial, campaign


def files(number: int, seed: int, folder: Path, log: Path) -> None:
    """Change a file of each kind in turn, in any way, and read it."""
    _run(SAMPLES, number, seed, folder, log, any_way=True)


def checkpoints(number: int, seed: int, folder: Path, log: Path) -> None:
    """Change bytes of a checkpoint of each kind in turn, and read it: all is to be detected."""
    _run(CHECKPOINTS, number, seed, folder, log, any_way=False)


def _run(
    samples: Sequence[Sample], number: int, seed: int, folder: Path, log: Path, *, any_way: bool
) -> None:
    folders = prepare(samples, folder / "samples")

    def make(trial: int) -> Trial:
        sample = samples[trial % len(samples)]
        rng = np.random.default_rng([seed, trial])
        place = copy_of(folders[sample.kind], folder / "copy")
        change = mutate if any_way else damage
        how = change(place / sample.path, rng)
        return Trial(sample.kind, how, lambda: sample.read(place))

    campaign(make, number, log)


def prepare(samples: Sequence[Sample], folder: Path) -> dict[str, Path]:
    """Make the samples that are not there, read each, and return their folders by kind."""
    folders = {}
    for sample in samples:
        place = folder / sample.kind.replace(" ", "_").replace(",", "")
        if not place.exists():
            part = folder / "part"
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir(parents=True)
            with contextlib.redirect_stdout(io.StringIO()), quiet():
                sample.make(part)
            part.rename(place)
        with contextlib.redirect_stdout(io.StringIO()), quiet():
            sample.read(copy_of(place, folder / "copy"))
        folders[sample.kind] = place
    return folders


def quiet() -> contextlib.AbstractContextManager[object]:
    """Keep progress bars from the terminal."""
    return contextlib.redirect_stderr(open(os.devnull, "w"))
