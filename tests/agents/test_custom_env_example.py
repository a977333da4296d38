"""The example, with an environment as small as can be."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

from ocrl import load_encoder
from ocrl_agents.checkpoints import read_agent

EXAMPLE = Path(__file__).parents[2] / "examples" / "custom_env.py"


@pytest.mark.filterwarnings("ignore")
def test_from_frames_to_an_agent(flicker: Any, tmp_path: Path) -> None:
    main = runpy.run_path(str(EXAMPLE))["main"]
    main(flicker, tmp_path, rollout_steps=160, pretraining_steps=2, agent_steps=2048)
    assert load_encoder(tmp_path / "encoder.safetensors").num_tokens == 7
    agent = read_agent(tmp_path / "agent" / "last.safetensors")
    assert agent.header["num_timesteps"] == 2048
    assert agent.encoder == tmp_path / "encoder.safetensors"
    assert (tmp_path / "masks.png").stat().st_size > 0
    assert (tmp_path / "agent.mp4").stat().st_size > 0
