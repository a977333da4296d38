"""Every benchmark runs and prints its tables; how fast anything is depends on the machine."""

from __future__ import annotations

import os
import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ocrl_studies.benchmarks import agent, data, encoders, family, workers
from ocrl_studies.composition import compose

SCRIPT = Path(__file__).parents[2] / "scripts/benchmark.py"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    for library in ("OMP", "MKL", "NUMBA"):  # what the script sets for good
        name = f"{library}_NUM_THREADS"
        monkeypatch.setenv(name, os.environ.get(name, "1"))

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", [SCRIPT.name, *arguments])
        code = 0
        try:
            runpy.run_path(str(SCRIPT), run_name="__main__")
        except SystemExit as stop:
            code = int(stop.code or 0)
        return code, *capfd.readouterr()

    return call


def numbers(out: str, row: str) -> list[float]:
    """Return the numbers in the row of a table."""
    (line,) = [line for line in out.splitlines() if line.strip().startswith(row)]
    cells = line.strip().removeprefix(row).replace(",", "").replace("%", "").split()
    return [float(cell) for cell in cells if cell != "-"]


def test_maze(benchmark: Run) -> None:
    code, out, _ = benchmark("maze", "--seconds", "0")
    assert code == 0
    rate, ratio = numbers(out, "batch of 16, 64x64")
    assert rate > 0
    assert ratio == 1


def test_encoders(benchmark: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoders, "small_encoders", lambda: ["slotcontrast", "grid"])
    code, out, _ = benchmark("encoders", "--seconds", "0")
    assert code == 0
    single, _, ratio, step, step_ratio, memory = numbers(out, "slotcontrast")
    assert min(single, step, memory) > 0
    assert ratio == step_ratio == 1
    assert len(numbers(out, "grid")) == 6


def test_small_encoders_are_those_that_are_pretrained_on_small_frames() -> None:
    small = encoders.small_encoders()
    assert small[0] == "slotcontrast"
    assert {"vector", "grid", "savi", "slot_attention"} <= set(small)
    assert not {"slotcontrast_dinov2", "videosaur", "cnn"} & set(small)


def test_family(benchmark: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    small = family.Setting("a small MAE", ["encoder=mae"], 1, 1, training=0.5, step=0.25)
    monkeypatch.setattr(family, "SETTINGS", (small,))
    code, out, _ = benchmark("family", "--seconds", "0")
    assert code == 0
    training, training_ratio, step, step_ratio = numbers(out, "a small MAE")
    assert training > 0
    assert step > 0
    assert (training_ratio, step_ratio) == (0.5, 0.25)


def test_every_setting_of_the_family_is_of_the_encoder_it_names() -> None:
    for setting in family.SETTINGS:
        name = compose("pretrain_slots", setting.overrides).encoder.name
        assert name.split("_")[0] in ("space", setting.title.split(",")[0].split()[0].lower())


def test_scenes(benchmark: Run) -> None:
    code, out, _ = benchmark("scenes", "--seconds", "0")
    assert code == 0
    for row in ("movi_a_like", "movi_c_like", "movi_e_like", "j_and_f"):
        assert numbers(out, row)[0] > 0


def test_data(benchmark: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "NUM_IMAGES", (8, 9))
    monkeypatch.setattr(data, "STEPS", 2)
    code, out, _ = benchmark("data", "--seconds", "0")
    assert code == 0
    for row in ("videos in memory", "videos in shards", "photographs, JPEG"):
        batch, step, *shares = numbers(out, row)
        assert min(batch, step) > 0
        assert all(0 <= share < 100 for share in shares)
    assert len(numbers(out, "9")) == 1


def test_agent(benchmark: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent, "STEPS", 128)
    monkeypatch.setattr(agent, "FEW_STEPS", 64)
    code, out, _ = benchmark("agent", "--seconds", "0")
    assert code == 0
    for loop in (
        "ground truth, with memory",
        "slotcontrast, with memory",
        "slotcontrast, rollouts as short",
    ):
        decisions, steps, ratio = numbers(out, loop)
        assert decisions > 0
        assert steps == pytest.approx(2 * decisions, abs=1)  # an action is held for two
        assert ratio > 0
    shares = [
        numbers(out, part)[1]
        for part in ("simulator", "encoder", "policy, forward", "update", "buffers and all else")
    ]
    assert sum(shares) == pytest.approx(100, abs=3)


def test_a_missing_checkpoint_is_one_line(benchmark: Run) -> None:
    code, _, err = benchmark("agent", "--checkpoint", "nowhere.safetensors")
    assert code == 2
    assert "nowhere.safetensors" in err
    assert err.count("error:") == 1
    assert "Traceback" not in err


def test_help_names_every_benchmark(benchmark: Run) -> None:
    code, out, _ = benchmark("--help")
    assert code == 0
    for name in ("maze", "encoders", "scenes", "data", "agent"):
        assert f"\n    {name} " in out


def test_workers(benchmark: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "STEPS", 512)
    monkeypatch.setattr(workers, "REPEATS", 1)
    code, out, _ = benchmark("workers", "--seconds", "0.01")
    assert code == 0
    for row in ("slotcontrast", "ground truth"):
        alone, shared, ratio = numbers(out, row)
        assert ratio == pytest.approx(shared / alone, rel=0.02)


@pytest.mark.parametrize("number", ["0", "65"])
def test_workers_that_cannot_be(benchmark: Run, number: str) -> None:
    code, _, err = benchmark("workers", "--workers", number)
    assert code == 2
    assert err.strip() == f"error: --workers {number}: take 1 to 64, who share 64 environments"
