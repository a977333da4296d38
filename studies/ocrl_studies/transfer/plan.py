"""The plan of a transfer study: what is trained, what is played, and where all of it goes.

A configuration is read here and in `ocrl_studies.transfer.cell`, once; what comes after knows paths
and numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from ocrl.checkpoints import sha256
from ocrl.errors import UsageError
from ocrl.reading import check_regular
from ocrl_agents.checkpoints import read_agent
from ocrl_agents.training import LAST
from ocrl_studies.env_settings import EnvSettings, Variation
from ocrl_studies.plain import plain, selected

SHARED = ("env", "agent", "total_steps", "conditions", "episodes", "episode_seed", "num_envs")
"""What all cells of a table have in common."""

OWN = ("encoder", "data", "pretraining", "clip_length", "seed")
"""What may differ between cells, but not between two starts of one."""

EPISODES = "transfer"
"""Folder of an agent's run with the episodes that it played, one file for each condition."""

PRETRAINING = "pretraining"
"""Name under which the record of a cell has the folder of the pretraining."""


@dataclass(frozen=True)
class Evaluation:
    """What every agent plays.

    Attributes:
        env: how the environment is made.
        conditions: variations of it by name.
        num_episodes: under each condition.
        episode_seed: of the episodes, the same for every agent.
        num_envs: that are played side by side.
        num_frames: of the picture of the first episode.
        every: decisions between two of these frames.
        device: where encoders and policies run.
        trusted: packages of one's own whose encoders and poolings may be built.
        encoders: sha256 of an encoder -> where it is, if not where agents' files name it.
        settings: what the agents that play it have in common, by dotted name.
    """

    env: EnvSettings
    conditions: Mapping[str, Variation]
    num_episodes: int
    episode_seed: int
    num_envs: int
    num_frames: int
    every: int
    device: str
    trusted: Sequence[str]
    encoders: Mapping[str, Path]
    settings: Mapping[str, Any]

    @classmethod
    def of(cls, cfg: DictConfig, shared: tuple[str, ...] = SHARED) -> Evaluation:
        """Return the evaluation of a configuration like ``configs/evaluate_transfer.yaml``."""
        return cls(
            EnvSettings.of(cfg.env),
            plain(cfg.conditions),
            cfg.episodes,
            cfg.episode_seed,
            cfg.num_envs,
            cfg.strip.num_frames,
            cfg.strip.every,
            cfg.device,
            tuple(cfg.trusted),
            by_hash(cfg.encoder_checkpoint),
            selected(cfg, shared),
        )

    def encoder_of(self, agent: Path) -> Path | None:
        """Return where the encoder of a saved agent is; None: where its file says."""
        trained = read_agent(agent).header["encoder"] if self.encoders else None
        return None if trained is None else self.encoders.get(trained["sha256"])


@dataclass(frozen=True)
class Agent:
    """An agent of a study, trained or not yet.

    Attributes:
        encoder: name of its encoder.
        seed: of encoder and agent.
        num_layouts: that it is trained in; None: all.
        run_dir: folder of its training.
        episodes_dir: folder of the episodes that it plays.
        explores: it was rewarded for novelty, not by the environment.
        ensemble: checkpoints of the agents that act where they agree; it acts where they do not,
            see `ocrl_agents.expgen`. Empty: it plays alone.
        agreement: how many of them have to agree; None: six in ten.
    """

    encoder: str
    seed: int
    num_layouts: int | None
    run_dir: Path
    episodes_dir: Path
    explores: bool = False
    ensemble: tuple[Path, ...] = ()
    agreement: int | None = None

    @classmethod
    def of(cls, encoder: str, seed: int, num_layouts: int | None, run_dir: Path) -> Agent:
        """Return an agent that keeps its episodes in the folder of its training."""
        return cls(encoder, seed, num_layouts, run_dir, run_dir / EPISODES)

    @property
    def checkpoint(self) -> Path:
        """The agent after its last step, not the best one: nothing is selected."""
        return self.run_dir / LAST

    def is_trained(self, total_steps: int) -> bool:
        """Say whether it has done all its steps."""
        path = self.checkpoint
        return path.exists() and bool(read_agent(path).header["num_timesteps"] >= total_steps)

    def episodes(self, condition: str) -> Path:
        """Return the file of the episodes that it plays under a condition."""
        return self.episodes_dir / f"{condition}.json"


