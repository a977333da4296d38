"""A study compares encoders and seeds, and nothing else."""

from __future__ import annotations

import pytest

from ocrl.errors import UsageError
from ocrl_studies.core.study import check_sweep


def test_only_encoders_and_seeds_make_cells() -> None:
    check_sweep(["encoder=slotcontrast,vector", "seed=range(0,3)", "episodes=8", "env=nav_maze_2"])
    with pytest.raises(UsageError, match="one study for each env"):
        check_sweep(["env=nav_maze_1,nav_maze_2"])
