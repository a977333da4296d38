"""Runs of other settings are not put into one table."""

from __future__ import annotations

import pytest

from ocrl.errors import UsageError
from ocrl_studies.core.comparability import check_comparable


def test_runs_of_other_settings_are_not_mixed() -> None:
    check_comparable({"a": {"level": "x"}, "b": {"level": "x"}})
    with pytest.raises(UsageError, match="different level") as error:
        check_comparable({"a": {"level": "x"}, "b": {"level": "y"}})
    assert "\n" not in str(error.value)
