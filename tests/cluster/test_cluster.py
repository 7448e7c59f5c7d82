"""A sweep on a cluster of two workers, one of which is killed: make cluster."""

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from programs import weights

from mgconv.errors import UserError
from mgconv.io.clusters import check_cluster

pytestmark = pytest.mark.skipif("MGCONV_CLUSTER" not in os.environ, reason="make cluster")
ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
POINTS = [f"seed={seed}" for seed in range(4)]
NUM = 400  # updates of a run, so that a worker can be killed in the middle of one
SETTINGS = [
    "--dataset=digits", "--grids=1,4", "--width=.05", "--batch_size=8", "--num_langevin_steps=2",
    f"--num_updates={NUM}", "--log_every=1", "--checkpoint_every=20", "--curvature_penalty=0",
    "--learning_rate=1e-4", "--on_divergence=ignore",
]  # fmt: skip


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(address):
    with contextlib.suppress(UserError):
        return check_cluster("dask", address) is None
    return False


@contextlib.contextmanager
def dask(folder):
    """Two workers of one thread, without nannies that would begin them anew."""
    address = f"tcp://127.0.0.1:{free_port()}"
    port = address.rpartition(":")[2]
    commands = [["scheduler", "--host=127.0.0.1", f"--port={port}", "--no-dashboard"]]
    commands += [
        ["worker", address, "--nthreads=1", "--no-nanny", "--no-dashboard",
         f"--local-directory={folder / str(i)}"] for i in range(2)
    ]  # fmt: skip
    env = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    started = [
        subprocess.Popen([BIN / "dask", *command], env=env, stderr=subprocess.DEVNULL)
        for command in commands
    ]
    try:
        while not answers(address):
            time.sleep(0.1)
        yield address
    finally:
        for process in reversed(started):
            process.kill()
            process.wait()


@contextlib.contextmanager
def ray(folder):
    """A node of two cores: a worker each."""
    address = f"127.0.0.1:{free_port()}"
    start = ["start", "--head", "--num-cpus=2", "--include-dashboard=false", "--block"]
    with tempfile.TemporaryDirectory(dir="/tmp") as place:  # a socket's path is a short one
        own = [f"--port={address[10:]}", "--disable-usage-stats", f"--temp-dir={place}"]
        node = subprocess.Popen(
            [BIN / "ray", *start, *own], env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        try:
            while "block forever" not in (line := node.stdout.readline()):
                assert line, "ray did not start"
            yield address
        finally:
            node.terminate()
            node.wait(60)


def training_processes(folder):
    """(the process of a job's command, its worker) of those that train in a folder."""
    import psutil

    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            words = process.cmdline()
            if f"--out={folder}" in words and any(word.startswith("--only=") for word in words):
                found.append((process, process.parent()))
    return found


def lines_of(run):
    path = run / "metrics.jsonl"
    lines = map(json.loads, path.read_text().splitlines()) if path.exists() else ()
    return [line["update"] for line in lines if "event" not in line]


def kill_in_the_middle(folder, with_command):
    """Kills a worker whose run is a quarter done; with its command, as a machine goes."""
    end = time.monotonic() + 400
    while time.monotonic() < end:
        for command, worker in training_processes(folder):
            name = next(word[7:] for word in command.cmdline() if word.startswith("--only="))
            if NUM / 4 < len(lines_of(folder / name)) < NUM * 3 / 4:
                worker.kill()
                if with_command:
                    command.kill()
                return name
        time.sleep(0.05)
    raise AssertionError("No run was a quarter done")


@pytest.mark.parametrize("with_command", [True, False], ids=["machine", "worker"])
@pytest.mark.parametrize("cluster", [dask, ray])
def test_no_point_is_lost_or_run_twice_where_a_worker_is_killed(cluster, with_command, tmp_path):
    out = tmp_path / "out"
    command = [sys.executable, "-m", "mgconv", "sweep", f"--vary=seed={','.join('0123')}"]
    command += [*SETTINGS, f"--out={out}"]
    with cluster(tmp_path / "cluster") as address:
        jobs = [f"--backend={cluster.__name__}", f"--cluster={address}"]
        sweep = subprocess.Popen(
            [*command, *jobs], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        killed = kill_in_the_middle(out, with_command)
        said = sweep.communicate(timeout=550)[0]
    assert sweep.returncode == 0, said
    rows = json.loads((out / "results.json").read_text())["rows"]
    assert {name: row["facts"]["all"]["updates"] for name, row in rows.items()} == dict.fromkeys(
        POINTS, NUM
    )
    for name in POINTS:
        assert lines_of(out / name) == list(range(1, NUM + 1)), name
        log = (out / name / "job.log").read_text()
        begun = len(re.findall(r"^\$ python", log, re.MULTILINE))
        assert (begun > 1) == (name == killed), log
        assert log.count("# exit code") == 1
    assert list(out.glob(".jobs-*")) == []
    alone = tmp_path / "alone"
    one = [*command[:-1], f"--out={alone}", f"--only={killed}"]
    threads = dict.fromkeys(("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), "1")
    subprocess.run(one, cwd=ROOT, check=True, capture_output=True, env=os.environ | threads)
    expected, found = weights(alone / killed), weights(out / killed)
    assert all(np.array_equal(expected[key], found[key]) for key in expected)