@dataclass(frozen=True)
class Plan:
    """What all cells are about, and what the report tells of them.

    Attributes:
        name: of the environment.
        folder: of the report.
        evaluations: number of training layouts -> what is played; the last one is that of the
            tables.
        total_steps: of each agent's training.
        score: what is compared.
        compare: the encoder that the others are compared with.
        settings: all of them, as YAML.
    """

    name: str
    folder: Path
    evaluations: Mapping[int | None, Evaluation]
    total_steps: int
    score: str
    compare: str
    settings: str

    @property
    def numbers(self) -> list[int | None]:
        """The numbers of training layouts."""
        return list(self.evaluations)

    @property
    def evaluation(self) -> Evaluation:
        """What the agents of the tables play."""
        return self.evaluations[self.numbers[-1]]


def plan_study(cfg: DictConfig) -> Plan:
    """Return the plan of a whole study.

    Args:
        cfg: as ``configs/transfer_study.yaml``.
    """
    configs = {agent.layouts: agent for agent in agent_configs(cfg)}
    return Plan(
        cfg.env.run_name,
        Path(cfg.study_dir),
        {number: Evaluation.of(agent) for number, agent in configs.items()},
        cfg.total_steps,
        cfg.score,
        cfg.compare,
        OmegaConf.to_yaml(configs[cfg.num_layouts[-1]], resolve=True),
    )


def by_hash(checkpoints: str | Sequence[str] | None) -> dict[str, Path]:
    """Return sha256 -> encoder of those that are said to be elsewhere than agents' files name them.

    Args:
        checkpoints: of encoders, one or several.

    Raises:
        UsageError: one of them is not there.
    """
    paths = [
        Path(each)
        for each in ([checkpoints] if isinstance(checkpoints, str) else checkpoints or ())
    ]
    for path in paths:
        check_regular(path, "encoder")
    return {sha256(path): path for path in paths}


def pretraining_config(cfg: DictConfig, run_dir: Path) -> DictConfig:
    """Return what pretrains the encoder whose weights a cell starts with, which may be another's.

    Args:
        cfg: as ``configs/transfer_study.yaml``.
        run_dir: folder of the pretraining.
    """
    plain = {"finetune": False, "positions": False, "wrapper": None}
    own = {"name": cfg.encoder.pretrained_as, **plain}
    return _changed(cfg, run_dir=str(run_dir), encoder=own)


def agent_configs(cfg: DictConfig) -> Iterator[DictConfig]:
    """Yield the configuration of each agent of a cell: one for each number of layouts.

    Args:
        cfg: as ``configs/transfer_study.yaml``.

    Raises:
        UsageError: numbers that the environment does not have, or that make no curve.
    """
    if len(cfg.num_layouts) > 1 and None in cfg.num_layouts:
        raise UsageError(
            f"num_layouts={list(cfg.num_layouts)}: null is no point of a curve, give all layouts "
            "by their number"
        )
    for number in cfg.num_layouts:
        group = Path(cfg.runs_dir) / "agent" / cfg.env.run_name
        changes: dict[str, object] = {"layouts": number}
        if cfg.env.layouts:
            group = group / layouts_name(number)
            changes["env"] = {"train": {"num_layouts": number}}
        elif number is not None:
            raise UsageError(
                f"num_layouts={number} is for mazes, {cfg.env.run_name} has no layouts to "
                "choose from: leave num_layouts=[null]"
            )
        run_dir = group / cfg.encoder.name / f"seed={cfg.seed}"
        yield _changed(cfg, run_dir=str(run_dir), **changes)


def layouts_name(number: int | None) -> str:
    """Return the name under which a record has the folder of an agent, or a study its references.

    >>> layouts_name(10), layouts_name(None)
    ('layouts=10', 'layouts=all')
    """
    return f"layouts={number or 'all'}"


def _changed(cfg: DictConfig, **changes: object) -> DictConfig:
    loose = cfg.copy()
    OmegaConf.set_struct(loose, False)
    changed = OmegaConf.merge(loose, changes)
    assert isinstance(changed, DictConfig)
    return changed
