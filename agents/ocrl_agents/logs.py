"""Where the numbers of a training run go."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from stable_baselines3.common.logger import KVWriter, Logger, TensorBoardOutputFormat
from torch.utils.tensorboard import SummaryWriter

from ocrl.files import whole_file
from ocrl.reading import parsing, read_rows

ADVICE = "move it away, and the run goes on without the rows before"

NOT_MEASURED = {"train/n_updates", "train/clip_range"}


def make_logger(run_dir: Path, resume_step: int = 0) -> Logger:
    """Log to `run_dir/progress.csv` and, for TensorBoard, to `run_dir/tensorboard`.

    Args:
        run_dir: where the run is kept.
        resume_step: the step at which the run goes on. Rows after it, which are about to be made
            again, are dropped, and TensorBoard shows them no longer.
    """
    tensorboard = Scalars(run_dir / "tensorboard", resume_step)
    table = CsvWriter(run_dir / "progress.csv", resume_step)
    return Logger(folder=str(run_dir), output_formats=[tensorboard, table])


class Scalars(TensorBoardOutputFormat):
    """TensorBoard events of what is measured: no counts of updates, no constants.

    What an interrupted run logged after the step at which it goes on is shown no longer.
    """

    def __init__(self, folder: Path, resume_step: int = 0) -> None:
        # as that of stable-baselines3, which cannot be told of a step
        self.writer = SummaryWriter(str(folder), purge_step=resume_step + 1 if resume_step else 0)
        self._is_closed = False

    def write(
        self,
        key_values: dict[str, Any],
        key_excluded: dict[str, tuple[str, ...]],
        step: int = 0,
    ) -> None:
        """Write events."""
        kept = {name: value for name, value in key_values.items() if name not in NOT_MEASURED}
        super().write(kept, {name: key_excluded[name] for name in kept}, step)


class CsvWriter(KVWriter):
    """A table with one row for each step at which something was logged.

    stable-baselines3's own writer begins an empty file each time, and loses what an interrupted run
    had written.
    """

    def __init__(self, path: Path, resume_step: int = 0) -> None:
        self._path = path
        self._columns = ["step"]
        self._rows: list[dict[str, Any]] = []
        if path.exists():
            rows = read_rows(path, "learning curve", ADVICE)
            with parsing(path, "learning curve", ADVICE):
                self._rows = [row for row in rows if int(row["step"]) <= resume_step]
            self._columns = list(rows[0]) if rows else self._columns
        self._rewrite()

    def write(
        self,
        key_values: dict[str, Any],
        key_excluded: dict[str, tuple[str, ...]],
        step: int = 0,
    ) -> None:
        """Add what was logged at a step to its row, which is on the disk at once."""
        is_new = not self._rows or int(self._rows[-1]["step"]) != step
        if is_new:
            self._rows.append({"step": step})
        self._rows[-1].update(key_values)
        columns = sorted(key_values.keys() - set(self._columns))
        self._columns += columns
        if columns or not is_new:
            self._rewrite()
        else:
            with self._path.open("a", newline="") as file:
                csv.DictWriter(file, self._columns).writerow(self._rows[-1])

    def close(self) -> None:
        """Leave the table as it is: every row is written."""

    def _rewrite(self) -> None:
        with whole_file(self._path) as part, part.open("w", newline="") as file:
            writer = csv.DictWriter(file, self._columns)
            writer.writeheader()
            writer.writerows(self._rows)
