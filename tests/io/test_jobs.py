"""Jobs that train nothing: Python that writes a line a start."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import refused

from mgconv.io import clusters, jobs
from mgconv.io.clusters import check_cluster, connected
from mgconv.io.jobs import HELD, Job, Outcome, Place, run_jobs, shares_of_cores

HERE = Place(2, "processes", None)
MINE = sorted(os.sched_getaffinity(0))[:1] if hasattr(os, "sched_getaffinity") else [0]
BEGUN = "from pathlib import Path; log = Path('begun'); log.open('a').write('{name} ');"


@pytest.fixture(autouse=True)
def two_shares(monkeypatch):
    """Two jobs at once, also where the tests have one core."""
    shares = [MINE] * 2
    monkeypatch.setattr(jobs, "shares_of_cores", lambda num: shares[:num])


@pytest.fixture
def job(tmp_path):
    """Makes a job that writes its name into the file `begun`, and then does as its code says."""

    def make(name, code=""):
        return Job(name, ["-c", BEGUN.format(name=name) + code], tmp_path / name, tmp_path)

    return make


def begun(folder):
    return sorted((folder / "begun").read_text().split())


def test_what_is_done_is_not_run_again_and_an_error_loses_no_other(job, tmp_path):
    given = [job("a"), job("b", "raise OSError('full')"), job("c")]
    assert run_jobs(given, HERE, tmp_path) == Outcome({"b": "OSError: full"}, [])
    assert begun(tmp_path) == ["a", "b", "c"]
    given = [*given, job("d")]
    assert run_jobs(given, HERE, tmp_path) == Outcome({"b": "OSError: full"}, [])
    assert begun(tmp_path) == ["a", "b", "b", "c", "d"]  # what failed is tried again
    assert "# exit code 1" in (tmp_path / "b" / "job.log").read_text()
    assert list(tmp_path.glob(".jobs-*")) == []


def test_another_command_in_the_same_folder_is_another_job(job, tmp_path):
    run_jobs([job("a")], HERE, tmp_path)
    assert run_jobs([job("a", "print('longer')")], HERE, tmp_path) == Outcome({}, [])
    assert begun(tmp_path) == ["a", "a"]


def test_what_another_process_has_is_tried_again_after_the_others(job, tmp_path):
    waits = f"import sys; Path('free').exists() or sys.exit({HELD})"
    free = job("b", "Path('free').touch()")
    assert run_jobs([job("a", waits), free], Place(1, "processes", None), tmp_path).held == []
    assert begun(tmp_path) == ["a", "a", "b"]
    never = [job("c", f"import sys; sys.exit({HELD})"), job("d")]
    assert run_jobs(never, HERE, tmp_path) == Outcome({}, ["c"])


def test_a_process_that_outlived_its_worker_is_waited_for(job, tmp_path, monkeypatch):
    """The cluster gives its job to another worker, whose command finds the folder held."""
    monkeypatch.setattr(jobs, "AGAIN", 0.01)
    mark = tmp_path / ".jobs-1"
    mark.touch()
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "job.log").write_text("$ python  # process 1 on gone, for .jobs-1\n")
    third = job("a", f"import sys; len(log.read_text().split()) < 3 and sys.exit({HELD})")
    assert jobs.run_job(third, mark) == ""
    assert begun(tmp_path) == ["a"] * 3


def test_a_job_has_its_share_of_the_cores(job, tmp_path):
    if not hasattr(os, "sched_getaffinity"):
        pytest.skip("Only on Linux")
    before = os.sched_getaffinity(0)
    facts = "import os, json; Path('facts').write_text(json.dumps([sorted("
    facts += "os.sched_getaffinity(0)), os.environ['TF_NUM_INTRAOP_THREADS']]))"
    run_jobs([job("a", facts)], HERE, tmp_path)
    assert json.loads((tmp_path / "facts").read_text()) == [MINE, "1"]
    assert os.sched_getaffinity(0) == before


def test_cores_are_divided_evenly(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {1, 2, 4, 5, 7}, raising=False)
    assert shares_of_cores(2) == [[1, 2], [4, 5]]
    assert shares_of_cores(5) == [[1], [2], [4], [5], [7]]
    assert "More --jobs than cores: 6 > 5" in refused(lambda: shares_of_cores(6))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_a_signal_ends_all_jobs_after_they_have_saved(tmp_path):
    """And begins no other one."""
    code = """
