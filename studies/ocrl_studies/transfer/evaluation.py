"""Agents that were trained one by one, played under every condition and compared."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from ocrl.errors import UsageError
from ocrl.files import whole_file
from ocrl_agents.checkpoints import read_agent
from ocrl_agents.expgen import enough
from ocrl_agents.training import LAST
from ocrl_studies.core.comparability import check_comparable
from ocrl_studies.core.tables import print_table
from ocrl_studies.habits import folder_name
from ocrl_studies.invocation import invocation, repeat
from ocrl_studies.plain import flatten, plain, selected
from ocrl_studies.runs import CONFIG, read_config, starts
from ocrl_studies.transfer.comparison import TRAIN
from ocrl_studies.transfer.conditions import check_conditions, same_as_training
from ocrl_studies.transfer.plan import Agent, Evaluation, Plan
from ocrl_studies.transfer.playing import play_agent, play_reference
from ocrl_studies.transfer.references import (
    read_references,
    reference_episodes,
    references_folder,
)
from ocrl_studies.transfer.report import Report
from ocrl_studies.transfer.results import Results, read_agent_result

TRAINING = ("env", "agent", "total_steps")
"""What agents of one table have in common: level, layouts, PPO and steps."""

TAKEN_ALONG = {"action_repeat", "velocity", "pose"}
"""Settings of a world that agents bring wherever they play, see `ocrl_studies.habits.Habits`."""

PLAYED = ("env", "conditions", "episodes", "episode_seed", "num_envs")


def evaluate_transfer(cfg: DictConfig) -> None:
    """Play every agent of an environment under every condition, and report as the study does.

    Args:
        cfg: as ``configs/evaluate_transfer.yaml``.
    """
    torch.set_num_threads(cfg.num_threads)
    home, film = Path(cfg.runs_dir) / "agent" / cfg.env.run_name, invocation("record_video", cfg)
    found = find_agents(home, cfg.agents, f"train some with  {invocation('train_agent', cfg)}")
    try:
        check_comparable({str(path): training_settings(path, own) for path, own in found.items()})
    except UsageError as error:
        raise UsageError(f"{error}, with agents=[slotcontrast/*,vector/seed=0]") from None
    trained = next(iter(found.values()))
    if trained.env.simulator == cfg.env.simulator:
        cfg.env.train = trained.env.train
        check_world(trained, cfg)
    check_conditions(cfg)
    for name in same_as_training(plain(cfg.conditions)):
        print(
            f"{name} plays the environments of the training, and is not played again: there is "
            "nothing to carry over to"
        )
    plan = make_plan(cfg, trained)
    check_encoders(plan.evaluation.encoders, list(found))
    agents = [make_agent(*run, plan.folder) for run in found.items()]
    explorers = Path(cfg.runs_dir) / "explorer" / cfg.env.run_name
    for run_dir, own in find_explorers(explorers, cfg.explorers, found).items():
        explorer = make_agent(run_dir, own, plan.folder)
        agents += with_explorer(agents, explorer, plan.folder, cfg.agreement)
    results = play_all(plan, agents)
    report = Report(plan, results, repeat("evaluate_transfer"))
    path = report.write()
    print_table(*report.scores.headline(report.scores.score))
    print(f"report: {path}")
    first = next(agent for agent in agents if agent.encoder == report.scores.encoders[0])
    print(f"next:   {film} checkpoint={first.checkpoint}")


def find_agents(
    folder: Path, patterns: Sequence[str] = ("*/seed=*",), advice: str = "train some"
) -> dict[Path, DictConfig]:
    """Return run folder -> configuration of agents.

    Args:
        folder: of all agents of an environment.
        patterns: of the folders of agents in it: ``["slotcontrast/seed=0", "vector/*"]``.
        advice: what to do if there are none.

    Raises:
        UsageError: there are none.
    """
    agents = find_runs(folder, patterns)
    if not agents:
        raise UsageError(
            f"there are no agents in {folder} of agents=[{','.join(patterns)}]: {advice}"
        )
    return agents


def find_explorers(
    folder: Path, patterns: Sequence[str], agents: Mapping[Path, DictConfig]
) -> dict[Path, DictConfig]:
    """Return run folder -> configuration of explorers.

    Args:
        folder: of all explorers of an environment.
        patterns: of the folders of explorers in it; none: no explorers.
        agents: of `find_agents`, one or more.

    Raises:
        UsageError: there are none, or they explored another world than that of the agents.
    """
    explorers = find_runs(folder, patterns)
    if patterns and not explorers:
        command = invocation("train_agent", next(iter(agents.values())))
        raise UsageError(
            f"there are no explorers in {folder} of explorers=[{','.join(patterns)}]: train one "
            f"with  {command} agent=explorer"
        )
    everyone = {**agents, **explorers}
    check_comparable({str(path): selected(own, ("env",)) for path, own in everyone.items()})
    return explorers


def find_runs(folder: Path, patterns: Sequence[str]) -> dict[Path, DictConfig]:
    """Return run folder -> configuration of all that were trained."""
    found = {}
    for path in sorted({path for each in patterns for path in folder.glob(f"{each}/{LAST}")}):
        config = (starts(path.parent) or [path.parent / CONFIG])[-1]
        found[path.parent] = read_config(config, ("encoder.name", "env.train", "total_steps"))
    return found


def training_settings(run_dir: Path, config: DictConfig) -> dict[str, Any]:
    """Return what agents of one table have in common.

    Raises:
        UsageError: the agent's training was interrupted.
    """
    done = read_agent(run_dir / LAST).header["num_timesteps"]
    if done < config.total_steps:
        raise UsageError(
            f"{run_dir} is at {done} of {config.total_steps} steps: continue it with resume=true, "
            "or move it away"
        )
    return selected(config, TRAINING)


def check_world(trained: DictConfig, cfg: DictConfig) -> None:
    """Raise UsageError if "train" would be another world than that of the agents' training.

    Args:
        trained: configuration of one of the agents.
        cfg: of the evaluation.
    """
    own, here = (flatten(plain(each.env).get("kwargs", {})) for each in (trained, cfg))
    for key in sorted((own.keys() | here.keys()) - TAKEN_ALONG):
        if own.get(key) != here.get(key):
            raise UsageError(
                f"the agents were trained with env.kwargs.{key}={own.get(key)}, here it is "
                f"{here.get(key)}: give the same, and other worlds as conditions"
            )


def make_plan(cfg: DictConfig, trained: DictConfig) -> Plan:
    """Return the plan of a study whose agents are there already.

    Args:
        cfg: as ``configs/evaluate_transfer.yaml``.
        trained: configuration of one of the agents.
    """
    return Plan(
        cfg.env.run_name,
        Path(cfg.run_dir),
        {trained.env.train.get("num_layouts"): Evaluation.of(cfg, PLAYED)},
        trained.total_steps,
        cfg.score,
        cfg.compare,
        OmegaConf.to_yaml(cfg, resolve=True),
    )


def check_encoders(encoders: Mapping[str, Path], agents: list[Path]) -> None:
    """Raise UsageError of an encoder that no agent was trained with.

    Args:
        encoders: see `Evaluation`.
        agents: folders of all agents.
    """
    trained = [read_agent(path / LAST).header["encoder"] for path in agents if encoders]
    known = {named["sha256"] for named in trained if named}
    for digest, checkpoint in encoders.items():
        if digest not in known:
            raise UsageError(
                f"no agent was trained with encoder_checkpoint={checkpoint} (sha256 {digest[:12]}):"
                " leave it out, or give the encoder of one"
            )


def make_agent(run_dir: Path, config: DictConfig, folder: Path) -> Agent:
    """Return an agent whose episodes go into a folder of this evaluation.

    Args:
        run_dir: of its training.
        config: of its training.
        folder: of the report.
    """
    name = folder_name(config.encoder.name, f"encoder.name of {run_dir}")
    seed = int(config.seed)
    return Agent(
        name,
        seed,
        config.env.train.get("num_layouts"),
        run_dir,
        folder / "episodes" / name / f"seed={seed}",
    )


def with_explorer(
    agents: Sequence[Agent], explorer: Agent, folder: Path, agreement: int | None
) -> list[Agent]:
    """Return an explorer as it plays alone, and with all agents of its encoder.

    Args:
        agents: of `make_agent`.
        explorer: likewise.
        folder: of the report.
        agreement: how many of the agents have to agree, see `ocrl_agents.expgen.enough`.

    Raises:
        UsageError: there are no such agents, or fewer than have to agree.
    """
    encoder = explorer.encoder
    ensemble = tuple(each.checkpoint for each in agents if each.encoder == encoder)
    if not ensemble:
        raise UsageError(
            f"{explorer.run_dir} explores for agents of encoder={encoder}, of which none are "
            "evaluated: train some, or name others with explorers=[...]"
        )
    enough(agreement, len(ensemble))

    def named(name: str, **changes: Any) -> Agent:
        episodes = folder / "episodes" / name / f"seed={explorer.seed}"
        return replace(explorer, encoder=name, episodes_dir=episodes, explores=True, **changes)

    return [
        named(f"{encoder}_explorer"),
        named(f"{encoder}_expgen", ensemble=ensemble, agreement=agreement),
    ]


def play_all(plan: Plan, agents: list[Agent]) -> Results:
    """Let all agents and the policies without learning play, whatever was played before."""
    (number,) = plan.numbers
    evaluation, folder = plan.evaluation, references_folder(plan, number)
    again = same_as_training(evaluation.conditions)
    for condition in evaluation.conditions:
        for agent in agents:
            if condition in again:
                copy_episodes(agent.episodes(TRAIN), agent.episodes(condition))
            else:
                play_agent(agent, evaluation, condition)
        for policy in evaluation.env.policies:
            path = reference_episodes(folder, policy, condition)
            if condition in again:
                copy_episodes(reference_episodes(folder, policy, TRAIN), path)
            else:
                play_reference(policy, evaluation, condition, path)
    agents.sort(key=lambda agent: (agent.encoder != plan.compare, agent.encoder, agent.seed))
    results = [
        read_agent_result(agent, evaluation, pretraining(agent, evaluation)) for agent in agents
    ]
    return Results({number: results}, {number: read_references(folder, evaluation)}, [], [])


def copy_episodes(played: Path, path: Path) -> None:
    """Take episodes, and the picture of the first, for those of another condition."""
    for suffix in (path.suffix, ".png"):
        if played.with_suffix(suffix).exists():
            with whole_file(path.with_suffix(suffix)) as part:
                shutil.copyfile(played.with_suffix(suffix), part)


def pretraining(agent: Agent, evaluation: Evaluation) -> Path:
    """Return the folder of the encoder of an agent."""
    encoder = evaluation.encoder_of(agent.checkpoint) or read_agent(agent.checkpoint).encoder
    return agent.run_dir if encoder is None else encoder.parent
