"""A hook of mkdocs: pages of results join the site; links to code become names of files.

In the repository the same links lead to the files themselves.
"""

import re
from pathlib import Path
from posixpath import join, normpath, relpath

from mkdocs.structure.files import File

RESULTS = Path("results")
CONTRIBUTING = "CONTRIBUTING.md"
SHOWN = {".md", ".png", ".jpg", ".gif", ".csv"}


def on_files(files, config, **_):
    """Add the reports of studies to the pages, and how to contribute."""
    for path in (Path(CONTRIBUTING), *sorted(RESULTS.rglob("*"))):
        if path.suffix in SHOWN:
            files.append(File(path.as_posix(), ".", config.site_dir, config.use_directory_urls))
    return files


def on_page_markdown(markdown, page, **_):
    """Rewrite links that leave the folder of the pages."""
    if page.file.src_uri == CONTRIBUTING:
        return markdown.replace("](docs/", "](")
    folder = page.file.src_uri.rpartition("/")[0]

    def rewritten(match):
        image, text, target, anchor = match.groups()
        path = normpath(join("docs", folder, target))
        if path.startswith("docs/"):
            return match[0]
        if path.startswith(f"{RESULTS}/"):
            return f"{image}[{text}]({relpath(path, folder or '.')}{anchor})"
        return f"{text} (`{path}`)" if text.strip("`") != path else f"`{path}`"

    return re.sub(r"(!?)\[([^\]]*)\]\((\.\./[^)#\s]*)([^)\s]*)\)", rewritten, markdown)
