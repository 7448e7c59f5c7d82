"""What an experiment trains at once, and what each job trains."""

import pytest
from programs import call, refusal

from experiments import comparison
from mgconv.cli.shared import jobs
from mgconv.errors import UserError
from mgconv.recipes import METHODS

FEW = ("--width=.05", "--num_updates=1", "--batch_size=8")


@pytest.mark.parametrize(
    ("given", "names"),
    [
        (["exp1_synthesis", "--datasets=photos", "--methods=multigrid,dcgan", *FEW],
         ["photos/multigrid", "photos/dcgan"]),
        (["exp2_classification", "--methods=multigrid,dgn", "--num_labels=100,200",
          "--num_draws=2", *FEW],
         ["multigrid", *(f"{row}/{draw}" for row in ("dgn", "dgn_alone")
                         for draw in ("100-0", "100-1", "200-0"))]),
        (["exp3_inpainting", "--datasets=digits", "--methods=multigrid,context_encoder", *FEW],
         ["digits/multigrid", "digits/context_encoder", "digits/multigrid, generative"]),
    ],
)  # fmt: skip
def test_a_job_is_a_model(given, names, tmp_path, monkeypatch):
    def run_jobs(found, place, folder):
        assert all(job.arguments[1] == f"experiments.{given[0]}" for job in found)
        raise UserError("Stopped", [job.name for job in found], "This is a test.")

    monkeypatch.setattr(jobs, "run_jobs", run_jobs)
    monkeypatch.setattr(jobs, "shares_of_cores", lambda num: [[0]] * num)
    assert str(names) in refusal(*given, "--jobs=2", f"--out={tmp_path}")


@pytest.mark.parametrize(
    ("program", "only", "method", "classes"),
    [
        ("exp1_synthesis", "digits/multigrid/3", "multigrid", ("3",)),
        ("exp2_classification", "dcgan", "dcgan", None),
        ("exp3_inpainting", "photos/pcd", "pcd", None),
    ],
)
def test_only_trains_one_model(program, only, method, classes, tmp_path, monkeypatch):
    trained = []
    monkeypatch.setattr(comparison, "train_or_reuse", lambda entry, images: trained.append(entry))
    call(program, f"--only={only}", *FEW, f"--out={tmp_path}")
    [entry] = trained
    assert entry.config.method == method
    if METHODS[method].is_energy_based:
        assert entry.classes == classes
    assert entry.folder.is_relative_to(tmp_path)
