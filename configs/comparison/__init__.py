"""Encoders compared by their masks: what happens before and after all cells."""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig

from configs.cli import stop
from configs.comparison.baselines import score_baselines
from configs.comparison.report import Report
from configs.comparison.results import read_results
from configs.comparison.scoring import check_segments
from configs.study import Study, command, own_settings, stopping
from configs.tables import print_table
from ocrl.data.videos import Videos


class EncoderComparison(Study):
    """Refuses data without ground truth before the first cell, and reports after the last."""

    def check(self, videos: Videos, cfg: DictConfig) -> None:
        """Raise UsageError if there is nothing to score masks by."""
        check_segments(videos, cfg.data.run_name)

    @stopping
    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Score the baselines, and report on all cells that there are."""
        cfg = own_settings(config)
        results = read_results(cfg)
        folders = score_baselines(cfg, results.cells)
        report = Report(cfg, results, folders, command("compare_encoders"))
        path = report.write()
        print_table(*report.overlaps)
        print_table(*report.identity)
        print(f"report: {path}")
        if results.missing:
            stop(f"{'; '.join(results.missing)} (the same command goes on with them)")
