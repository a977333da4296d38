"""Everything that the cells of a study left on disk, read for the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ocrl.reading import read_object
from ocrl_studies.core.comparability import check_records
from ocrl_studies.core.record import Record
from ocrl_studies.transfer.episodes import load_episodes
from ocrl_studies.transfer.plan import PRETRAINING, SHARED, Agent, Evaluation, Plan, layouts_name
from ocrl_studies.transfer.references import read_references, references_folder
from ocrl_studies.transfer.rounds import Round


@dataclass(frozen=True)
class AgentResult:
    """An agent that has played under every condition.

    Attributes:
        agent: itself.
        played: its episodes, by condition.
        pretraining: folder of the pretraining of its encoder, if there was any.
    """

    agent: Agent
    played: Sequence[Round]
    pretraining: Path

    @property
    def encoder(self) -> str:
        """Name of its encoder."""
        return self.agent.encoder

    @property
    def seed(self) -> int:
        """Of encoder and agent."""
        return self.agent.seed


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

    agents: dict[int | None, list[AgentResult]]
    references: dict[int | None, list[Round]]
    records: list[Record]
    missing: list[str]

    @property
    def agents_played(self) -> dict[int | None, list[Round]]:
        """Return the episodes of the agents, like those of ``references``."""
        return {
            n: [p for agent in agents for p in agent.played] for n, agents in self.agents.items()
        }


def read_results(plan: Plan) -> Results:
    """Read all cells of a study, those of earlier commands included; ``compare`` comes first.

    Raises:
        UsageError: cells have other settings than the rest.
    """
    records, missing = [], []
    agents: dict[int | None, list[AgentResult]] = {number: [] for number in plan.numbers}
    cells = [
        (path.parent.name, int(path.stem.partition("=")[2]), path)
        for path in (plan.folder / "cells").glob("*/seed=*.json")
    ]
    for encoder, seed, path in sorted(cells, key=lambda cell: (cell[0] != plan.compare, *cell)):
        record = Record.load(path)
        records.append(record)
        unfinished = False
        for number, evaluation in plan.evaluations.items():
            # Cells of other commands need not have all points of this one's curve.
            if layouts_name(number) not in record.places:
                unfinished |= number == plan.numbers[-1]
                continue
            agent = Agent.of(encoder, seed, number, record.place(layouts_name(number)))
            if is_complete(agent, evaluation, plan.total_steps):
                pretraining = record.place(PRETRAINING)
                agents[number].append(read_agent_result(agent, evaluation, pretraining))
            else:
                unfinished = True
        if unfinished:
            missing.append(f"{record.name}: {record.error or 'not finished'}")
    check_records(records, SHARED)
    references = {
        number: read_references(references_folder(plan, number), evaluation)
        for number, evaluation in plan.evaluations.items()
    }
    return Results(agents, references, records, missing)


def is_complete(agent: Agent, evaluation: Evaluation, total_steps: int) -> bool:
    """Say whether an agent is trained and has played under all conditions."""
    return agent.is_trained(total_steps) and all(
        agent.episodes(condition).exists() for condition in evaluation.conditions
    )


def read_agent_result(agent: Agent, evaluation: Evaluation, pretraining: Path) -> AgentResult:
    """Read the episodes of an agent under all conditions."""
    return AgentResult(
        agent,
        [
            Round(agent.encoder, agent.seed, name, load_episodes(agent.episodes(name)))
            for name in evaluation.conditions
        ],
        pretraining,
    )


def slot_quality(result: AgentResult) -> dict[str, dict[str, float]]:
    """Return how well an encoder and its baselines segment unseen videos; empty without masks."""
    path = result.pretraining / "scores.json"
    if not path.exists():
        return {}
    return read_object(path, "scores of the encoder", "delete it, and its row is left out")
