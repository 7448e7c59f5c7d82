"""Tables 2 and 3 and the figures of experiment 2, from its results alone."""

from pathlib import Path

import numpy as np

from experiments import paper
from experiments.comparison import alarm
from mgconv.io.files import write_json
from mgconv.recipes import METHODS, TITLES
from mgconv.reporting.cells import Column, Record
from mgconv.reporting.pictures import labeled_strips, to_picture
from mgconv.reporting.report import Report
from mgconv.reporting.tables import COST, Table, cost, cost_records
from mgconv.training.compare import has_failed
from mgconv.training.provenance import hide_paths

WORDS = TITLES | {
    "untrained": "Multi-grid's nets untrained", "pixels": "Raw pixels", "hog": "HOG",
    "supervised": "Supervised CNN, same structure",
    "multigrid_tuned": "Multi-grid's nets, fine-tuned",
    "untrained_tuned": "Multi-grid's nets untrained, fine-tuned",
}  # fmt: skip
ROWS_2 = (*paper.TABLE_2, "untrained", "pixels", "hog")
ROWS_3 = ("dcgan", "ddgm", "supervised", "single_grid", "multigrid", "untrained")
TUNED = ("multigrid_tuned", "untrained_tuned")
ALONE = {f"{m}_alone": f"{TITLES[m]}: its network, labels alone" for m, row in METHODS.items()
         if row.reads_labels}  # fmt: skip
WORDS |= ALONE


def write_report(results: dict, folder: Path) -> Path:
    """Adds the tables to the results, writes them and the report; returns the path of its page."""
    nums = results["nums"]
    tables = {
        "table2": table(results, "svm", ROWS_2, paper.TABLE_2),
        "table3": table(results, "cnn", _rows_3(results), paper.TABLE_3),
    }
    results["panels"] = {
        "classification": {"scorers": {n: {"table": t.to_json()} for n, t in tables.items()}}
    }
    write_json(folder / "results.json", hide_paths(results))
    config, models = results["config"], results["models"]
    report = Report(folder, "Experiment 2: features for classification")
    alarm(report, models)
    report.made_by(results)
    seen = "without the test images" if results["inductive"] else "on training and test images"
    report.text(
        f"{config['dataset']}: features learned {seen}, no labels; {results['num_test']} test "
        f"images. Recipe {config['recipe']}, width {config['width']}, seed {config['seed']}. "
        "Updates / seconds of each system: "
        + ", ".join(f"{WORDS[m]} {cost(rows)}" for m, rows in models.items()) + "."
    )  # fmt: skip
    report.text(
        "Error in %, mean ± standard deviation over draws of labels. In brackets the number of "
        "draws, S where the classes could not be balanced (drawn by their frequencies), N where "
        "the solver did not converge in every draw. Against multi-grid: the mean difference over "
        "the same draws ± its standard error. The test set alone makes an error of 30 % uncertain "
        f"by {100 * np.sqrt(0.21 / results['num_test']):.1f}. Systems that learn from labels by "
        "themselves, and their networks trained on labels alone, have a training for each draw and "
        "see no test image."
    )
    for name, title in (("table2", "Table 2: L2-SVM"), ("table3", "Table 3: CNN on all grids")):
        report.heading(title)
        report.table(tables[name])
    report.figure("errors", _errors(results, nums), "Error against the number of labels; bars: "
                  "standard deviation over draws.")  # fmt: skip
    if "multigrid" in results["svm"]:
        _add_figures_of_multigrid(report, results, folder, nums[-1])
    return report.write()


def _add_figures_of_multigrid(report, results, folder, num) -> None:
    report.figure("confusion", _confusion(results, num), "Multi-grid, L2-SVM, the most labels:"
                  " rows are classes, columns what was read, all draws together.")  # fmt: skip
    report.figure("filters", _filters(folder), "First-layer filters of multi-grid's top grid, each "
                  "stretched. Look for: edges and blobs of color rather than noise.")  # fmt: skip


def _rows_3(results):
    """All rows of the page, and what else was trained from labels beside its network alone."""
    methods = [name for name, row in METHODS.items() if row.reads_labels]
    from_labels = [name for m in methods for name in (m, f"{m}_alone")]
    known = results["models"].keys() | paper.TABLE_3.keys()
    return [*ROWS_3, *(name for name in from_labels if name in known)]


