"""The programs that look for what makes features good: they resume, and read no test digit."""

import json
from types import SimpleNamespace

import pytest
from programs import TINY

from experiments.exp2_classification import __main__ as exp2
from experiments.exp2_classification import classification, curve, reading
from mgconv.cli.shared.program import main
from mgconv.datasets import table

ASKED = ["--dataset=digits", "--num_labels=40", "--num_draws=2", *TINY[:3], TINY[4]]


def run(program, *arguments):
    main(program.run, program.define_flags, program.__doc__, ["program", *arguments])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A curve of a run of two updates; test digits cannot be loaded."""
    folder = tmp_path_factory.mktemp("curve") / "run"
    with pytest.MonkeyPatch.context() as patch:
        load = table.load_images

        def no_test_images(dataset, split, *arguments, **options):
            assert split in ("train", "all"), split
            return load(dataset, split, *arguments, **options)

        patch.setattr(table, "load_images", no_test_images)
        run(curve, *ASKED, "--updates=0,2", f"--run={folder}")
    return folder


def test_a_curve_has_an_error_a_draw_of_each_number_of_updates(trained):
    points = json.loads((trained / "curve.json").read_text())["points"]
    assert [(x["updates"], x["grids"]) for x in points] == [
        (0, "top"), (0, "all"), (2, "top"), (2, "all")
    ]  # fmt: skip
    assert all(len(x["errors"]) == 2 and 0 < min(x["errors"]) < 0.9 for x in points)


def test_a_curve_resumes_and_trains_nothing_twice(trained, monkeypatch, capsys):
    monkeypatch.setattr("mgconv.training.fit.learn", None)
    before = json.loads((trained / "curve.json").read_text())["points"]
    run(curve, *ASKED, "--updates=0,2", f"--run={trained}", f"--out={trained / 'again.json'}")
    assert json.loads((trained / "again.json").read_text())["points"] == before
    assert "2 updates, all: " in capsys.readouterr().out


def test_numbers_of_updates_are_checked_before_anything_is_trained():
    with pytest.raises(SystemExit) as exit_:
        run(curve, *ASKED, "--updates=0,-2")
    assert "no list of numbers from 0 up: 0,-2" in str(exit_.value)


def test_readings_of_trained_and_fresh_nets_are_searched_alike(trained, capsys, monkeypatch):
    brightness = lambda task: task._training.pixels.mean((1, 2))  # noqa: E731  stands for HOG
    monkeypatch.setattr(reading._Task, "has_hog", True)
    monkeypatch.setattr(reading._Task, "_hog", brightness)
    monkeypatch.setattr(reading, "options", lambda parts: {"pool": ("max", "mean")})
    run(reading, f"--run={trained}", "--num_labels=40", "--num_draws=2")
    found = json.loads((trained / "reading" / "results.json").read_text())["found"]
    tried = [set(found[name]["tried"]) for name in ("trained", "untrained")]
    assert tried[0] == tried[1] and len(tried[0]) == 2
    assert all(len(found[name]["errors"]["with HOG"]) == 2 for name in found)
    assert min(found["HOG"]["errors"]["with HOG"]) > 0.5
    assert "| trained |" in capsys.readouterr().out


@pytest.mark.parametrize("tuned", [False, True])
def test_fine_tuned_rows_begin_from_multigrids_nets_and_from_fresh_ones(
    tuned, tmp_path, tiny, toy_images, monkeypatch
):
    images, loaded = toy_images(class_names=("a", "b")), SimpleNamespace(grid_features=1, nets=[2])
    task = classification.Task(images, images, (4,), 2, tmp_path / "cnn")
    monkeypatch.setattr("mgconv.load", lambda folder: loaded)
    monkeypatch.setattr(classification, "_cnn", lambda task, fresh, slowly: (fresh(), slowly))
    tasks, learned = {"svm": task, "cnn": task}, {"multigrid": tmp_path}
    rows = {
        name: make
        for kind, name, _, make in exp2._rows(learned, tiny(), images, tasks, tuned)
        if name.endswith(("tuned", "supervised"))
    }
    _, slowly = rows.pop("supervised")()
    assert not slowly
    assert set(rows) == ({"multigrid_tuned", "untrained_tuned"} if tuned else set())
    if tuned:
        assert rows["multigrid_tuned"]() == ((1, [2]), True)
        (_, nets), slowly = rows["untrained_tuned"]()
        assert slowly and [net.spec.size for net in nets] == [2, 4]
