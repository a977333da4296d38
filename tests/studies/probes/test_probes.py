"""Probes read what tokens hold, and nothing from noise."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ocrl.errors import UsageError
from ocrl_envs.maze.vector import MazeVectorEnv
from ocrl_envs.protocols import HasFacts
from ocrl_studies.probes.networks import PROBES, ProbeSettings, read_facts
from ocrl_studies.probes.scores import area_under_curve, score
from ocrl_studies.probes.sightings import Sightings, see

SETTINGS = ProbeSettings(300, 64, 1e-2, 0.01, 32)


def sightings(seed: int) -> Sightings:
    rng = np.random.default_rng(seed)
    number, choice = rng.normal(size=1024), rng.integers(3, size=1024)
    visible = rng.random(1024) < 0.4
    facts = {
        "visible": visible,
        "bearing": np.where(visible, 5 + 9 * number, np.nan).astype(np.float32),
        "action": choice,
    }
    noise = rng.normal(size=(1024, 3, 6))
    answer = noise.copy()
    answer[:, 0, 0], answer[:, 1, 1] = number, visible
    answer[:, 2, 2:5] = np.eye(3)[choice]
    tokens = {"answer": answer, "noise": noise}
    return Sightings(
        {name: torch.from_numpy(each).float() for name, each in tokens.items()},
        facts,
        np.arange(1024) % 32,
    )


@pytest.mark.parametrize("probe", ["linear", "mlp"])
def test_probes_read_the_answer_and_nothing_from_noise(probe):
    torch.manual_seed(0)
    train, test = sightings(0), sightings(1)
    for encoder, expected in (("answer", (1, 1, 1)), ("noise", (0.5, 0, 1 / 3))):
        read = read_facts(probe, encoder, train, test, SETTINGS)
        scores = [score(test.facts[fact], read[fact]) for fact in test.facts]
        np.testing.assert_allclose(scores, expected, atol=0.1)


def test_a_single_environment_is_too_few():
    with pytest.raises(UsageError, match=r"num_envs=1: .*take 2 or more"):
        see(None, None, {}, num_frames=8, num_envs=1, every=1, seed=0)  # before anything is played


def test_a_transformer_does_not_care_for_the_order_of_tokens():
    train, test = sightings(0), sightings(1)
    turned = test._replace(tokens={k: v.flip(1) for k, v in test.tokens.items()})
    read = []
    for seen in (test, turned):
        torch.manual_seed(0)
        read.append(
            read_facts("transformer", "answer", train, seen, SETTINGS._replace(num_steps=5))
        )
    assert len(PROBES) == 3
    for fact in test.facts:
        np.testing.assert_allclose(read[0][fact], read[1][fact], atol=1e-4)


def test_the_area_is_the_share_of_ordered_pairs():
    rng = np.random.default_rng(0)
    truth, outputs = rng.random(40) < 0.3, rng.integers(9, size=40).astype(float)
    pairs = outputs[truth][:, None] - outputs[~truth][None]
    assert area_under_curve(truth, outputs) == pytest.approx(((np.sign(pairs) + 1) / 2).mean())
    assert np.isnan(area_under_curve(truth[truth], outputs[truth]))


def test_facts_of_a_maze_are_what_its_tokens_tell():
    envs = MazeVectorEnv(num_envs=16, level="nav_maze_1")
    assert isinstance(envs, HasFacts)
    envs.reset(seed=0)
    seen = 0
    for _ in range(40):
        facts, tokens = envs.facts(), envs.describe()
        goal = tokens[:, 0]
        visible = goal[:, 0] > 0
        np.testing.assert_array_equal(facts["goal visible"], visible)
        np.testing.assert_allclose(facts["goal nearness"][visible], goal[visible, 1], rtol=1e-5)
        np.testing.assert_allclose(
            np.sin(facts["goal bearing"][visible]), goal[visible, 2], atol=1e-5
        )
        assert np.isnan(facts["goal bearing"][~visible]).all()
        apples = tokens[:, 1:6, 1].max(1)
        near = facts["good thing visible"]
        np.testing.assert_allclose(facts["good thing nearness"][near], apples[near], rtol=1e-5)
        assert not apples[~near].any()
        assert not any(name.startswith("bad") for name in facts)
        seen += int(visible.sum() + near.sum())
        envs.step(np.zeros(16, np.int64))
    assert seen > 50