def table(results: dict, kind: str, names, figures: dict) -> Table:
    """For every number of labels our error, and those that the project page reports."""
    nums, models, seed = results["nums"], results["models"], results["config"]["seed"]
    columns = [column for num in nums for column in _columns(num)]
    reported = Column("project page: 1000 / 2000 / 4000 labels", ("{reported}",), "paper")
    records = []
    for name in names:
        row = WORDS[name]
        records += [x for num in nums for x in _records(results[kind], name, num, models, seed)]
        records.append(Record(row, "reported", _reported(figures.get(name)), seed=seed))
        records += cost_records(row, models.get(name), seed)
    return Table((*columns, reported, COST), tuple(records))


def _columns(num: int) -> list[Column]:
    marked = f" ({{draws {num}:.0f}}{{marks {num}}})"
    return [
        Column(f"{num} labels", (f"{{error {num}:.1f}}", marked)),
        Column("against multi-grid", (f"{{against {num}:+.1f}}",)),
    ]


def _records(found: dict, name: str, num: int, models: dict, seed: int) -> list[Record]:
    """The quantities of `_columns`: percent, each ± what it says of itself."""
    row = WORDS[name]
    if name in models and has_failed(models[name]):
        return [Record(row, f"error {num}", "diverged", seed=seed)]
    draws = [draw for draw in found.get(name, []) if draw["labels"] == num]
    if not draws:
        return [Record(row, f"error {num}", "not run", seed=seed)]
    errors = 100 * np.array([draw["error"] for draw in draws])
    marks = "" if all(draw["balanced"] for draw in draws) else " S"
    marks += "" if all(draw.get("converged", True) for draw in draws) else " N"
    records = [
        Record(row, f"error {num}", errors.mean(), _spread(errors), seed),
        Record(row, f"draws {num}", len(draws), seed=seed),
        Record(row, f"marks {num}", marks, seed=seed),
    ]
    other = {d["draw"]: d["error"] for d in found.get("multigrid", []) if d["labels"] == num}
    pairs = [(d["error"], other[d["draw"]]) for d in draws if d["draw"] in other]
    if name != "multigrid" and pairs:
        paired = 100 * np.array([ours - theirs for ours, theirs in pairs])
        spread = _spread(paired)
        error = spread and spread / len(paired) ** 0.5
        records.append(Record(row, f"against {num}", paired.mean(), error, seed))
    return records


def _spread(values: np.ndarray) -> float | None:
    """Standard deviation over draws; of one there is none."""
    return values.std(ddof=1) if len(values) > 1 else None


def _reported(errors) -> str | None:
    if errors is None:
        return None
    return " / ".join("-" if error is None else f"{error:.2f}" for error in errors)


def _errors(results, nums):
    """A panel a classifier, a color a system; raw pixels may lie above."""
    names = list(results["svm"] | results["cnn"])

    def plot(axes):
        for panel, (kind, title) in zip(axes, (("svm", "L2-SVM"), ("cnn", "CNN on all grids"))):
            top = 0.0
            for name, rows in results[kind].items():
                per_num = [[100 * r["error"] for r in rows if r["labels"] == num] for num in nums]
                means = [np.mean(x) for x in per_num]
                spreads = [_spread(np.array(x)) or 0.0 for x in per_num]
                color = f"C{names.index(name)}" if names.index(name) < 10 else "black"
                panel.errorbar(nums, means, spreads, color=color, label=name)
                top = max(top, *means) if name != "pixels" else top
            panel.set_ylim(0, 1.15 * top)
            panel.set_title(f"{title}, error in %")
            panel.set_xlabel("labels")
            panel.legend()

    return to_picture(plot, 1, 2, scale=2.0)


def _confusion(results, num):
    counts = sum(
        np.array(row["confusion"]) for row in results["svm"]["multigrid"] if row["labels"] == num
    )
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    return np.rint(255 * (1 - shares)).astype(np.uint8).repeat(24, 0).repeat(24, 1)[..., None]


def _filters(folder):
    import mgconv

    kernels = mgconv.load(folder / "multigrid").nets[-1].convolutions[0].get_weights()[0]
    filters = kernels.transpose(3, 0, 1, 2)  # [K, k, k, C]
    low, high = filters.min((1, 2, 3), keepdims=True), filters.max((1, 2, 3), keepdims=True)
    stretched = 255 * (filters - low) / np.maximum(high - low, 1e-12)
    return labeled_strips({"filters": np.rint(stretched).astype(np.uint8)}, 16, 40)
