"""Experiment 2's systems that learn from labels: which draws, which labels, which rows."""

import functools

import numpy as np
import pytest

from experiments.exp2_classification import few_labels
from experiments.exp2_classification.few_labels import FewDraws, FewLabels, rows_of
from experiments.exp2_classification.tables import table
from mgconv.datasets.few_labels import split_labels
from mgconv.training.guard import DivergenceError
from mgconv.training.records import read_config

SETTINGS = {
    "dataset": "digits", "grids": (1, 4), "batch_size": 8, "width": 0.05, "num_updates": 2,
    "split": "all", "classes": "all",
}  # fmt: skip


@pytest.fixture
def make_task(toy_images):
    """Tasks of 60 training and 10 test images of two classes, with 8, 16 or 24 labels."""
    training = toy_images(60, class_names=("a", "b"))
    return functools.partial(FewDraws, training, toy_images(10, class_names=("a", "b")), (8, 16))


def trained_by(monkeypatch, classify):
    """What is trained, without training it."""
    made = []

    def trained(row):
        config = row.config

        def recorded(rows, seed):
            made.append((config.method, config.unlabeled, len(rows), seed))
            assert config.split == "train"
            return classify(row.task)

        return recorded

    monkeypatch.setattr(few_labels, "_trained", trained)
    return made


def of_class_0(task):
    return np.zeros(len(task.test), int), {"model": {"updates": 2, "seconds": 1.0}}


def test_the_fewest_labels_are_drawn_often_and_others_once(make_task, monkeypatch, tmp_path):
    made = trained_by(monkeypatch, of_class_0)
    rows = few_labels.few_labels(["vat", "dgn"], SETTINGS, make_task, 4, tmp_path)
    found, facts = rows_of(rows)
    assert list(found) == ["vat", "vat_alone", "dgn", "dgn_alone"]
    for method, most in (("vat", 4), ("dgn", 3)):
        draws = [(8, seed) for seed in range(most)] + [(16, 0)]
        for unlabeled in (True, False):
            assert [x[2:] for x in made if x[:2] == (method, unlabeled)] == draws
    assert facts["dgn_alone"].keys() == {"8-0", "8-1", "8-2", "16-0"}
    assert set(rows["dgn_alone"].entries()) == {f"dgn_alone/{x}" for x in facts["dgn_alone"]}
    rows_of(rows)
    assert len(made) == 2 * (5 + 4)  # what is kept is not made again


def test_a_system_that_diverges_is_a_row_and_the_others_go_on(make_task, monkeypatch, tmp_path):
    def diverge(task):
        raise DivergenceError("m1/4 = nan", 7)

    trained_by(monkeypatch, diverge)
    found, facts = rows_of(few_labels.few_labels(["dgn"], SETTINGS, make_task, 2, tmp_path))
    assert found == {}
    assert "m1/4 = nan, at update 7" in facts["dgn"]["failed"]["failed"]
    results = {"nums": [8], "models": facts, "config": {"seed": 0}, "cnn": found}
    _, [row, alone] = table(results, "cnn", ["dgn", "dgn_alone"], {}).cells()
    assert row[1] == alone[1] == "diverged"
    assert alone[0] == "DGN (M1 + M2): its network, labels alone"


def test_a_run_learns_from_the_labels_of_the_draw(make_task, tmp_path):
    """Those that all systems of experiment 2 have, by number and seed."""
    task = make_task(2, tmp_path)
    config = few_labels.config_for(**SETTINGS | {"method": "vat_small", "split": "train"})
    rows = task.subset(8, 1).rows
    predictions, facts = few_labels._trained(FewLabels(task, config, tmp_path))(rows, 1)
    assert set(predictions) <= {0, 1}
    assert len(predictions) == 10
    assert facts["model"]["updates"] == 2
    config, _ = read_config(tmp_path / "8-1")
    assert (config.labels, config.seed) == (8, 1)
    split = split_labels(task.training, config.labels, config.seed)
    assert {*split.learned, *split.validation} == set(rows)


def test_one_draw_has_no_spread_and_is_paired_with_the_same_draw():
    def row(draw, error):
        return {"labels": 8, "draw": draw, "error": error, "balanced": True}

    found = {"multigrid": [row(0, 0.2), row(1, 0.9)], "vat": [row(0, 0.3)]}
    results = {"nums": [8], "models": {}, "config": {"seed": 0}, "cnn": found}
    _, [vat] = table(results, "cnn", ["vat"], {"vat": (24.63, None, None)}).cells()
    assert vat[1:4] == ["30.0 (1)", "+10.0", "24.63 / - / -"]
