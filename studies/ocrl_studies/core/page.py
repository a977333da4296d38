"""A report page: self-contained HTML, and its Markdown twin."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

import imageio.v3 as iio
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ocrl.files import whole_file, write_text

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem;
       color: #222; }
img { max-width: 100%; }
figure { display: inline-block; vertical-align: top; margin: .7rem 1.2rem .7rem 0; }
figcaption { color: #666; font-size: .9rem; contain: inline-size; }
small { color: #666; }
div { overflow-x: auto; }
table { border-collapse: collapse; margin: 1rem 0; font-size: .85rem; white-space: nowrap;
        font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .6rem; border-bottom: 1px solid #ddd; text-align: right; }
th:first-child, td:first-child { text-align: left; }
pre { background: #f6f6f6; padding: .8rem; overflow-x: auto; }
"""


class Page:
    """Collects headings, text, tables, code and pictures, and writes them twice.

    >>> import tempfile
    >>> page = Page("Transfer")
    >>> page.table(["encoder", "success"], [["slots", "0.80"]])
    >>> path = page.save(tempfile.mkdtemp())
    >>> path.name
    'report.html'
    >>> print(path.with_suffix(".md").read_text())
    # Transfer
    <BLANKLINE>
    | encoder | success |
    | --- | --- |
    | slots | 0.80 |

    Args:
        title: first heading of the page.
    """

    def __init__(self, title: str) -> None:
        self._html = [f"<h1>{html.escape(title)}</h1>"]
        self._markdown = [f"# {title}"]
        self._title = title
        self._pictures: dict[str, bytes] = {}

    def heading(self, text: str) -> None:
        """Add a second-level heading."""
        self._html.append(f"<h2>{html.escape(text)}</h2>")
        self._markdown.append(f"## {text}")

    def text(self, text: str) -> None:
        """Add a paragraph of plain text."""
        self._html.append(f"<p>{html.escape(text)}</p>")
        self._markdown.append(text)

    def bullets(self, sentences: Iterable[str]) -> None:
        """Add a list of sentences."""
        lines = list(sentences)
        items = "".join(f"<li>{html.escape(line)}</li>" for line in lines)
        self._html.append(f"<ul>{items}</ul>")
        self._markdown.append("\n".join(f"- {line}" for line in lines))

    def code(self, text: str, folded: str | None = None) -> None:
        """Add a block of code, such as a command; a long one is folded under a title."""
        block = f"<pre>{html.escape(text)}</pre>"
        markdown = f"```\n{text}\n```"
        if folded is not None:
            title = f"<summary>{html.escape(folded)}</summary>"
            block = f"<details>{title}{block}</details>"
            markdown = f"<details>{title}\n\n{markdown}\n\n</details>"
        self._html.append(block)
        self._markdown.append(markdown)

    def table(self, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Add a table of ready-made cells, the first column left-aligned.

        A second line of a cell, such as an interval, is set smaller below the first.
        """
        lines = ["".join(f"<th>{html.escape(cell)}</th>" for cell in header)]
        lines += ["".join(f"<td>{_two_lines(cell)}</td>" for cell in row) for row in rows]
        body = "".join(f"<tr>{line}</tr>" for line in lines)
        self._html.append(f"<div><table>{body}</table></div>")
        texts = [header, ["---"] * len(header), *rows]
        markdown = [f"| {' | '.join(text)} |".replace("\n", " ") for text in texts]
        self._markdown.append("\n".join(markdown))

    def figure(self, figure: Figure, name: str, caption: str) -> None:
        """Add a matplotlib figure; ``name`` becomes its file's name in the Markdown twin."""
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=160, bbox_inches="tight")
        self._add_png(buffer.getvalue(), name, caption, pixels=2)

    def picture(self, image: NDArray[np.uint8], name: str, caption: str) -> None:
        """Add a picture, uint8 (H, W, 3)."""
        self._add_png(iio.imwrite("<bytes>", image, extension=".png"), name, caption)

    def _add_png(self, png: bytes, name: str, caption: str, pixels: int = 1) -> None:
        """Add a picture, shown with that many of its pixels per pixel of the page."""
        self._pictures[f"{name}.png"] = png
        width = iio.imread(png).shape[1] // pixels
        source = f"data:image/png;base64,{base64.b64encode(png).decode()}"
        caption_html = html.escape(caption)
        self._html.append(
            f'<figure><img src="{source}" width="{width}" alt="{caption_html}">'
            f"<figcaption>{caption_html}</figcaption></figure>"
        )
        self._markdown.append(f"![{caption}]({name}.png)\n\n*{caption}*")

    def save(self, folder: str | Path) -> Path:
        """Write ``report.html``, ``report.md`` and the pictures; return the HTML file's path."""
        folder = Path(folder)
        for name, png in self._pictures.items():
            with whole_file(folder / name) as part:
                part.write_bytes(png)
        write_text(folder / "report.md", "\n\n".join(self._markdown) + "\n")
        page = (
            '<!doctype html><html lang="en"><meta charset="utf-8">'
            f"<title>{html.escape(self._title)}</title><style>{STYLE}</style>"
            f"{''.join(self._html)}</html>"
        )
        write_text(folder / "report.html", page)
        return folder / "report.html"


def _two_lines(cell: str) -> str:
    first, _, second = (html.escape(line) for line in cell.partition("\n"))
    return f"{first}<br><small>{second}</small>" if second else first
