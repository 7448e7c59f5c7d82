"""The table of a run's layers, from facts that are known."""

import numpy as np

from mgconv.evaluation.layer_facts import LayerFacts, Layers
from mgconv.reporting.inspection import layer_table, write_page


def facts(scale):
    return LayerFacts(scale, 0.25, 0.5, 0.1, {"max": 3.0, "mean": 2.0}, {"max": np.zeros([2, 2])})


KNOWN = {"fresh": [facts(0.5), facts(2.0)], "trained": [facts(0.25), facts(40.0)]}
NAMES = ["4 x 4, 1", "4 x 4, 2"]


def test_a_cell_has_what_was_before_and_after():
    header, rows = layer_table(Layers(NAMES, KNOWN, {})).cells()
    assert header == [
        "grid, layer", "scale", "dead", "saturated", "bend", "rank, max", "rank, mean",
    ]  # fmt: skip
    assert rows[0] == [
        "4 x 4, 1", "0.5 -> 0.25", "25% -> 25%", "50% -> 50%", "0.10 -> 0.10", "3 -> 3", "2 -> 2",
    ]  # fmt: skip
    assert rows[1][1] == "2 -> 40"


def test_errors_have_rows_of_whole_grids_too(tmp_path):
    errors = {("4 x 4, 1", "fresh", "max"): 0.3, ("4 x 4, 1", "trained", "max"): 0.25}
    errors |= {("all grids", "fresh", "max"): 0.2, ("all grids", "trained", "max"): 0.1}
    table = layer_table(Layers(NAMES, KNOWN, errors))
    header, rows = table.cells()
    column = header.index("error, max")
    assert [row[column] for row in rows] == ["30.0% -> 25.0%", "-", "20.0% -> 10.0%"]
    assert rows[2][:2] == ["all grids", "-"]
    page = write_page(tmp_path, "Layers", table)
    assert "all grids" in page.read_text()