from pathlib import Path
from mgconv.cli.shared.program import main
from mgconv.io import jobs
saves = "import signal, time; from pathlib import Path\\n"
saves += "def save(*_): time.sleep(.2); Path('saved').open('a').write('x'); raise SystemExit(1)\\n"
saves += "signal.signal(signal.SIGTERM, save); Path('begun').open('a').write('x'); time.sleep(60)"
jobs.shares_of_cores = lambda num: [[0]] * num
given = [jobs.Job(name, ["-c", saves], Path(name)) for name in "abc"]
def run(values): jobs.run_jobs(given, jobs.Place(2, "processes", None), Path())
main(run, lambda values: None, None, ["program"])
"""
    command = [sys.executable, "-c", code.replace("\\\\n", "\\n")]
    path = os.environ | {"PYTHONPATH": str(Path.cwd())}
    with subprocess.Popen(command, cwd=tmp_path, env=path, stdout=subprocess.PIPE) as program:
        end = time.monotonic() + 20
        while not (tmp_path / "begun").exists() or (tmp_path / "begun").read_text() != "xx":
            assert time.monotonic() < end
            time.sleep(0.02)
        program.send_signal(signal.SIGINT)
        said = program.communicate(timeout=20)[0].decode()
    assert program.returncode == 130
    assert "To resume" in said
    assert (tmp_path / "saved").read_text() == "xx"
    assert (tmp_path / "begun").read_text() == "xx"


def test_what_a_cluster_lost_is_tried_again_until_nothing_gets_done(job, tmp_path, monkeypatch):
    """A stand-in that gives up at the second job, as a cluster does whose workers die."""
    options = contextlib.nullcontext({"backend": "threading"})
    monkeypatch.setattr(jobs, "connected", lambda *_: options)
    run_job, tried = jobs.run_job, []

    def dying(job, mark):
        tried.append(job.name)
        if job.name == "never" or len(tried) == 2:
            raise RuntimeError("The worker died")
        return run_job(job, mark)

    monkeypatch.setattr(jobs, "run_job", dying)
    given = [job("a"), job("b"), job("never")]
    outcome = run_jobs(given, Place(1, "dask", "x"), tmp_path)
    assert outcome == Outcome({"never": "the cluster lost it: The worker died"}, [])
    assert begun(tmp_path) == ["a", "b"]


@pytest.mark.parametrize(
    ("backend", "address", "told"),
    [
        ("dusk", None, "Did you mean dask"),
        ("processes", "tcp://x:1", "--backend=processes has no cluster"),
        ("dask", None, "--backend=dask has no cluster: no --cluster. Give its address"),
        ("dask", "tcp://127.0.0.1:9", "No dask cluster answers at: tcp://127.0.0.1:9"),
        ("ray", "127.0.0.1:9", "No ray cluster answers at: 127.0.0.1:9"),
        ("ray", "127.0.0.1:port", "No ray cluster answers at"),
    ],
)
def test_a_cluster_that_cannot_be_is_told_in_one_line(backend, address, told, monkeypatch):
    monkeypatch.setattr(clusters.importlib.util, "find_spec", lambda _: True)
    assert told in refused(lambda: check_cluster(backend, address))


def test_a_missing_package_is_told_in_one_line(monkeypatch):
    monkeypatch.setattr(clusters.importlib.util, "find_spec", lambda _: None)
    assert "pip install 'mgconv[cluster]'" in refused(lambda: check_cluster("ray", "auto"))


def test_what_fails_to_connect_is_told_in_one_line(monkeypatch):
    def connect(address):
        raise TimeoutError("no answer\nfor long")

    monkeypatch.setitem(clusters.CLUSTERS, "dask", clusters.Cluster("distributed", "x", connect))
    message = refused(lambda: connected("dask", "tcp://x:1").__enter__())
    assert "No dask cluster answers at: tcp://x:1 (no answer)" in message
