"""Policies without learning, played once per study on the mazes and seeds of all agents."""

from __future__ import annotations

from pathlib import Path

from ocrl_studies.core.record import open_record
from ocrl_studies.transfer.episodes import load_episodes
from ocrl_studies.transfer.plan import EPISODES, Evaluation, Plan, layouts_name
from ocrl_studies.transfer.playing import play_reference
from ocrl_studies.transfer.rounds import Round


def references_folder(plan: Plan, number: int | None) -> Path:
    """Return where references are for a number of training layouts, which conditions are about."""
    return plan.folder / "references" / layouts_name(number)


def reference_episodes(folder: Path, policy: str, condition: str) -> Path:
    """Return the file of the episodes of a policy under a condition."""
    return folder / policy / EPISODES / f"{condition}.json"


def play_references(plan: Plan) -> None:
    """Play what is missing.

    Raises:
        UsageError: other episodes were played before.
    """
    for number, evaluation in plan.evaluations.items():
        folder = references_folder(plan, number)
        record = open_record(
            folder / "record.json",
            "the policies without learning",
            evaluation.settings,
            evaluation.device,
        )
        for policy in evaluation.env.policies:
            for condition in evaluation.conditions:
                path = reference_episodes(folder, policy, condition)
                if not path.exists():
                    with record.timed(f"playing {policy} {condition}"):
                        play_reference(policy, evaluation, condition, path)


def read_references(folder: Path, evaluation: Evaluation) -> list[Round]:
    """Return the episodes of all policies under all conditions."""
    return [
        Round(policy, 0, condition, load_episodes(reference_episodes(folder, policy, condition)))
        for policy in evaluation.env.policies
        for condition in evaluation.conditions
    ]
