"""Everything that the cells of a study left on disk, read for the report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig

from ocrl_studies.core.comparability import check_records
from ocrl_studies.core.record import Record
from ocrl_studies.transfer.cell import SHARED, agent_configs, episodes_path, is_trained
from ocrl_studies.transfer.episodes import load_episodes
from ocrl_studies.transfer.played import Played
from ocrl_studies.transfer.references import reference_episodes, reference_policies


@dataclass(frozen=True)
class AgentRun:
    """A trained agent that has played under every condition.

    Attributes:
        encoder: name of its encoder.
        seed: of encoder and agent.
        cfg: its configuration.
        played: its episodes, by condition.
    """

    encoder: str
    seed: int
    cfg: DictConfig
    played: Sequence[Played]


@dataclass(frozen=True)
class Results:
    """What a study has come to.

    Attributes:
        agents: number of training layouts -> agents that are complete.
        references: number of training layouts -> episodes of the policies without learning, with
            these layouts for those of training.
        records: of all cells that were started.
        missing: what is not complete, and why.
    """

    agents: dict[int | None, list[AgentRun]]
    references: dict[int | None, list[Played]]
    records: list[Record]
    missing: list[str]

    @property
    def agents_played(self) -> dict[int | None, list[Played]]:
        """Return the episodes of the agents, like those of ``references``."""
        return {
            n: [p for agent in agents for p in agent.played] for n, agents in self.agents.items()
        }


def read_results(cfg: DictConfig) -> Results:
    """Read all cells of a study, those of earlier commands included; ``cfg.compare`` comes first.

    Args:
        cfg: as ``configs/transfer_study.yaml``.

    Raises:
        UsageError: cells have other settings than the rest.
    """
    records, missing = [], []
    agents: dict[int | None, list[AgentRun]] = {number: [] for number in cfg.num_layouts}
    cells = [
        (path.parent.name, int(path.stem.partition("=")[2]), path)
        for path in (Path(cfg.study_dir) / "cells").glob("*/seed=*.json")
    ]
    for encoder, seed, path in sorted(cells, key=lambda cell: (cell[0] != cfg.compare, *cell)):
        record = Record.load(path)
        records.append(record)
        cell = as_of(cfg, encoder, seed)
        unfinished = False
        for agent_cfg in agent_configs(cell):
            run = _read_agent(agent_cfg)
            if run is not None:
                agents[agent_cfg.layouts].append(run)
            # Cells of other commands need not have all points of this one's curve.
            elif agent_cfg.layouts == cfg.num_layouts[-1] or Path(agent_cfg.run_dir).exists():
                unfinished = True
        if unfinished:
            missing.append(f"{record.name}: {record.error or 'not finished'}")
    check_records(records, SHARED)
    references = {
        agent_cfg.layouts: [
            Played(policy, 0, name, load_episodes(reference_episodes(agent_cfg, policy, name)))
            for policy in reference_policies(cfg)
            for name in cfg.conditions
        ]
        for agent_cfg in agent_configs(cfg)
    }
    return Results(agents, references, records, missing)


def slot_quality(run: AgentRun) -> dict[str, dict[str, float]]:
    """Return how well an encoder and its baselines segment unseen videos; empty without masks."""
    path = Path(run.cfg.pretrain_dir) / "scores.json"
    scores: dict[str, dict[str, float]] = json.loads(path.read_text()) if path.exists() else {}
    return scores


def _read_agent(cfg: DictConfig) -> AgentRun | None:
    paths = {condition: episodes_path(cfg, condition) for condition in cfg.conditions}
    if not is_trained(cfg) or not all(path.exists() for path in paths.values()):
        return None
    encoder, seed = cfg.encoder.name, cfg.seed
    played = [Played(encoder, seed, name, load_episodes(path)) for name, path in paths.items()]
    return AgentRun(encoder, seed, cfg, played)


def as_of(cfg: DictConfig, encoder: str, seed: int) -> DictConfig:
    """Return the configuration by which the files of a cell are found."""
    cell = cfg.copy()
    cell.encoder.name = encoder
    cell.seed = seed
    return cell
