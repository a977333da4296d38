"""Schedules: numbers that follow the training step."""

from __future__ import annotations

from typing import NamedTuple


class Linear(NamedTuple):
    """From ``first`` to ``last`` along a line, constant before and after.

    >>> temperature = Linear(first=2.5, last=0.5, begin=0, end=20000)
    >>> temperature.at(10000), temperature.at(10**6)
    (1.5, 0.5)

    Attributes:
        first: value up to step ``begin``.
        last: value from step ``end`` on.
        begin: where it starts to move.
        end: where it has arrived.
    """

    first: float
    last: float
    begin: int
    end: int

    def at(self, step: int) -> float:
        """Return the value at a training step."""
        if step >= self.end:
            return self.last
        progress = max(step - self.begin, 0) / (self.end - self.begin)
        return self.first + (self.last - self.first) * progress
