"""Training in several processes, as a command asks for it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from ocrl.errors import UsageError
from ocrl_studies.composition import compose
from ocrl_studies.stages.train_agent import AgentTraining

SMALL = (
    "encoder=ground_truth",
    "total_steps=64",
    "env.action_repeat=30",
    "eval_every=64",
    "eval_episodes=2",
    "agent.num_envs=4",
    "agent.model.n_steps=8",
    "agent.model.batch_size=32",
    "agent.model.calibration_steps=4",
)


def trained(folder: Path, *overrides: str) -> Path:
    return AgentTraining.of(compose("train_agent", [f"run_dir={folder}", *overrides])).train()


@pytest.mark.parametrize("reward", ["agent.explores=places", "agent.visit_bonus=1"])
def test_as_many_processes_as_asked_come_to_the_same(reward: str, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    one, two = (
        load_file(trained(tmp_path / str(number), *SMALL, reward, f"agent.num_workers={number}"))
        for number in (1, 2)
    )
    names = [name for name in one if name.startswith("policy")]
    assert names
    for name in names:
        assert torch.equal(one[name], two[name]), name


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("encoder=slotcontrast", "encoder.finetune=true"), "the policy encodes: take"),
        (("env.vectorization=async",), "are both processes: take env.vectorization=sync"),
        (("agent.num_envs=1",), "agent.num_envs=1 .*: take at most 1"),
        (("eval_episodes=1",), "eval_episodes=1: take at most 1"),
    ],
)
def test_what_workers_cannot_share_is_a_line(
    overrides: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=message):
        trained(tmp_path / "run", *SMALL[:1], *overrides, "agent.num_workers=2")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("agent.explores=places",), "visit_bonus=1 is paid beside .*: take agent.visit_bonus=0"),
        (
            (
                "simulator=gymnasium",
                "env=custom",
                "env.id=CartPole-v1",
                "encoder=cnn",
                "env.render_observation=true",
            ),
            "visit_bonus=1 is for worlds that know where",
        ),
    ],
)
def test_bonus_for_what_is_not_known_is_a_line(
    overrides: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=message):
        trained(tmp_path / "run", *SMALL[:1], *overrides, "agent.visit_bonus=1")
    assert not (tmp_path / "run").exists()
