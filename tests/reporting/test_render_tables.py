"""The README's tables are what results/ say."""

import pytest

from mgconv.errors import UserError
from mgconv.io.files import write_json
from tools import render_tables as tables
from tools.render_tables import ROOT, join, render


def test_the_tables_of_the_readme_are_those_of_the_results():
    text = (ROOT / "README.md").read_text()
    assert text.count("<!-- table ") > 0
    assert render(text) == text  # else: make tables


@pytest.mark.parametrize(
    ("cells", "joined"),
    [
        (("1.0", "1.0"), "1.0"),
        (("1.0", "2.0", "3.0"), "2.0 ± 1.0"),
        (("90.0%", "92.0%"), "91.0 ± 1.4%"),
        (("100 / 16 s", "120 / 16 s"), "110 ± 14 / 16 s"),
        (("-", "-"), "-"),
        (("-0.1", "0.3"), "0.1 ± 0.3"),
        (("+1.0 ± 0.5", "-0.4 ± 0.2"), "+0.3 ± 1.0"),
        (("2.5 ± 0.1", "3.5 ± 0.2"), "3.0 ± 0.7"),
        (("0 - 4", "0 - 8"), "0 - 6 ± 3"),
        (("1.0", "diverged"), "1.0; diverged"),
        (("8.0e-05", "9.0e-05", "1.0e-04"), "9e-05 ± 1e-05"),
        (("-1.5e+04", "500"), "-7250 ± 1.096e+04"),
    ],
)
def test_cells_of_several_seeds_become_mean_and_standard_deviation(cells, joined):
    assert join(cells) == joined


def test_rows_of_several_seeds_are_joined_by_name_and_order(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "ROOT", tmp_path)
    ranked = {
        "a": [["x", "1"], ["y", "4"], ["x", "5"]],
        "b": [["y", "6"], ["x", "3"], ["x", "5"]],
        "c": [["y", "6"], ["x", "3"]],
    }
    for name, rows in ranked.items():
        table = {"header": ["run", "distance"], "rows": rows}
        written = {"panels": {"sweep": {"scorers": {"keras": {"table": table}}}}}
        write_json(tmp_path / "results" / f"{name}.json", written)
    text = "<!-- table sweep/keras {} -->\n<!-- end -->"
    lines = render(text.format("a.json b.json")).splitlines()
    assert lines[3:6] == ["| x | 2 ± 1 |", "| y | 5 ± 1 |", "| x | 5 |"]
    with pytest.raises(UserError, match="Tables with different rows"):
        render(text.format("a.json c.json"))


def test_a_table_may_show_the_rows_of_one_name(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "ROOT", tmp_path)
    rows = [["grid 4, relu", "1"], ["grid 16, relu", "2"], ["grid 16, silu", "3"]]
    table = {"header": ["layer", "ms"], "rows": rows}
    written = {"panels": {"layers": {"scorers": {"table": {"table": table}}}}}
    write_json(tmp_path / "results" / "layers.json", written)
    text = "<!-- table layers/table/grid_16 layers.json -->\n<!-- end -->"
    assert render(text).splitlines()[3:5] == ["| grid 16, relu | 2 |", "| grid 16, silu | 3 |"]
