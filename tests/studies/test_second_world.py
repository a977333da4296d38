"""A world of somebody else's, with ground truth: all that is needed is its class and its YAML."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from hydra.utils import instantiate
from omegaconf import DictConfig

from ocrl_agents.evaluation import evaluate
from ocrl_envs import protocols
from ocrl_envs.maze.vector import MazeVectorEnv
from ocrl_envs.protocols import SEGMENT_STRIDE
from ocrl_studies.composition import compose
from ocrl_studies.env_settings import EnvSettings
from ocrl_studies.stages.evaluation import episodes_to_play, load_agent
from ocrl_studies.stages.train_agent import train_agent
from ocrl_studies.transfer.conditions import check_conditions
from ocrl_studies.transfer.plan import plan_study
from ocrl_studies.transfer.references import (
    play_references,
    reference_episodes,
    references_folder,
)

# HasState is for worlds whose agents go on in the midst of an episode
NAMES = [name for name in dir(protocols) if name.startswith("Has") and name != "HasState"]
PROTOCOLS = [getattr(protocols, name) for name in NAMES]
SIZE, NUM_LAYOUTS, STEPS = 16, 3, 12


class GridWorld(VectorEnv[Any, Any, Any]):
    """Walk right to a dot; the layout is the row of the dot. Sees all of the grid."""

    segment_kinds, num_stuff = ("ground", "dot"), 1
    policies, rollout_policy = ("random", "oracle"), "oracle"
    draws = True

    def __init__(
        self,
        num_envs: int = 1,
        autoreset_mode: AutoresetMode = AutoresetMode.NEXT_STEP,
        split: str = "train",
        num_layouts: int | None = None,
    ) -> None:
        self.num_envs, self.mode = num_envs, autoreset_mode
        self.num_layouts = num_layouts or NUM_LAYOUTS
        self.metadata = {"autoreset_mode": autoreset_mode}
        self.shade = {"train": 100, "validation": 130, "test": 160}[split]
        self.single_observation_space = spaces.Box(0, 255, (SIZE, SIZE, 3), np.uint8)
        self.single_action_space = spaces.Discrete(2)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.column, self.row, self.time = np.zeros((3, num_envs), np.int64)

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> Any:
        options = options or {}
        chosen = options.get("reset_mask", np.ones(self.num_envs, np.bool_))
        rows = np.broadcast_to(options.get("layout", np.arange(self.num_envs) % 3), self.num_envs)
        self.row = np.where(chosen, rows, self.row)
        self.column, self.time = np.where(chosen, 0, [self.column, self.time])
        return self.frames(), {}

    def step(self, actions: Any) -> Any:
        over = self.time >= STEPS
        self.column += np.asarray(actions) * ~over
        self.time += 1
        ended, never = self.time == STEPS, np.zeros(self.num_envs, np.bool_)
        rewards, infos = actions * (1.0 - over), {}
        frames = self.frames()
        if self.mode is AutoresetMode.SAME_STEP and ended.any():
            finals = np.empty(self.num_envs, object)
            finals[:] = list(frames)
            infos = {"final_obs": finals, "_final_obs": ended}
        if self.mode is not AutoresetMode.DISABLED:
            again = ended if self.mode is AutoresetMode.SAME_STEP else over
            frames = self.reset(options={"reset_mask": again, "layout": self.row})[0]
        return frames, rewards, never, ended, infos

    def frames(self) -> np.ndarray:
        dots = self.annotations()["segments"][..., None] >= SEGMENT_STRIDE
        return np.where(dots, [255, 0, 0], self.shade).astype(np.uint8)

    def annotations(self) -> dict[str, np.ndarray]:
        segments = np.zeros((self.num_envs, SIZE, SIZE), np.uint16)
        for grid, row, column in zip(segments, self.row, self.column, strict=True):
            grid[4 * row : 4 * row + 4, column : column + 4] = SEGMENT_STRIDE + 1
        return {"segments": segments, "column": self.column.copy()}

    def describe(self) -> np.ndarray:
        return np.stack([self.row, self.column], axis=1)[:, None].astype(np.float32)

    def facts(self) -> dict[str, np.ndarray]:
        return {"column": self.column.astype(np.float64)}

    def make_policy(self, name: str, seed: int = 0) -> protocols.Policy:
        rng = np.random.default_rng(seed)
        return lambda _: (
            np.full(self.num_envs, 1) if name == "oracle" else rng.integers(2, size=self.num_envs)
        )

    def places(self) -> np.ndarray:
        return np.stack([self.column, self.row], axis=1) / 1.0

    def draw_map(self, index: int, trail: np.ndarray, size: int) -> np.ndarray:
        canvas = np.zeros((size, size, 3), np.uint8)
        canvas[10 : 10 + len(trail)] = 200
        return canvas


gymnasium.register("test/GridWorld-v0", vector_entry_point=GridWorld)


@pytest.fixture(autouse=True)
def datasets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "datasets"))


def grid_config(home: Path, name: str, *overrides: str) -> DictConfig:
    """Compose a configuration whose simulator is written as its YAML would be."""
    node = {
        "run_name": "grid",
        "vectorization": "native",
        "layouts": "true",
        "policies": ["random", "oracle"],
        **{split: {"split": split} for split in ("train", "validation", "test")},
    }
    written = [
        f"++env.{key}={json.dumps(value).replace(chr(34), '')}" for key, value in node.items()
    ]
    chosen = ["env=custom", "env.id=test/GridWorld-v0", f"runs_dir={home}", *written, *overrides]
    return compose(name, chosen)


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.__name__)
def test_both_worlds_fulfil_every_protocol(protocol: type) -> None:
    for world in (GridWorld(2), MazeVectorEnv(2, num_layouts=1)):
        world.reset(seed=0)
        assert isinstance(world, protocol)
    assert not isinstance(gymnasium.make_vec("CartPole-v1", 1).unwrapped, protocol)


def test_its_rollouts_have_its_segments(tmp_path: Path) -> None:
    cfg = grid_config(tmp_path, "collect_rollouts", "data.num_envs=2", "data.num_steps.train=24")
    source = instantiate(cfg.data)
    videos = source.training_videos()
    assert source.kinds == (("ground", "dot"), 1)
    assert source.num_stuff == 1
    assert list(videos.lengths) == [STEPS + 1, STEPS + 1]
    frames, segments = (read(0, 0, STEPS) for read in (videos.frames, videos.segments))
    assert set(np.unique(segments)) == {0, SEGMENT_STRIDE + 1}
    np.testing.assert_array_equal(segments > 0, frames[..., 0] == 255)
    # the world's own policy, that never stands still
    assert [int(np.flatnonzero(grid.any(0))[0]) for grid in segments] == list(range(STEPS))


def test_an_agent_reads_its_tokens_and_plays_its_layouts(tmp_path: Path) -> None:
    small = ["agent.num_envs=2", "agent.model.n_steps=32", "agent.model.batch_size=64"]
    chosen = ["encoder=ground_truth", "total_steps=64", "eval_every=0", *small]
    path = train_agent(grid_config(tmp_path, "train_agent", *chosen))
    cfg = grid_config(
        tmp_path, "evaluate_transfer", "num_envs=2", "episodes=4", "conditions=custom"
    )
    env = EnvSettings.of(cfg.env)
    policy, venv = load_agent(path, env, env.splits["test"], cfg.num_envs, cfg.device)
    assert venv.observation_space.shape == (1, 2)
    seeds, options = episodes_to_play(venv, cfg.episodes, cfg.episode_seed)
    episodes = evaluate(policy, venv, seeds, options=options)
    assert [episode.options["layout"] for episode in episodes] == [0, 1, 2, 0]
    assert {episode.length for episode in episodes} == {STEPS}


def test_its_policies_are_played_beside_agents_and_drawn_on_its_map(tmp_path: Path) -> None:
    chosen = ["num_envs=2", "episodes=3", "conditions=custom", "strip.every=4"]
    cfg = grid_config(tmp_path, "transfer_study", *chosen, "++layouts=null")
    check_conditions(cfg)
    plan = plan_study(cfg)
    play_references(plan)
    folder = references_folder(plan, plan.numbers[-1])
    oracle = reference_episodes(folder, "oracle", "test")
    returns = [row["return"] for row in json.loads(oracle.read_text())]
    assert returns == [STEPS] * 3
    assert reference_episodes(folder, "random", "train").exists()
    assert oracle.with_suffix(".png").exists()
