"""What the pages tell people to run, read and click does run, is there, leads somewhere."""

import ast
import re
from pathlib import Path

import pytest

from ocrl_envs.maze.layout.layout import Layout
from ocrl_studies.main import VERBS

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def code(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_scripts_and_code(page):
    text = page.read_text()
    links = re.findall(r"\]\(((?!http|mailto)[^)\s]+)\)", text)
    for link in links:
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        if anchor:
            headings = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE)
            slugs = [re.sub(r"[^\w -]", "", h).strip().lower().replace(" ", "-") for h in headings]
            assert anchor in slugs, link
    for script in re.findall(r"(?<!tests/)scripts/(\w+)\.py", text):
        assert (ROOT / f"scripts/{script}.py").exists(), script
    for verb in re.findall(r"^ocrl (\w[\w-]*)", text, re.MULTILINE):
        assert verb.replace("-", "_") in VERBS, verb
    for block in code(page, "python"):
        ast.parse(block)


def test_every_page_is_in_the_navigation():
    navigation = (ROOT / "mkdocs.yml").read_text()
    for page in PAGES:
        name = page.name if page.parent == ROOT else page.relative_to(ROOT / "docs").as_posix()
        assert f": {name}" in navigation, name


def test_the_maze_of_the_docs_is_one():
    text, *_ = re.findall(r"```\n(\*{11}.*?)```", (ROOT / "docs/maze.md").read_text(), re.DOTALL)
    layout = Layout.from_text(text.strip())
    assert (layout.rows, layout.cols) == (2, 5)
    assert layout.goals == ((0, 4),)
