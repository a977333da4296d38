"""Rules for the value of a setting: what it may be, in words, and which is closest."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ocrl.errors import nearest


@dataclass(frozen=True)
class Number:
    """A number within bounds, both of which it may be.

    Attributes:
        low: the smallest.
        high: the largest.
        whole: without a fraction.
        above: it is larger than the smallest.
        optional: null will do too.
    """

    low: float
    high: float = math.inf
    whole: bool = True
    above: bool = False
    optional: bool = False

    def fits(self, value: Any) -> bool:
        """Say whether a value is one."""
        if value is None:
            return self.optional
        if isinstance(value, bool) or not isinstance(value, int if self.whole else int | float):
            return False
        return self.low <= value <= self.high and not (self.above and value == self.low)

    def __str__(self) -> str:
        kind = "a whole number" if self.whole else "a number"
        start = f"above {self.low}" if self.above else f"from {self.low}"
        end = "" if self.high == math.inf else f" to {self.high}"
        return f"{kind} {start}{end}{' or null' if self.optional else ''}"

    def closest(self, value: Any) -> str:
        """Say which valid number is closest."""
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not math.isfinite(value)
        ):
            return f"such as {max(self.low, 1):g}"
        bound = self.low if value <= self.low else min(value, self.high)
        if self.whole:
            return f"the nearest is {math.floor(bound)}"
        if bound == self.low:
            return f"{'more than' if self.above else 'at least'} {bound:g}"
        return f"at most {bound:g}"


@dataclass(frozen=True)
class Choice:
    """One of some words.

    Attributes:
        words: which.
        optional: null will do too.
    """

    words: tuple[str, ...]
    optional: bool = False

    def fits(self, value: Any) -> bool:
        """Say whether a value is one."""
        return value in self.words or (value is None and self.optional)

    def __str__(self) -> str:
        return f"one of {', '.join(self.words)}{' or null' if self.optional else ''}"

    def closest(self, value: Any) -> str:
        """Say which word is closest."""
        return nearest(str(value), self.words)


@dataclass(frozen=True)
class Row:
    """A list whose items are all of a rule.

    Attributes:
        each: the rule.
        form: what it is called.
        example: one.
        length: of it; None: at least one.
        optional: null will do too.
    """

    each: Number | Choice
    form: str
    example: str
    length: int | None = 2
    optional: bool = False

    def fits(self, value: Any) -> bool:
        """Say whether a value is one."""
        if value is None:
            return self.optional
        if not isinstance(value, list | tuple) or not value:
            return False
        return self.length in (None, len(value)) and all(map(self.each.fits, value))

    def __str__(self) -> str:
        return f"{self.form}, each {self.each}{' or null' if self.optional else ''}"

    def closest(self, value: Any) -> str:
        """Name one."""
        return f"such as {self.example}"


@dataclass(frozen=True)
class Place:
    """The path of a folder or a file.

    Attributes:
        optional: null will do too.
    """

    optional: bool = False

    def fits(self, value: Any) -> bool:
        """Say whether a value is one."""
        if value is None:
            return self.optional
        return isinstance(value, str) and value.strip() != "" and "\0" not in value

    def __str__(self) -> str:
        return "a path"

    def closest(self, value: Any) -> str:
        """Name one."""
        return "such as runs"


@dataclass(frozen=True)
class Text:
    """A text that is not empty.

    Attributes:
        optional: null will do too.
    """

    optional: bool = False

    def fits(self, value: Any) -> bool:
        """Say whether a value is one."""
        if value is None:
            return self.optional
        return isinstance(value, str) and value.strip() != ""

    def __str__(self) -> str:
        return f"a text{' or null' if self.optional else ''}"

    def closest(self, value: Any) -> str:
        """Say how a number is given as a text."""
        return "give one" if value is None else f"quoted it is one, \"'{value}'\""


@dataclass(frozen=True)
class Made:
    """Something that is made by a class.

    Attributes:
        optional: null will do too.
    """

    optional: bool = False

    def fits(self, value: Any) -> bool:
        """Say whether a value is one."""
        return self.optional if value is None else isinstance(value, dict) and "_target_" in value

    def __str__(self) -> str:
        return f"a class as _target_, with its arguments{' or null' if self.optional else ''}"

    def closest(self, value: Any) -> str:
        """Say how another is taken."""
        return "settings of its own choose one, as in encoder=slotcontrast"


Rule = Number | Choice | Row | Place | Text | Made
