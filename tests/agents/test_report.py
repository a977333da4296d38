"""The report page: self-contained, escaped, and with a Markdown twin."""

import imageio.v3 as iio
import numpy as np
from matplotlib.figure import Figure

from agents.report import Page


def test_html_is_self_contained_and_markdown_names_its_pictures(tmp_path):
    page = Page("A <title>")
    page.heading("Results")
    page.text("slots < grid & vector")
    page.code("python scripts/demo.py")
    page.table(["encoder", "goals"], [["slots", "1.0"]])
    image = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    page.picture(image, "masks", "Masks")
    figure = Figure()
    figure.subplots().plot([1, 2])
    page.figure(figure, "curve", "A curve")
    path = page.save(tmp_path)
    html = path.read_text()
    assert "slots &lt; grid &amp; vector" in html
    assert "<title>A &lt;title&gt;</title>" in html
    assert html.count("data:image/png;base64,") == 2
    assert 'src="http' not in html
    markdown = (tmp_path / "report.md").read_text()
    assert "| slots | 1.0 |" in markdown
    assert "![Masks](masks.png)" in markdown
    assert np.array_equal(iio.imread(tmp_path / "masks.png"), image)
    assert {p.name for p in tmp_path.iterdir()} == {
        "report.html",
        "report.md",
        "masks.png",
        "curve.png",
    }
