"""Trained agents of an environment, played under every condition and compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import imageio.v3 as iio
import torch
from omegaconf import DictConfig, OmegaConf

from ocrl.errors import UsageError
from ocrl_agents.checkpoints import read_agent
from ocrl_agents.evaluation import evaluate
from ocrl_studies.core.comparability import check_comparable
from ocrl_studies.core.page import Page
from ocrl_studies.core.tables import print_table, write_rows
from ocrl_studies.environments import flatten, settings
from ocrl_studies.stages.evaluation import episodes_to_play, load_agent
from ocrl_studies.transfer.conditions import check_conditions
from ocrl_studies.transfer.played import (
    Played,
    plot_learning,
    plot_transfer,
    read_curve,
    summary_rows,
    write_episodes,
)

SCORES = ("success", "goals", "return", "spl")


class Agent(NamedTuple):
    """A trained agent on disk."""

    run_dir: Path
    config: DictConfig

    @property
    def encoder(self) -> str:
        """Name of its encoder."""
        return str(self.config.encoder.name)

    @property
    def seed(self) -> int:
        """Of its training."""
        return int(self.config.seed)

    @property
    def checkpoint(self) -> Path:
        """The agent after its last step, not the best one: nothing is selected."""
        return self.run_dir / "last.safetensors"


def evaluate_transfer(cfg: DictConfig) -> None:
    """Play every agent of an environment under every condition, and report."""
    torch.set_num_threads(cfg.num_threads)
    agents = find_agents(Path(cfg.runs_dir) / "agent" / cfg.env.run_name)
    check_comparable({str(agent.run_dir): training_settings(agent) for agent in agents})
    if agents[0].config.env.simulator == cfg.env.simulator:
        cfg.env.train = agents[0].config.env.train
    check_conditions(cfg.env, cfg.conditions)
    played = []
    for agent in agents:
        for condition, variation in cfg.conditions.items():
            print(f"playing {agent.run_dir} under condition {condition}")
            policy, environments = load_agent(agent.checkpoint, cfg, variation)
            seeds, options = episodes_to_play(cfg, environments)
            episodes = evaluate(policy, environments, seeds, options=options)
            environments.close()
            played.append(Played(agent.encoder, agent.seed, condition, episodes))
    folder = Path(cfg.run_dir)
    folder.mkdir(parents=True, exist_ok=True)
    write_episodes(folder / "episodes.csv", played)
    rows = summary_rows(played, SCORES)
    write_rows(folder / "summary.csv", rows)
    header = list(rows[0])
    cells = [[f"{v:.2f}" if isinstance(v, float) else str(v) for v in row.values()] for row in rows]
    print_table(header, cells)
    page = report(cfg, agents, played)
    page.table(header, cells)
    print(f"episodes: {folder / 'episodes.csv'}\nreport:   {page.save(folder)}")


def find_agents(folder: Path) -> list[Agent]:
    """Return the agents in ``<folder>/<encoder>/seed=<n>``, ordered by encoder and seed."""
    agents = []
    for path in sorted(folder.glob("*/seed=*/last.safetensors")):
        config = OmegaConf.load(path.parent / "config.yaml")
        assert isinstance(config, DictConfig)
        agents.append(Agent(path.parent, config))
    if not agents:
        raise UsageError(
            f"there are no agents in {folder}: train some with  python scripts/train_agent.py "
            f"env={folder.name} encoder=slotcontrast"
        )
    return agents


def training_settings(agent: Agent) -> dict[str, Any]:
    """Return what agents of one table have in common: level, layouts, PPO and steps.

    Raises:
        UsageError: the agent's training was interrupted.
    """
    done, total = read_agent(agent.checkpoint).header["num_timesteps"], agent.config.total_steps
    if done < total:
        raise UsageError(
            f"{agent.run_dir} is at {done} of {total} steps: continue it with resume=true, or move "
            "it away"
        )
    shared = {key: settings(agent.config[key]) for key in ("env", "agent")}
    return {**flatten(shared), "total_steps": total}


def report(cfg: DictConfig, agents: list[Agent], played: list[Played]) -> Page:
    """Return the page: bars, learning curves, masks of each encoder on unseen layouts."""
    page = Page(f"Zero-shot transfer in {cfg.env.run_name}")
    conditions = ", ".join(f"{name} {settings(node)}" for name, node in cfg.conditions.items())
    page.text(
        f"{len(agents)} agents; {cfg.episodes} episodes each per condition, with the same mazes "
        f"and episode seeds for all. Conditions: {conditions}. Dots are seeds, bars their "
        "interquartile mean, which is the mean of fewer than four."
    )
    page.figure(plot_transfer(played, "goals", "goals per episode"), "goals", "Goals per episode")
    page.figure(plot_transfer(played, "return", "return"), "return", "Return per episode")
    curves: dict[str, list[tuple[list[float], list[float]]]] = {}
    for agent in agents:
        curve = read_curve(agent.run_dir / "progress.csv", "rollout/ep_rew_mean")
        curves.setdefault(agent.encoder, []).append(curve)
    page.figure(plot_learning(curves), "learning", "Return while training, on train layouts")
    encoders = {read_agent(agent.checkpoint).encoder for agent in agents} - {None}
    for i, encoder in enumerate(sorted(map(str, encoders))):
        for path in sorted((Path(encoder).parent / "pictures").glob("*.png"))[-1:]:
            caption = f"{path}: frames, true segments and masks on validation layouts"
            page.picture(iio.imread(path), f"masks_{i}", caption)
    return page
