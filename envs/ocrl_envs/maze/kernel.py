"""Compilation of the simulator's inner loops."""

from __future__ import annotations

from pathlib import Path

from ocrl_envs.kernel import compiler

kernel = compiler(Path(__file__).parent)
