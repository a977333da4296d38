"""The zero-shot transfer study: what happens after all its cells."""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig

from ocrl_studies.command_line import stop
from ocrl_studies.core.study import Study, own_settings, stopping
from ocrl_studies.core.tables import print_table
from ocrl_studies.invocation import repeat
from ocrl_studies.transfer.conditions import check_conditions
from ocrl_studies.transfer.plan import plan_study
from ocrl_studies.transfer.references import play_references
from ocrl_studies.transfer.report import Report
from ocrl_studies.transfer.results import read_results


class TransferStudy(Study):
    """The zero-shot transfer study: writes its report after the last cell."""

    def check_world(self, cfg: DictConfig) -> None:
        """Raise UsageError if the conditions cannot be played."""
        check_conditions(cfg)

    @stopping
    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Play the policies without learning, and report on all cells that there are."""
        plan = plan_study(own_settings(config))
        play_references(plan)
        results = read_results(plan)
        report = Report(plan, results, repeat("transfer_study"))
        path = report.write()
        print_table(*report.scores.headline(report.scores.score))
        print(f"report: {path}")
        if results.missing:
            stop(f"{'; '.join(results.missing)} (the same command goes on with them)")
