"""Tables of records: cells are made at the end, from all digits, and no error is lost."""

import json

import numpy as np
import pytest

from mgconv.errors import UserError
from mgconv.io.files import read_json, write_json
from mgconv.reporting.cells import Column, Record
from mgconv.reporting.tables import COST, Table, cost_records, join


def cell(spec, *values, errors=None):
    """One cell of a quantity over as many seeds as there are values."""
    errors = errors or [None] * len(values)
    records = [Record("x", "q", v, e, seed) for seed, (v, e) in enumerate(zip(values, errors))]
    return Table((Column("q", (spec,)),), tuple(records)).cells()[1][0][1]


@pytest.mark.parametrize(
    ("spec", "values", "printed"),
    [
        ("{:.1f}", (1.0,), "1.0"),
        ("{:.1f}", (1.0, 1.0), "1.0"),
        ("{:.1f}", (1.0, 2.0, 3.0), "2.0 ± 1.0"),
        ("{:.1%}", (0.9, 0.92), "91.0 ± 1.4%"),
        ("{:.1f}", (-0.1, 0.3), "0.1 ± 0.3"),
        ("{:+.1f}", (1.0, -0.4), "+0.3 ± 1.0"),
        ("{:,.0f}", (128658, 128658), "128,658"),
        ("{:.4g}", (8e-05, 9e-05, 1e-04), "9e-05 ± 1e-05"),
        ("{:.4g}", (-1.5e4, 500.0), "-7250 ± 1.1e+04"),
        ("{}", ("-", "-"), "-"),
        ("{:.1f}", (1.0, "diverged"), "1.0; diverged"),
        ("{:.1f}", (1.0, None), "1.0; -"),
        ("{:.1f}", (1.0, float("nan")), "1.0; -"),
        ("{:.1f}", (None, None), "-"),
    ],
)
def test_values_of_several_seeds_become_mean_and_standard_deviation(spec, values, printed):
    assert cell(spec, *values) == printed


def test_numbers_are_averaged_before_they_are_rounded():
    """0.5, 0.5 and 0.4 are 0.47 on average, but the numbers that print so are 0.44."""
    assert cell("{:.1f}", 0.46, 0.46, 0.40) == "0.4 ± 0.0"


def test_an_error_of_its_own_outlives_the_joining_of_seeds():
    """The root of the mean squared errors: sqrt((3^2 + 4^2) / 2) = 3.5."""
    assert cell("{:.1f}", 10.0, errors=[3.0]) == "10.0 ± 3.0"
    assert cell("{:.1f}", 9.0, 11.0, errors=[3.0, 4.0]) == "10.0 ± 3.5 [1.4]"
    assert cell("{:.1%}", 0.09, 0.11, errors=[0.03, 0.04]) == "10.0 ± 3.5 [1.4]%"
    assert cell("{:+.1f}", 10.0, 10.0, errors=[3.0, 4.0]) == "+10.0 ± 3.5"


def test_the_kernel_distance_of_real_digits_keeps_the_error_that_every_run_reports(request):
    """Three runs found 1,714 ± 45 between them, and each of them an error of 941 to 2,007."""
    folder = request.config.rootpath / "results" / "exp1-quick"
    kept = [read_json(folder / f"modern-seed{seed}.json") for seed in range(3)]
    tables = [
        Table.from_json(one["panels"]["digits"]["scorers"]["classifier"]["table"]) for one in kept
    ]
    of_real = [
        next(
            record
            for record in table.records
            if (record.row, record.column) == ("Real images (training)", "kernel distance x 1000")
        )
        for table in tables
    ]
    errors = [record.error for record in of_real]
    assert [round(error) for error in (min(errors), max(errors))] == [941, 2007]
    mean, own = np.mean([record.value for record in of_real]), np.sqrt(np.mean(np.square(errors)))
    deviation = np.std([record.value for record in of_real], ddof=1)
    header, rows = join(tables).cells()
    row = next(row for row in rows if row[0] == "Real images (training)")
    printed = row[header.index("kernel distance x 1000")]
    assert printed == f"{mean:.2f} ± {own:.2f} [{deviation:.2f}]"
    assert own > 941
    assert round(deviation) == 45


def test_a_part_without_its_quantity_is_left_out_and_words_stand_as_they_are():
    column = Column("error", ("{:.1f}", " ({difference:+.1f})"))
    records = [
        Record("ours", "error", 2.0),
        Record("other", "error", 3.5),
        Record("other", "difference", 1.5, 0.5),
        Record("late", "error", "not run"),
    ]
    _, rows = Table((column,), tuple(records)).cells()
    assert rows == [["ours", "2.0"], ["other", "3.5 (+1.5 ± 0.5)"], ["late", "not run"]]


