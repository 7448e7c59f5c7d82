"""Whole experiments, tiny: reports, what is reused, what fails; their bad input."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from programs import TINY as TINY_RUN
from programs import call, cells_of, diverge_where, program, refusal, weights

from mgconv.errors import UserError
from mgconv.reporting.tables import cost

TINY = [*TINY_RUN, "--curvature_penalty=0"]  # whose graph takes half of the time of a tiny run

BAD = [  # (program, flags, what the line must say)
    ("exp1_synthesis", ["--num_updates=3", "--minutes=1"], "Two budgets"),
    ("exp2_classification", ["--num_updates=3", "--minutes=1"], "Two budgets"),
    ("exp3_inpainting", ["--num_updates=3", "--minutes=1"], "Two budgets"),
    ("exp1_synthesis", ["--method=pcd"], "Did you mean: methods"),
    ("exp2_classification", ["--method=pcd"], "Did you mean: methods"),
    ("exp3_inpainting", ["--method=pcd"], "Did you mean: methods"),
    ("exp1_synthesis", ["--methods=pcd"], "leaves out: multigrid"),
    ("exp1_synthesis", ["--methods=multigrid,gan"], "Did you mean wgan or dcgan"),
    ("exp1_synthesis", ["--methods=multigrid,context_encoder"], 'Unknown method: "context_enc'),
    ("exp1_synthesis", ["--scorers=inception"], "Did you mean inception2015"),
    ("exp1_synthesis", ["--scorers=inception2015"], "or give --scorer_download"),
    ("exp1_synthesis", ["--scorers=keras", "--scorer_path=/none"], "weights are missing: /none"),
    ("exp1_synthesis", ["--datasets=faces", "--image_dir=/none"], "No faces.zip in --image_dir"),
    ("exp1_synthesis", ["--datasets=digits", "--learned_classes=ten"], 'Unknown class: "ten"'),
    ("exp1_synthesis", ["--scorer_path=x.npz"], "No scorer reads: --scorer_path=x.npz"),
    ("exp1_synthesis", ["--datasets=digits", "--num_samples=30"], "Too few images for a Frechet"),
    ("exp1_synthesis", ["--datasets=digits", "--classes=3"], "images of 2 classes or more"),
    ("exp2_classification", ["--classes=3"], "Unknown command line flag 'classes'"),
    ("exp3_inpainting", ["--classes=each"], "One model fills: --classes=each"),
    ("exp3_inpainting", ["--datasets=digits,photoz"], 'Unknown data set: "photoz"'),
    ("exp3_inpainting", ["--datasets=digits,cifar10"], "mgconv prepare --dataset=cifar10"),
    ("exp3_inpainting", ["--methods=pcd"], "leaves out: multigrid"),
    ("exp3_inpainting", ["--methods=multigrid,dcgan"], 'Unknown method: "dcgan"'),
    ("exp2_classification", ["--methods=pcd"], "leaves out: multigrid"),
    ("exp2_classification", ["--num_labels=many"], "--num_labels is no list of numbers"),
    ("exp2_classification", ["--num_labels=5"], "Give between 20 and 1257"),
    ("exp2_classification", ["--num_labels=2000"], "Give between 20 and 1257"),
    ("exp1_synthesis", ["--datasets=celebrities"], 'Unknown data set: "celebrities"'),
]


@pytest.mark.parametrize(("name", "arguments", "told"), BAD)
def test_bad_input_gets_one_line_and_exit_code_1(name, arguments, told, tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    assert told in refusal(name, *arguments, f"--out={tmp_path / 'run'}")
    assert not list((tmp_path / "run").rglob("config.json"))  # nothing was begun


@pytest.mark.parametrize("name", ["exp1_synthesis", "exp2_classification", "exp3_inpainting"])
def test_an_experiment_learns_by_the_default_recipe_at_every_scale(name):
    for settings in getattr(program(name), "SETTINGS", {}).values():
        assert "recipe" not in settings


def test_experiment_1_writes_its_report_and_reuses_its_models(tmp_path, capsys):
    settings = [*TINY, "--methods=multigrid,pcd", f"--out={tmp_path}"]
    call("exp1_synthesis", *settings)
    results = json.loads((tmp_path / "results.json").read_text())
    assert set(results["panels"]) == {"photos", "digits"}
    predictions = results["panels"]["digits"]["scorers"]["classifier"]
    systems = [row["system"] for row in predictions["scores"]]
    assert {"Real images (test)", "class mean + noise", "Multi-grid", "Persistent CD"} <= set(
        systems
    )
    page = (tmp_path / "report.html").read_text()
    assert 'src="data:image/png' in page
    assert "://" not in page  # self-contained; base64 may spell http, but has no colon
    assert "6.565" in page
    assert set(results["panels"]["photos"]["diagnosis"]) == {
        "diversity", "7-energy", "8-long-chains", "9-memory", "10-unseen-colors",
        "11-persistent-chains",
    }  # fmt: skip
    with Image.open(tmp_path / "figures" / "photos-1-grids.png") as picture:
        assert picture.height > 4 * 64  # the strips of 1, 4, 16 and 64 pixels
    made = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.index")}
    models = 2 + 10 + 3  # photos; digits: multi-grid, persistent CD of three classes
    assert len(made) == 2 * models  # the first and the last checkpoint of each
    call("exp1_synthesis", *settings, "--datasets=digits")
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.index")} == made
    again = json.loads((tmp_path / "results-digits.json").read_text())
    assert again["panels"]["digits"]["scorers"]["classifier"]["scores"] == predictions["scores"]
    assert (tmp_path / "report-digits.html").exists()
    assert json.loads((tmp_path / "results.json").read_text()) == results  # of both, left alone
    digits = tmp_path / "digits" / "multigrid"  # a model a class
    call("sample", f"--run={digits}", "--num=2")
    with np.load(digits / "samples" / "draw-0.npz", allow_pickle=False) as content:
        np.testing.assert_array_equal(content["labels"], np.repeat(np.arange(10), 2))
    assert (digits / "samples" / "draw-0-grids.png").exists()
    half = np.zeros([8, 8], np.uint8)
    half[:4] = 255
    Image.fromarray(half).save(tmp_path / "half.png")
    given = [f"--{name}={tmp_path / 'half.png'}" for name in ("image", "mask")]
    with pytest.raises(SystemExit, match="cannot inpaint: --method=multigrid --classes=each"):
        call("inpaint", f"--run={digits}", *given)


def test_a_method_that_diverges_is_a_row_and_the_others_go_on(tmp_path, monkeypatch):
    diverge_where(monkeypatch, method="cd1")
    given = ["--datasets=digits", "--classes=all", "--grids=1,8", "--methods=multigrid,cd1"]
    call("exp1_synthesis", *given, *TINY, f"--out={tmp_path}")
    panel = json.loads((tmp_path / "results-digits.json").read_text())["panels"]["digits"]
    assert "gap/8 = 1e+09, at update 7" in panel["models"]["cd1"]["failed"]["failed"]
    _, rows = cells_of(panel["scorers"]["classifier"]["table"])
    rows = {row[0]: row[1:] for row in rows}
    assert rows["One-step CD"][0] == "diverged"
    assert "diverged" not in rows["Multi-grid"]
    assert (tmp_path / "report-digits.md").read_text().startswith("# Experiment 1")


@pytest.fixture
def mocked_cifar_10():
    """CIFAR-10 as tfds gives it, with 300 random images a split."""
    import tensorflow as tf
    import tensorflow_datasets as tfds

    rng = np.random.default_rng(0)
    content = {
        "image": rng.integers(0, 256, [300, 32, 32, 3], np.uint8),
        "label": np.arange(300) % 10,
    }
    with tfds.testing.mock_data(
        as_dataset_fn=lambda *_, **__: tf.data.Dataset.from_tensor_slices(content)
    ):
        yield


def test_experiment_1_at_full_scale_compares_every_method_on_cifar_10(mocked_cifar_10, tmp_path):
    call("exp1_synthesis", "--scale=full", "--datasets=cifar10", f"--out={tmp_path}", *TINY)
    panel = json.loads((tmp_path / "results-cifar10.json").read_text())["panels"]["cifar10"]
    rows = panel["scorers"]["classifier"]["scores"]
    assert [row["system"] for row in rows[3:]] == [
        "Multi-grid", "Single-grid", "Persistent CD", "One-step CD", "DCGAN", "WGAN",
    ]  # fmt: skip
    assert {(row["num_samples"], row["classes"]) for row in rows} == {(90, 3)}
    header, rows = cells_of(panel["scorers"]["classifier"]["table"])
    assert rows[3][-1] == "6.565"
    assert len(header) == len(rows[0])


EXP2 = [*TINY, "--num_labels=20", "--num_draws=2", "--methods=multigrid,dcgan"]


@pytest.fixture(scope="module")
def few_epochs():
    """The CNN stops early."""
    from mgconv.evaluation import cnn

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cnn, "MAX_EPOCHS", 2)
        yield


@pytest.fixture(scope="module")
def experiment_2(tmp_path_factory, few_epochs):
    """Experiment 2 with two updates of three systems."""
    folder = tmp_path_factory.mktemp("exp2")
    call("exp2_classification", *EXP2, f"--out={folder}")
    return folder


def test_experiment_2_has_every_row_and_says_what_was_not_run(experiment_2):
    results = json.loads((experiment_2 / "results.json").read_text())
    table = results["panels"]["classification"]["scorers"]["table2"]["table"]
    rows = {row[0]: row for row in cells_of(table)[1]}
    assert rows["Single-grid"][1] == "not run"
    assert rows["Deep directed generative models"][-2] == "44.99 / 34.26 / 27.44"
    assert rows["Multi-grid"][-2] == "30.23 / 26.54 / 22.83"
    assert {len(row) for row in rows.values()} == {5}
    assert set(results["cnn"]) == {"multigrid", "dcgan", "untrained", "supervised"}
    assert {(row["labels"], row["draw"]) for row in results["svm"]["pixels"]} == {(20, 0), (20, 1)}
    assert "Deep directed" in (experiment_2 / "report.html").read_text()


def test_experiment_2_makes_no_row_twice(experiment_2, capsys):
    before = {path: path.read_text() for path in experiment_2.glob("*/*.json")}
    call("exp2_classification", *EXP2, f"--out={experiment_2}")
    assert {path: path.read_text() for path in experiment_2.glob("*/*.json")} == before
    assert "labels, draw" not in capsys.readouterr().out


def test_test_labels_reach_nothing_that_is_learned_or_chosen(experiment_2, tmp_path, monkeypatch):
    """With the test labels permuted every weight, C, epoch and prediction stays as it was."""
    from mgconv.datasets import table as datasets

    load = datasets.load_images

    def permuted(dataset, split, *arguments, **options):
        images = load(dataset, split, *arguments, **options)
        if split != "test":
            return images
        labels = np.random.default_rng(0).permutation(images.labels)
        return datasets.ImageSet(images.pixels, labels, images.class_names)

    monkeypatch.setattr(datasets, "load_images", permuted)
    call("exp2_classification", *EXP2, f"--out={tmp_path}")
    for name in ("multigrid", "dcgan"):
        before, after = weights(experiment_2 / name), weights(tmp_path / name)
        assert all(np.array_equal(before[key], after[key]) for key in before)
    for path in [*experiment_2.glob("svm/*.json"), *experiment_2.glob("cnn/*.json")]:
        other = tmp_path / path.relative_to(experiment_2)
        before, after = (json.loads(file.read_text())["draws"] for file in (path, other))
        for draw in before:
            for choice in ("c", "epochs", "validation_error"):
                assert before[draw].get(choice) == after[draw].get(choice)
            read = [np.sum(draws[draw]["confusion"], axis=0) for draws in (before, after)]
            np.testing.assert_array_equal(*read)


def test_the_cost_of_a_row_counts_its_rollbacks():
    facts = {"updates": 200, "seconds": 30.4, "parameters": {"grid_4": 5}}
    assert cost({"cat": facts, "dog": facts | {"updates": 220}}) == "2 x 210 / 30 s"
    assert cost({"all": facts | {"rollbacks": 2}}) == "1 x 200 / 30 s, rollbacks: 2"
    assert cost({"failed": {"failed": "Training diverged"}}) == "diverged"


def test_kept_draws_are_made_anew_for_other_weights_or_labels(tmp_path, toy_images):
    from experiments.exp2_classification.classification import Task, results

    images = toy_images(40, class_names=("a", "b"))
    labels, made = np.arange(40) % 4 // 3, []  # a quarter is of class 1, none is read so

    def make():
        made.append(1)
        return lambda rows, seed: (np.zeros(40, int), {})

    def ask(key, labels=labels):
        data = [dataclasses.replace(images, labels=labels)] * 2
        return results(Task(*data, (20,), 2, tmp_path), "toy", key, make)

    first = ask("weights")
    assert [row["error"] for row in first] == [0.25, 0.25]
    assert [row["confusion"] for row in first] == 2 * [[[30, 0], [10, 0]]]
    ask("weights")
    assert len(made) == 1
    ask("other weights")
    ask("other weights", 1 - labels)
    assert len(made) == 3


def test_differences_to_multigrid_are_paired_over_the_same_draws():
    from experiments.exp2_classification.tables import table

    def rows(*errors):
        return [
            {"labels": 10, "draw": draw, "error": error, "balanced": True}
            for draw, error in enumerate(errors)
        ]

    found = {"multigrid": rows(0.2, 0.3), "pcd": rows(0.3, 0.5)}
    results = {"nums": [10, 20], "models": {}, "config": {"seed": 0}, "svm": found}
    _, [pcd, multigrid] = table(results, "svm", ["pcd", "multigrid"], {}).cells()
    assert pcd[1:] == ["40.0 ± 14.1 (2)", "+15.0 ± 5.0", "not run", "-", "-", "-"]
    assert multigrid[1:3] == ["25.0 ± 7.1 (2)", "-"]


def test_differences_to_multigrid_are_paired_over_the_same_images():
    from experiments.exp3_inpainting.tables import Filled, _table
    from mgconv.evaluation.inpainting import Inpainting

    ours, other = (
        Inpainting(*[np.array(errors)] * len(Inpainting._fields)) for errors in ([1, 2], [4, 3])
    )
    filled = {n: Filled(None, x, x, None) for n, x in (("multigrid", ours), ("pcd", other))}
    _, rows = _table(filled, {}, "square", 0).cells()
    assert [row[1] for row in rows] == ["1.500", "3.500 (+2.000 ± 1.000)"]


def test_experiment_3_compares_every_system_under_every_mask(tmp_path, monkeypatch):
    settings = ["--datasets=digits", "--num_test=9", "--num_chains=2", f"--out={tmp_path}", *TINY]
    call("exp3_inpainting", *settings)
    panel = json.loads((tmp_path / "results-digits.json").read_text())["panels"]["digits"]
    for mask in ("square", "doodle", "pepper"):
        header, rows = cells_of(panel["scorers"][mask]["table"])
        names = [row[0] for row in rows]
        assert names[:2] == ["Visible mean color", "Neighbor diffusion"]
        assert {"Context Encoder", "Multi-grid", "Multi-grid, generative"} <= set(names)
        assert "Multi-grid, coarse grids skipped" in names
        assert {len(row) for row in rows} == {len(header)}
    rows = {row[0]: row for row in cells_of(panel["scorers"]["pepper"]["table"])[1]}
    assert rows["Multi-grid"][-2:] == ["0.036", "19.34"]

    # run again it fills nothing anew, but for what was lost
    filled = []
    from experiments.exp3_inpainting import tables

    whole = tables._fill
    monkeypatch.setattr(tables, "_fill", lambda *args: filled.append(args[0]) or whole(*args))
    (tmp_path / "digits/filled/doodle-cd1.npz").write_bytes(b"broken")
    call("exp3_inpainting", *settings)
    assert len(filled) == 1
    again = json.loads((tmp_path / "results-digits.json").read_text())["panels"]["digits"]
    assert again["scorers"] == panel["scorers"]


def test_one_panel_without_its_headline_is_enough_to_fail_and_a_baseline_is_not(capsys):
    from experiments.comparison import end

    page, well = Path("report.html"), {"all": {"updates": 2}}
    lost = {"failed": {"failed": "Training diverged: gap/8 = 1e+09, at update 7."}}
    end(page, {"photos": {"models": {"multigrid": well, "cd1": lost, "dcgan": lost}}})
    panels = {"photos": {"models": {"multigrid": well}}, "digits": {"models": {"multigrid": lost}}}
    with pytest.raises(UserError, match=r"Multi-grid failed: digits: .*gap/8 = 1e\+09"):
        end(page, panels)
    assert capsys.readouterr().out == "Report: report.html\n" * 2


HEADLINE_LOST = {
    "exp1_synthesis": ["--datasets=digits", "--classes=all", "--grids=1,8", "--methods=multigrid"],
    "exp2_classification": [
        "--methods=multigrid,pcd", "--grids=1,8", "--num_labels=20", "--num_draws=2",
        "--num_cnn_draws=2",
    ],
    "exp3_inpainting": ["--datasets=digits", "--methods=multigrid,cd1", "--grids=1,4,8"],
}  # fmt: skip


@pytest.mark.parametrize("program", HEADLINE_LOST)
def test_an_experiment_without_its_headline_writes_its_report_and_fails(
    program, tmp_path, monkeypatch
):
    diverge_where(monkeypatch, method="multigrid")
    with pytest.raises(SystemExit, match=r"Multi-grid failed: digits: .*gap/8 = 1e\+09"):
        call(program, *HEADLINE_LOST[program], *TINY, f"--out={tmp_path}")
    (report,) = tmp_path.glob("report*.md")
    assert report.read_text().startswith("**Multi-grid failed")
    assert list(tmp_path.glob("results*.json"))
