"""What continuous integration calls the oldest releases are the floors of pyproject.toml."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
TOOLS = {"ruff", "mypy", "import-linter", "ocrl"}


def test_the_oldest_releases_are_the_floors():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"]]
    for extra in ("sb3", "maze", "pretrain", "data", "dev"):
        wanted += extras[extra]
    floors = {}
    for requirement in wanted:
        match = re.fullmatch(r"([\w-]+)(?:\[\w+(?:,\w+)*\])?>=([\d.]+)", requirement)
        if match and match[1] not in TOOLS:
            floors[match[1]] = match[2]
    lines = (ROOT / "constraints-oldest.txt").read_text().splitlines()
    oldest = dict(line.split("==") for line in lines if not line.startswith("#"))
    assert oldest.keys() == floors.keys()
    for name, version in oldest.items():
        short = [text.removesuffix(".0").removesuffix(".0") for text in (version, floors[name])]
        assert short[0] == short[1], name
