"""The report page: self-contained, escaped, and with a Markdown twin."""

import imageio.v3 as iio
import numpy as np
from matplotlib.figure import Figure

from ocrl_studies.core.page import Page


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


def test_a_second_line_of_a_cell_is_small_and_stays_in_its_row(tmp_path):
    page = Page("Intervals")
    page.table(["", "a < b"], [["slots", "0.50\n[0.40, <0.60]"], ["grid", "0.10"]])
    html = page.save(tmp_path).read_text()
    assert "<td>0.50<br><small>[0.40, &lt;0.60]</small></td>" in html
    assert "<th>a &lt; b</th>" in html
    assert "| slots | 0.50 [0.40, <0.60] |" in (tmp_path / "report.md").read_text()


def test_sentences_are_a_list_and_long_code_is_folded(tmp_path):
    page = Page("Words")
    page.bullets(["slots < grid", "nothing"])
    page.code("seed: 0", folded="All <settings>")
    html = page.save(tmp_path).read_text()
    assert "<ul><li>slots &lt; grid</li><li>nothing</li></ul>" in html
    assert "<details><summary>All &lt;settings&gt;</summary><pre>seed: 0</pre></details>" in html
    markdown = (tmp_path / "report.md").read_text()
    assert "- slots < grid\n- nothing" in markdown
    assert "```\nseed: 0\n```" in markdown


def test_figures_are_drawn_finer_than_they_are_shown(tmp_path):
    page = Page("Curve")
    figure = Figure(figsize=(4, 2))
    figure.subplots().plot([1, 2])
    page.figure(figure, "curve", "A curve")
    html = page.save(tmp_path).read_text()
    width = iio.imread(tmp_path / "curve.png").shape[1]
    assert f'width="{width // 2}"' in html
