"""Every plot looks alike, by one file."""

import re
from pathlib import Path

import matplotlib

from mgconv.reporting import style
from mgconv.reporting.pictures import to_picture

ROOT = Path(__file__).parents[2]
LOOKS = re.compile(r"\b(fontsize|labelsize|lw|linewidth|cmap|markersize)=")


def test_how_plots_look_is_said_in_one_file():
    assert LOOKS.search("axis.plot(x, lw=1)")
    folders = ("mgconv", "experiments", "tools", "benchmarks")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    assert len(files) > 50
    assert [path.name for path in files if LOOKS.search(path.read_text())] == []


def test_a_plot_has_the_style_while_it_is_drawn_and_leaves_no_trace():
    before, seen = dict(matplotlib.rcParams), {}

    def plot(axes):
        seen["title"] = axes[0].set_title("a").get_fontsize()
        seen["line"] = axes[0].plot([0, 1])[0].get_linewidth()
        seen["top"] = axes[0].spines["top"].get_visible()

    picture = to_picture(plot, 1, 1)
    assert picture.ndim == 3
    expected = [style.STYLE[f"{name}"] for name in ("axes.titlesize", "lines.linewidth")]
    assert [seen["title"], seen["line"], seen["top"]] == [*expected, False]
    changed = {name for name, value in matplotlib.rcParams.items() if before[name] != value}
    assert {name for name in changed if not name.startswith("backend")} == set()
