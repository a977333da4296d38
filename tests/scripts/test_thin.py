"""Scripts are doors: what they do is in the packages."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SCRIPTS = sorted((Path(__file__).parents[2] / "scripts").rglob("*.py"))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_script_has_20_lines_at_most_and_defines_nothing(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= 20
    defined = (ast.FunctionDef, ast.ClassDef)
    assert not any(isinstance(node, defined) for node in ast.walk(ast.parse(text)))
