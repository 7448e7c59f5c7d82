"""What a benchmark keeps is a table that `make tables` can render."""

from benchmarks.turns import report
from mgconv.io.files import read_json
from mgconv.reporting.tables import Table


def test_a_report_prints_its_table_and_keeps_it_as_records(tmp_path, capsys):
    header = ["point", "seconds", "over base", "peak", "over base"]
    rows = [["base", "0.4 (0.3 .. 0.5)", "1", "800", "1"], ["XLA", "-", "2.5", "1020", "1.3"]]
    report(str(tmp_path), "scaling", "An update", header, rows, seconds={"base": [0.4]})
    assert "| XLA | - | 2.5 | 1020 | 1.3 |" in capsys.readouterr().out
    content = read_json(tmp_path / "scaling.json")
    kept = content["panels"]["scaling"]["scorers"]["table"]["table"]
    assert len(kept["records"]) == 8
    assert Table.from_json(kept).cells() == (header, rows)
    assert (content["title"], content["seconds"]) == ("An update", {"base": [0.4]})
