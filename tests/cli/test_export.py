"""mgconv export: a model for others."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
from programs import call, refusal

import mgconv
from mgconv.config import make_config
from mgconv.io.files import write_json
from mgconv.reporting.tables import Table


@pytest.fixture
def scores(tmp_path):
    """As mgconv evaluate writes them."""
    table = Table.of_cells(["images", "Frechet"], [["Real images", "0.1"], ["the samples", "7.5"]])
    content = {"table": table.to_json(), "scorer": "classifier of digits"}
    write_json(tmp_path / "scores.json", content)
    return tmp_path / "scores.json"


def test_a_run_becomes_a_folder_that_loads_and_says_how_it_was_made(finished, scores, tmp_path):
    out = tmp_path / "model"
    call("export", f"--run={finished}", f"--scores={scores}", f"--out={out}")
    text = (out / "README.md").read_text()
    command = json.loads((finished / "results.json").read_text())["command"]
    for words in ("| the samples | 7.5 |", "classifier of digits", command, "CC BY 4.0"):
        assert words in text
    before, model = mgconv.load(finished), mgconv.from_pretrained(out)
    np.testing.assert_allclose(model.synthesize(4), before.synthesize(4), atol=0.02)
    again = tmp_path / "again"
    call("export", f"--run={out}", f"--out={again}")  # knows what it was told
    assert command in (again / "README.md").read_text()
    assert "| the samples | 7.5 |" in (again / "README.md").read_text()


def test_a_program_is_written_into_the_run(finished, tmp_path):
    run = shutil.copytree(finished, tmp_path / "run")
    call("export", f"--run={run}", "--format=savedmodel")
    assert (run / "export" / "savedmodel" / "saved_model.pb").exists()


def test_a_baseline_and_scores_of_something_else_are_refused(finished, tmp_path):
    config = make_config(method="dcgan", grids=(1, 4, 8))
    data = {"num_images": 5, "channels": 1, "class_names": ["toy"]}
    write_json(tmp_path / "config.json", {"config": dataclasses.asdict(config), "data": data})
    assert "cannot be exported: dcgan" in refusal("export", f"--run={tmp_path}")
    wrong = f"--scores={tmp_path / 'config.json'}"
    assert "No scores are in" in refusal("export", f"--run={finished}", wrong)
