"""Whatever stands in a header is refused in a line, or is what it may be."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import nn

from ocrl.checkpoints.building import check_numbers, trusted_class
from ocrl.errors import UsageError
from ocrl.reading import parse_object
from ocrl_agents.checkpoints import parse_header
from ocrl_studies.fuzzing.parsers import HEADER
from ocrl_studies.habits import PRECISIONS, Habits

quick = settings(max_examples=25, deadline=None, derandomize=True)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)


def one_line(call: Callable[[], Any]) -> Any:
    """Return what it does, or None if it refuses in a line."""
    try:
        return call()
    except UsageError as error:
        said = str(error)
    assert len(said.splitlines()) == 1
    return None


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the way to each part of an object."""
    inner = node.items() if isinstance(node, dict) else []
    return [path, *(place for key, part in inner for place in places(part, (*path, key)))]


@quick
@given(st.sampled_from(places(HEADER)), values)
@example(("notes", "encoder", "name"), "x/../../outside")
@example(("notes", "env", "action_repeat"), 10**9)
@example(("notes", "agent", "precision"), [])
def test_anything_in_place_of_a_part_of_a_header(place: tuple[Any, ...], value: Any) -> None:
    header = json.loads(json.dumps(HEADER))
    if not place:
        header = value
    else:
        part = header
        for key in place[:-1]:
            part = part[key]
        part[place[-1]] = value
    content = one_line(lambda: parse_header(json.dumps(header), "the header"))
    if content is None:
        return
    one_line(lambda: check_numbers(content, "the header"))
    habits = one_line(lambda: Habits.read(content["notes"], "the header"))
    if habits is not None:
        assert habits.precision in PRECISIONS
        assert not set("/\\\0") & set(habits.encoder)
        assert habits.action_repeat is None or 1 <= habits.action_repeat <= 1000
        assert {type(habits.finetune), type(habits.previous_step)} == {bool}


@quick
@given(st.text(alphabet='{}[]",:0123e-null\x00\ud800é \n', max_size=60))
@example("[" * 100_000)
@example('{"a": NaN}')
def test_any_text_for_json(text: str) -> None:
    content = one_line(lambda: parse_object(text, "the header"))
    assert content is None or isinstance(content, dict)


PARTS = ["os", "system", "modules", "checkpoints", "mlp", "MLP", "nn", "__class__"]


@quick
@given(st.lists(st.sampled_from(PARTS)))
@example(["modules", "mlp", "MLP"])
@example(["checkpoints", "building", "inspect", "os", "system"])
def test_any_name_of_a_class(parts: list[str]) -> None:
    target = ".".join(["ocrl", *parts])
    found = one_line(lambda: trusted_class(target, ["ocrl."], nn.Module))
    assert found is None or (issubclass(found, nn.Module) and found.__module__.startswith("ocrl."))


@pytest.mark.parametrize("target", [None, 3, [], "", ".", "ocrl.", "ocrl..", "ocrl.\0", "ocrl. os"])
def test_what_is_no_name_of_a_class(target: Any) -> None:
    assert one_line(lambda: trusted_class(target, ["ocrl."], nn.Module)) is None