def test_a_cost_over_seeds_has_means_of_all_its_numbers():
    def records(seed, updates, **more):
        return cost_records("x", {"all": {"updates": updates, "seconds": 16.0} | more}, seed)

    def printed(*records):
        return Table((COST,), sum(map(tuple, records), ())).cells()[1][0][1]

    assert printed(records(0, 100), records(1, 120)) == "1 x 110 ± 14 / 16 s"
    rolled = [records(seed, 100, rollbacks=2 * seed + 1) for seed in (0, 1)]
    assert printed(*rolled) == "1 x 100 / 16 s, rollbacks: 2 ± 1"
    diverged = cost_records("x", {"failed": {"failed": "gap"}}, 1)
    assert printed(records(0, 100), diverged) == "1 x 100 / 16 s; diverged"


def test_a_row_that_comes_again_for_the_same_seed_is_another_row():
    """Experiment 1 scores the real images over all classes, then over some."""
    records = [
        Record("real", "classes", 10, seed=0), Record("real", "score", 9.0, seed=0),
        Record("real", "classes", 3, seed=0), Record("real", "more", 1.0, seed=0),
    ]  # fmt: skip
    columns = tuple(Column(name, ("{:.0f}",)) for name in ("classes", "score", "more"))
    _, rows = Table(columns, tuple(records)).cells()
    assert rows == [["real", "10", "9", "-"], ["real", "3", "-", "1"]]


def table_of(seed, *pairs):
    return Table(
        (Column("distance", ("{:.0f}",)),),
        tuple(Record(row, "distance", value, seed=seed) for row, value in pairs),
        "run",
    )


def test_rows_of_several_seeds_are_joined_by_name_and_order():
    """Seeds rank their rows differently."""
    first = table_of(0, ("x", 1), ("y", 4), ("x", 5))
    joined = join([first, table_of(1, ("y", 6), ("x", 3), ("x", 5))])
    assert joined.cells() == (["run", "distance"], [["x", "2 ± 1"], ["y", "5 ± 1"], ["x", "5"]])
    with pytest.raises(UserError, match="Tables with different rows"):
        join([first, table_of(1, ("y", 6), ("x", 3))])


def test_the_same_run_is_never_counted_twice():
    with pytest.raises(UserError, match="Tables of the same seed"):
        join([table_of(0, ("x", 1)), table_of(0, ("x", 3))])


def test_a_table_is_strict_json_and_comes_back_as_it_was(tmp_path):
    records = (
        Record("a", "q", np.float64(0.1), np.float32(0.25), 0),
        Record("a", "lost", float("nan")),
        Record("b", "q", "diverged"),
        Record("b", "none", None),
    )
    table = Table((Column("q", ("{:.1f}", " {lost:.0f}"), "note"),), records, "run")
    write_json(tmp_path / "table.json", table.to_json())
    content = (tmp_path / "table.json").read_text()
    json.loads(content, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    back = Table.from_json(json.loads(content))
    assert back.cells() == table.cells()
    assert back.columns == table.columns
    assert back.records[0] == Record("a", "q", 0.1, 0.25, 0)


def test_a_table_of_words_is_printed_word_for_word():
    header = ["point", "seconds", "over base", "peak", "over base"]
    rows = [["a: b", "0.4 (0.3 .. 0.5)", "1", "8", "2"], ["c", "{x}", "-", "", "3"]]
    table = Table.of_cells(header, rows)
    rows[1][3] = "-"  # nothing is there
    assert table.cells() == (header, rows)
    assert Table.from_json(table.to_json()).cells() == (header, rows)
    assert Table.from_json({"header": header, "rows": rows}).cells() == (header, rows)


def test_rows_and_columns_can_be_selected():
    header = ["layer", "milliseconds", "rate", "least rate"]
    table = Table.of_cells(header, [["grid 4, relu", *"123"], ["grid 16, relu", *"456"]])
    assert table.select(["grid 16"]).cells() == (header, [["grid 16, relu", *"456"]])
    chosen = table.select(["relu"], ["rate"]).cells()
    assert chosen == (["layer", "rate", "least rate"], [
        ["grid 4, relu", "2", "3"], ["grid 16, relu", "5", "6"],
    ])  # fmt: skip
