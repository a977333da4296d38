"""Encoders compared by their masks: what happens before and after all cells."""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig

from ocrl.data.videos import Videos
from ocrl_studies.command_line import stop
from ocrl_studies.core.study import Study, own_settings, stopping
from ocrl_studies.core.tables import print_table
from ocrl_studies.invocation import repeat
from ocrl_studies.segmentation.baselines import score_baselines
from ocrl_studies.segmentation.plan import plan_comparison
from ocrl_studies.segmentation.report import Report
from ocrl_studies.segmentation.results import read_results
from ocrl_studies.segmentation.scoring import check_segments


class EncoderComparison(Study):
    """Refuses data without ground truth before the first cell, and reports after the last."""

    def check(self, videos: Videos, cfg: DictConfig) -> None:
        """Raise UsageError if there is nothing to score masks by."""
        check_segments(videos, cfg.data.run_name)

    @stopping
    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Score the baselines, and report on all cells that there are."""
        plan = plan_comparison(own_settings(config))
        results = read_results(plan.folder)
        folders = score_baselines(plan, results.cells)
        report = Report(plan, results, folders, repeat("compare_encoders"))
        path = report.write()
        print_table(*report.overlaps)
        print_table(*report.identity)
        print(f"report: {path}")
        if results.missing:
            stop(f"{'; '.join(results.missing)} (the same command goes on with them)")
