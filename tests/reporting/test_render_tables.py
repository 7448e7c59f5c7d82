"""Tables of Markdown files and the pages of results/ are what results/ say."""

import re

import pytest

from mgconv.errors import UserError
from mgconv.io.files import write_json
from mgconv.reporting.cells import Column, Record
from mgconv.reporting.tables import OVER_SEEDS, Table
from tools import render_tables
from tools.render_tables import ROOT, render, rendered_files
from tools.results_page import results_page

LOCAL = re.compile(r"(?<![\w.])/(work|root|home|tmp)/")
STABILITY = {  # as `make stability` writes it
    "header": ["kind", "bar", "seen", "verdict", "command"],
    "rows": [["photos", "no rollback", "rollbacks 0", "met", "`mgconv train`"]],
}


def test_every_table_and_page_is_what_the_results_say():
    files = rendered_files()
    differing = [str(path.relative_to(ROOT)) for path in files if path.read_text() != files[path]]
    assert not differing  # else: make tables


def test_every_folder_of_results_has_a_page_with_its_commands():
    folders = {path.parent for path in ROOT.glob("results/*/*.json")}
    assert {ROOT / "results" / "exp1-cpu", ROOT / "results" / "bench"} <= folders
    for folder in folders:
        page = (folder / "README.md").read_text()
        assert "python -m " in page or "mgconv " in page
        assert all(f"]({path.name})" in page for path in folder.glob("*.png"))


def test_nothing_published_holds_a_path_of_one_machine():
    published = [*ROOT.glob("results/**/*"), *ROOT.glob("docs/**/*"), ROOT / "README.md"]
    texts = [path for path in published if path.suffix in (".md", ".json", ".txt", ".html")]
    assert len(texts) > 30
    assert LOCAL.search("--out=/tmp/x")
    assert LOCAL.search('"/work/long"')
    found = {str(path.relative_to(ROOT)): LOCAL.findall(path.read_text()) for path in texts}
    assert not {path: places for path, places in found.items() if places}


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A checkout with results of two seeds."""
    monkeypatch.setattr(render_tables, "ROOT", tmp_path)
    for seed in (0, 1):
        columns = (Column("distance", ("{:.0f}",)), Column("mean rate", ("{:.0f}",)))
        records = [
            Record(row, name, value + 2 * seed, seed=seed)
            for row, value in (("grid 4, relu", 1), ("grid 16, relu", 4))
            for name, value in (("distance", value), ("mean rate", 10 * value))
        ]
        table = Table(columns, tuple(records), "run").to_json()
        made = {
            "command": f"mgconv sweep --vary=seed={seed}", "commit": "1234567",
            "versions": {"keras": "3.15.1"}, "device": "2 cores", "finished": "2026-11-27",
        }  # fmt: skip
        panels = {"sweep": {"scorers": {"keras": {"table": table}}}}
        write_json(tmp_path / "results" / "exp9-cpu" / f"{seed}.json", {"panels": panels} | made)
    (tmp_path / "results" / "exp9-cpu" / "chains.png").touch()
    return tmp_path


def lines_of(marker):
    """The rows below the heading that the marker of a table becomes."""
    return render(f"<!-- table {marker} -->\n<!-- end -->").splitlines()[1:-1]


def test_a_marker_of_several_files_shows_mean_and_deviation(root):
    lines = lines_of("sweep/keras exp9-cpu/0.json exp9-cpu/1.json")
    assert lines[0] == "| run | distance | mean rate |"
    assert lines[2:] == [
        "| grid 4, relu | 2 ± 1 | 11 ± 1 |", "| grid 16, relu | 5 ± 1 | 41 ± 1 |",
    ]  # fmt: skip


def test_a_marker_may_ask_for_rows_of_one_name_and_for_columns(root):
    assert lines_of("sweep/keras/grid_16 exp9-cpu/0.json")[2:] == ["| grid 16, relu | 4 | 40 |"]
    chosen = lines_of("sweep/keras columns=mean_rate exp9-cpu/0.json")
    assert chosen[0] == "| run | mean rate |"
    with pytest.raises(UserError, match="Unknown option"):
        lines_of("sweep/keras rows=x exp9-cpu/0.json")
    with pytest.raises(UserError, match=r"No table sweep/none in exp9-cpu/0\.json"):
        lines_of("sweep/none exp9-cpu/0.json")


def test_a_page_holds_tables_commands_versions_and_pictures(root):
    page = results_page(root / "results" / "exp9-cpu", "")
    assert page.startswith("# exp9-cpu\n")
    assert "What we see" not in page
    assert "| grid 16, relu | 4 | 40 |" in page
    assert "| grid 16, relu | 6 | 42 |" in page
    assert "```\nmgconv sweep --vary=seed=1\n```" in page
    assert "Commit 1234567; 2 cores; keras 3.15.1; finished 2026-11-27." in page
    assert "![chains](chains.png)" in page


def test_rows_that_were_made_by_another_command_have_it_on_the_page(root):
    folder = root / "results" / "recipes"
    of_row = {"updates": 5, "command": "mgconv sweep --vary=seed=1", "commit": "7654321"}
    rows = {"seed=0": {"facts": {"all": {"updates": 4}}}, "seed=1": {"facts": {"all": of_row}}}
    write_json(folder / "lfw.json", {"rows": rows, "command": "mgconv sweep", "commit": "1234567"})
    page = results_page(folder, "")
    lines = ["```", "mgconv sweep", "# seed=1, commit 7654321", "mgconv sweep --vary=seed=1", "```"]
    assert "\n".join(lines) in page
    assert "Commit 1234567." in page


def test_what_was_written_by_hand_stands_first_and_its_tables_are_not_repeated(root):
    folder = root / "results" / "exp9-cpu"
    marker = "<!-- table sweep/keras exp9-cpu/0.json exp9-cpu/1.json -->"
    (folder / "what_we_see.md").write_text(
        f"Few steps.\n\n{marker}\n<!-- end -->\n\n![](chains.png)\n"
    )
    files = render_tables.rendered_files()
    assert "| grid 16, relu | 5 ± 1 | 41 ± 1 |" in files[folder / "what_we_see.md"]
    page = files[folder / "README.md"]
    assert "## What we see\n\nFew steps." in page
    assert page.count("| grid 16, relu |") == 1
    assert page.count("chains.png") == 1
    assert OVER_SEEDS in page


def test_check_names_the_file_that_differs_and_make_tables_writes_it(root):
    from absl import flags

    values = flags.FlagValues()
    render_tables.define_flags(values)
    values(["render", "--check"])
    with pytest.raises(UserError, match=r"Not what results/ say: results/exp9-cpu/README\.md"):
        render_tables.run(values)
    values["check"].value = False
    render_tables.run(values)
    values["check"].value = True
    render_tables.run(values)


def test_the_summary_of_make_stability_has_its_page(root):
    folder = root / "results" / "stability"
    panels = {"summary": {"scorers": {"table": {"table": STABILITY}}}}
    write_json(
        folder / "summary.json", {"panels": panels, "command": "python -m benchmarks.stability"}
    )
    write_json(folder / "photos.json", {"records": []})
    page = results_page(folder, "")
    assert page.startswith("# Stability of the default recipe\n")
    assert "| photos | no rollback | rollbacks 0 | met | `mgconv train` |" in page
    assert lines_of("summary/table stability/summary.json")[2].startswith("| photos |")
