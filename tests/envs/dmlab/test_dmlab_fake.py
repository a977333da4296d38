"""The stand-in, and the real module where there is one, against a trace of the real one."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from fake_deepmind_lab import RECORDINGS

TRACE = RECORDINGS / "api_trace.json"
LEVELS = ["nav_maze_static_01", "nav_maze_random_goal_01"]
SMALL = {"width": "32", "height": "24", "episodeLengthSeconds": "2"}
NO_ACTION = np.zeros(7, np.intc)

pytestmark = pytest.mark.skipif(not TRACE.exists(), reason="the trace is not there")


@pytest.fixture(scope="module")
def trace():
    return json.loads(TRACE.read_text())


def outcome(call):
    """Say what a call raises, as the trace writes it."""
    try:
        call()
    except (RuntimeError, TypeError, ValueError) as error:
        return f"{type(error).__name__}: {error}"
    return None


@pytest.mark.parametrize("level", LEVELS)
def test_episodes_step_by_step(deepmind_lab, trace, level):
    episodes = trace[level]["episodes"]
    names = list(episodes[0]["first_observation"])
    lab = deepmind_lab.Lab(level, names, config=SMALL)
    for episode in episodes:
        lab.reset(seed=episode["seed"])
        assert lab.is_running() == episode["running_after_reset"]
        assert lab.num_steps() == episode["num_steps_after_reset"]
        for name, recorded in episode["first_observation"].items():
            observed = lab.observations()[name]
            if isinstance(recorded, dict):
                assert list(observed.shape) == recorded["shape"]
                assert str(observed.dtype) == recorded["dtype"]
            else:
                assert np.shape(observed) == np.shape(recorded)
        for step in episode["steps"]:
            reward = lab.step(np.array(step["action"], np.intc), num_steps=4)
            assert isinstance(reward, float)
            assert lab.is_running() == step["is_running"]
            assert lab.num_steps() == step["num_steps"]
            assert lab.events() == step["events"]
        assert outcome(lab.observations) == episode["observations_after_end"]
        assert outcome(lambda: lab.step(NO_ACTION)) == episode["step_after_end"]
    lab.close()


@pytest.mark.parametrize("level", LEVELS)
def test_specs(deepmind_lab, trace, level):
    lab = deepmind_lab.Lab(level, [], config=SMALL)
    assert lab.action_spec() == trace[level]["action_spec"]
    recorded = {entry["name"]: entry for entry in trace[level]["observation_spec"]}
    for entry in lab.observation_spec():
        assert recorded[entry["name"]] == {
            "name": entry["name"],
            "dtype": str(entry["dtype"]),
            "shape": list(entry["shape"]),
        }
    lab.close()


def test_errors(deepmind_lab, trace):
    def make(level="nav_maze_static_01", observations=(), config=SMALL):
        return deepmind_lab.Lab(level, list(observations), config=config)

    lab = make()
    found = {
        "unknown_level": outcome(lambda: make(level="no_such_level")),
        "unknown_observation": outcome(lambda: make(observations=["NOPE"])),
        "non_string_config": outcome(lambda: make(config={"width": 32})),
        "step_before_reset": outcome(lambda: lab.step(NO_ACTION)),
        "observations_before_reset": outcome(lab.observations),
    }
    lab.reset(seed=0)
    found |= {
        "wrong_dtype": outcome(lambda: lab.step(NO_ACTION.astype(np.int64))),
        "wrong_shape": outcome(lambda: lab.step(NO_ACTION[:6])),
        "zero_num_steps": outcome(lambda: lab.step(NO_ACTION, num_steps=0)),
    }
    lab.close()
    # The trace hides where the module is installed.
    found["unknown_level"] = re.sub(
        r"'.*(?=/game_scripts)", "'<runfiles>", found["unknown_level"] or ""
    )
    assert found == trace["errors"]


def test_methods(deepmind_lab, trace):
    public = {name for name in dir(deepmind_lab.Lab) if not name.startswith("_")}
    assert public == set(trace["methods"])
