"""Signatures as a source of settings: what a function takes, read without importing it."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ARGUMENT = re.compile(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", re.MULTILINE)
"""An entry of ``Args:`` in a docstring."""


@dataclass(frozen=True)
class Signature:
    """What can be said to a function by keyword.

    Attributes:
        path: by which it is called, such as "ocrl_agents.training.make_ppo".
        defaults: argument -> its default, where that is a number, a word or several of them.
        notes: argument -> what its documentation says of it.
    """

    path: str
    defaults: Mapping[str, Any]
    notes: Mapping[str, str]

    @classmethod
    def read(cls, package: str, module: str, function: str) -> Signature:
        """Read the signature of a function from its source.

        >>> signature = Signature.read("ocrl_agents", "training", "make_ppo")
        >>> signature.defaults["n_epochs"], signature.notes["n_epochs"]
        (4, 'passes over the collected steps in each update.')
        """
        spec = find_spec(package)
        assert spec is not None, f"{package} comes with this package"
        assert spec.submodule_search_locations is not None, f"{package} is a package"
        source = (Path(spec.submodule_search_locations[0]) / f"{module}.py").read_text()
        definitions = (node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef))
        found = next(node for node in definitions if node.name == function)
        defaults = {}
        for argument, default in zip(found.args.kwonlyargs, found.args.kw_defaults, strict=True):
            if default is not None:
                with suppress(ValueError):  # what is no value, but an expression
                    defaults[argument.arg] = ast.literal_eval(default)
        documentation = inspect.cleandoc(ast.get_docstring(found) or "")
        notes = {name: " ".join(text.split()) for name, text in ARGUMENT.findall(documentation)}
        return cls(f"{package}.{module}.{function}", defaults, notes)
