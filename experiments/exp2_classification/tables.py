"""Tables 2 and 3 and the figures of experiment 2, from its results alone."""

from pathlib import Path

import numpy as np

from experiments import paper as page
from experiments.comparison import alarm
from mgconv.io.files import write_json
from mgconv.recipes import TITLES
from mgconv.reporting.pictures import labeled_strips, to_picture
from mgconv.reporting.report import Report
from mgconv.reporting.tables import cost
from mgconv.training.compare import has_failed

WORDS = TITLES | {
    "untrained": "Multi-grid's nets untrained", "pixels": "Raw pixels", "hog": "HOG",
    "supervised": "Supervised CNN, same structure",
}  # fmt: skip
ROWS_2 = (*page.TABLE_2, "untrained", "pixels", "hog")
ROWS_3 = ("dcgan", "supervised", "single_grid", "multigrid", "untrained")


def write_report(results: dict, folder: Path) -> Path:
    """Adds the tables to the results, writes them and the report; returns the page's path."""
    nums = results["nums"]
    tables = {
        "table2": table(results, "svm", ROWS_2, page.TABLE_2, page.QUOTED_2),
        "table3": table(results, "cnn", ROWS_3, page.TABLE_3, page.QUOTED_3),
    }
    results["panels"] = {
        "classification": {"scorers": {name: {"table": t} for name, t in tables.items()}}
    }
    write_json(folder / "results.json", results)
    config, models = results["config"], results["models"]
    report = Report(folder, "Experiment 2: features for classification")
    alarm(report, models)
    report.made_by(results)
    seen = "without the test images" if results["inductive"] else "on training and test images"
    report.text(
        f"{config['dataset']}: features learned {seen}, no labels; {results['num_test']} test "
        f"images. Recipe {config['recipe']}, width {config['width']}, seed {config['seed']}. "
        "Updates / seconds of each system: "
        + ", ".join(f"{TITLES[m]} {cost(rows)}" for m, rows in models.items()) + "."
    )  # fmt: skip
    report.text(
        "Error in %, mean ± standard deviation over draws of labels. In brackets the number of "
        "draws, S where the classes could not be balanced (drawn by their frequencies), N where "
        "the solver did not converge in every draw. Against multi-grid: the mean difference over "
        "the same draws ± its standard error. The test set alone makes an error of 30 % uncertain "
        f"by {100 * np.sqrt(0.21 / results['num_test']):.1f}. Rows marked `quoted` are the page's."
    )
    for name, title in (("table2", "Table 2: L2-SVM"), ("table3", "Table 3: CNN on all grids")):
        report.heading(title)
        report.table(**tables[name])
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


def table(results: dict, kind: str, names, figures: dict, quoted: dict) -> dict:
    """Header and rows: for every number of labels our error, and the page's."""
    header, nums = [""], results["nums"]
    for num in nums:
        header += [f"{num} labels", "against multi-grid"]
    header += ["page: 1000 / 2000 / 4000 labels", "updates / seconds"]
    found, rows = results[kind], []
    for name in names:
        cells = [WORDS[name]]
        for num in nums:
            cells += _cells(found, name, num, results["models"])
        spent = results["models"].get(name)
        cells += [_page(figures.get(name)), cost(spent) if spent else "-"]
        rows.append(cells)
    blank = ["quoted"] * 2 * len(nums)
    rows += [[name, *blank, _page(errors), "-"] for name, errors in quoted.items()]
    return {"header": header, "rows": rows}


def _cells(found: dict, name: str, num: int, models: dict) -> list[str]:
    if name in models and has_failed(models[name]):
        return ["diverged", "-"]
    draws = [row for row in found.get(name, []) if row["labels"] == num]
    if not draws:
        return ["not run", "-"]
    errors = 100 * np.array([row["error"] for row in draws])
    marks = "" if all(row["balanced"] for row in draws) else " S"
    marks += "" if all(row.get("converged", True) for row in draws) else " N"
    ours = f"{errors.mean():.1f} ± {errors.std(ddof=1):.1f} ({len(draws)}{marks})"
    others = [row["error"] for row in found.get("multigrid", []) if row["labels"] == num]
    if name == "multigrid" or not others:
        return [ours, "-"]
    paired = errors - 100 * np.array(others)
    error = paired.std(ddof=1) / len(paired) ** 0.5
    return [ours, f"{paired.mean():+.1f} ± {error:.1f}"]


def _page(figures) -> str:
    if figures is None:
        return "-"
    return " / ".join("-" if figure is None else f"{figure:.2f}" for figure in figures)


def _errors(results, nums):
    """A panel a classifier, a color a system; raw pixels may lie above."""
    names = list(results["svm"] | results["cnn"])

    def plot(axes):
        for panel, (kind, title) in zip(axes, (("svm", "L2-SVM"), ("cnn", "CNN on all grids"))):
            top = 0.0
            for name, rows in results[kind].items():
                per_num = [[100 * r["error"] for r in rows if r["labels"] == num] for num in nums]
                means, spreads = [np.mean(x) for x in per_num], [np.std(x, ddof=1) for x in per_num]
                color = f"C{names.index(name)}" if names.index(name) < 10 else "black"
                panel.errorbar(nums, means, spreads, lw=1, color=color, label=name)
                top = max(top, *means) if name != "pixels" else top
            panel.set_ylim(0, 1.15 * top)
            panel.set_title(f"{title}, error in %", fontsize=8)
            panel.set_xlabel("labels", fontsize=7)
            panel.legend(fontsize=5)

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
