"""What the results of a study were made of: processor time, and what policies read."""

from __future__ import annotations

import numpy as np

from ocrl_agents.checkpoints import read_agent
from ocrl_studies.core.record import Record
from ocrl_studies.core.tables import Table
from ocrl_studies.transfer.results import AgentResult


def durations(records: list[Record]) -> Table:
    """Return CPU-minutes by encoder and stage."""
    stages = list(dict.fromkeys(stage.split()[0] for r in records for stage in r.stages))
    spent: dict[str, list[list[float]]] = {}
    for record in records:
        row = [
            sum(t["cpu"] for name, t in record.stages.items() if name.split()[0] == stage) / 60
            for stage in stages
        ]
        spent.setdefault(record.settings["encoder.name"], []).append(row)
    rows = [
        [name, str(len(times)), *(f"{minutes:.1f}" for minutes in np.mean(times, axis=0))]
        for name, times in spent.items()
    ]
    return Table(["", "cells", *stages], rows)


def policies(agents: list[AgentResult]) -> Table:
    """Return what each encoder's policy reads, and how large it is."""
    rows = []
    for encoder, result in {result.encoder: result for result in agents}.items():
        file, *others = map(read_agent, (result.agent.checkpoint, *result.agent.ensemble))
        tensors = [pair for each in (file, *others) for pair in each.tensors.items()]
        size = sum(tensor.numel() for name, tensor in tensors if name.startswith("policy."))
        rows.append([encoder, str(file.header["spaces"]["observation"]), f"{size:,}"])
    return Table(["", "observations of the policy", "its parameters"], rows)
