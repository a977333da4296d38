"""What is read from files: of the kind that was asked for, or one line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ocrl.errors import UsageError
from ocrl.reading import check_fields, fits, read_json, read_object, read_rows, reading


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (3, int, True),
        (True, int, False),
        (True, bool, True),
        (3, float, True),
        ("3", float, False),
        (None, int | None, True),
        (None, int, False),
        ({"a": {"b": 1}}, dict[str, dict[str, float]], True),
        ({"a": {"b": "1"}}, dict[str, dict[str, float]], False),
        ({"a": 1}, dict[str, dict[str, float]], False),
        ([1, 2], list[int], True),
        ([1, None], list[int], False),
        ("12", list[str], False),
        (object(), Any, True),
    ],
)
def test_a_value_fits_its_type_all_the_way_down(value: Any, kind: Any, expected: bool) -> None:
    assert fits(value, kind) is expected


@pytest.mark.parametrize("read", [read_json, read_object, read_rows])
@pytest.mark.parametrize(
    "content", [b"\xff\xfe{\x00", b'a,"b\n1', b"a,b\n1\n", b"[" * 9999 + b"\n1,2\n"]
)
def test_whatever_is_in_a_file_comes_out_as_one_line(
    tmp_path: Path, read: Any, content: bytes
) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"^cannot read the record /.*a.json .*: again$") as caught:
        read(path, "record", "again")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: None])
def test_what_is_no_file_is_not_opened(tmp_path: Path, make: Any) -> None:
    make(tmp_path / "a.json")
    with pytest.raises(UsageError, match="cannot read the record"):
        read_json(tmp_path / "a.json", "record")


def test_whatever_a_parser_raises_names_the_file_and_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.touch()
    with (
        pytest.raises(UsageError, match=r"cannot read the list .*/a .two lines.: write"),
        reading(path, "list"),
    ):
        raise ZeroDivisionError("two\nlines")


def test_fields_are_named_with_what_they_are() -> None:
    with pytest.raises(
        UsageError, match=r"it has a=\{'b': None\}, expected dict\[str, int\]: redo"
    ):
        check_fields({"a": {"b": None}}, {"a": dict[str, int]}, "it", "redo")


def test_a_row_that_a_kill_cut_short_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("step,return\n8,1.5\n16,2")
    assert read_rows(path, "learning curve") == [{"step": "8", "return": "1.5"}]
