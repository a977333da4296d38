"""Ranges of the numbers that models are made of."""

from __future__ import annotations

import math

from ocrl.errors import UsageError


def check_positive(**numbers: float) -> None:
    """Raise UsageError unless numbers are finite and above 0.

    >>> check_positive(sigma=0.3, temperature=-1.0)
    Traceback (most recent call last):
    ocrl.errors.UsageError: temperature is -1.0: choose a number above 0
    """
    for name, value in numbers.items():
        if not 0 < value < math.inf:
            raise UsageError(f"{name} is {value}: choose a number above 0")


def check_probabilities(name: str, *values: float) -> None:
    """Raise UsageError unless values are probabilities above 0 and below 1."""
    for value in values:
        if not 0 < value < 1:
            raise UsageError(
                f"{name} is a probability above 0 and below 1, got {value}: choose 0.1 or so"
            )
