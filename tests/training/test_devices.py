"""Several devices: two logical ones of a CPU, and two processes, against one."""

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from conftest import refused
from two_devices import READOUT_LIMIT

from mgconv.errors import UserError
from mgconv.training import devices
from mgconv.training.devices import make_strategy

SCRIPT = Path(__file__).with_name("two_devices.py")


def start(program, folder, **environment):
    """two_devices.py as a process of its own."""
    roots = os.pathsep.join([str(SCRIPT.parents[2]), str(SCRIPT.parents[1])])
    variables = os.environ | {"PYTHONPATH": roots} | environment
    command = [sys.executable, str(SCRIPT), program, str(folder)]
    return subprocess.Popen(
        command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def answer(process):
    """What it printed last."""
    try:
        out, errors = process.communicate(timeout=300)
    finally:
        process.kill()
    assert process.returncode == 0, errors[-2000:]
    return json.loads(out.splitlines()[-1])  # runs say first where their pictures go


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What one and two logical devices learned and sampled."""
    return answer(start("replicas", tmp_path_factory.mktemp("replicas")))


@pytest.mark.parametrize("name", ["", "author "])
def test_two_replicas_learn_what_one_learns_on_the_whole_batch(found, name):
    """Without noise and batch statistics; after five updates, averaged weights as well."""
    one, two = (np.array(found[f"{name}{number}"]) for number in ("one", "two"))
    np.testing.assert_allclose(one, two, atol=1e-5)
    assert np.abs(one - np.array(found["author one" if not name else "one"])).max() > 1e-5


@pytest.mark.parametrize("name", ["", "author "])
def test_the_norm_in_the_log_is_of_the_whole_batch_s_gradient(found, name):
    """A mean of the replicas' norms would be larger: their gradients point apart."""
    one, two = (np.array(found[f"norms {name}{number}"]) for number in ("one", "two"))
    assert one.shape == (5, 2)
    np.testing.assert_allclose(two, one, rtol=1e-3)


@pytest.mark.parametrize(("name", "num_replicas"), [("one", 1), ("two", 2)])
def test_every_replica_holds_the_readout_to_its_limit(found, name, num_replicas):
    """Each net begins with a norm of 1.4; an update can also lower it a little."""
    norms = np.array(found[f"readouts {name}"])
    assert norms.shape == (2, num_replicas)
    assert (norms <= READOUT_LIMIT * (1 + 1e-6)).all()
    assert (norms > 0.9 * READOUT_LIMIT).all()
    assert (norms == norms[:, :1]).all()


def test_chains_are_shared_and_in_order(found):
    np.testing.assert_allclose(found["2 on 2"], found["2 on 1"], atol=1e-5)
    assert np.shape(found["2 on 2"]) == (6, 4, 4, 3)


def test_replicas_have_different_noise(found):
    first, second = np.split(np.array(found["noisy samples"]), 2)
    assert np.abs(first - second).max() > 0.01


class InTurn:
    """A strategy whose two replicas are one after the other in this process."""

    num_replicas_in_sync = 2

    def __init__(self, monkeypatch):
        monkeypatch.setattr(devices, "_replica", lambda: self.replica)

    def run(self, function, args):
        for self.replica in range(2):
            function(*args)
        return {}


def test_replicas_train_on_their_own_images_with_their_own_noise(monkeypatch, no_graphs):
    seen, colors, images = [], np.zeros([1, 1, 1, 1]), tf.reshape(tf.range(4.0), [4, 1, 1, 1])
    learner = devices.DistributedLearner([], 0, colors, images.numpy(), InTurn(monkeypatch))
    learner.update_grids = lambda images, visible, seed: seen.append((images, seed))
    learner.train_step(images)
    (first, seed), (second, other) = seen
    np.testing.assert_array_equal(tf.concat([first, second], axis=0), images)
    assert len(first) == len(second) and (seed != other).numpy().any()


def test_a_run_on_two_devices_goes_on_on_one(found):
    assert found["further"] == 7


def test_what_cannot_be_shared_is_told(found):
    pool, batch, gan = found["refused"]
    assert "cannot share the training of: pcd" in pool
    assert "cannot be shared evenly: 5 images, 2 devices" in batch
    assert "cannot share the training of: dcgan" in gan


def two_workers(folder) -> list[dict]:
    """What two processes say that learn in a folder together."""
    with socket.socket() as one, socket.socket() as other:  # both held, so that they differ
        for free in (one, other):
            free.bind(("localhost", 0))
        ports = [free.getsockname()[1] for free in (one, other)]
    cluster = {"worker": [f"localhost:{port}" for port in ports]}
    workers = [
        start("worker", folder, TF_CONFIG=json.dumps({"cluster": cluster, "task": task}))
        for task in ({"type": "worker", "index": 0}, {"type": "worker", "index": 1})
    ]
    return [answer(process) for process in workers]


def test_two_processes_learn_what_one_learns(found, tmp_path):
    for said in two_workers(tmp_path):
        np.testing.assert_allclose(said["weights"], found["one"], atol=1e-5)
    assert (tmp_path / "config.json").exists()
    shutil.rmtree(tmp_path / "worker-1" / "checkpoints")
    for said in two_workers(tmp_path):  # the second would learn alone, and wait for ever
        assert "Workers stand at different updates: [5, 0]" in said["refused"]


def test_a_deterministic_run_has_the_same_bits_twice(tmp_path):
    found = answer(start("deterministic", tmp_path))
    assert found["first"] == found["second"]


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ("tpu", '--devices says nothing known: "tpu"'),
        ("cpu:0", "nothing known"),
        ("gpu:all", "--devices=gpu:all, GPUs there: 0"),
        ("gpu:7", "--devices=gpu:7, GPUs there: 0"),
    ],
)
def test_devices_that_are_not_there_are_told(named, told):
    with pytest.raises(UserError, match=told):
        make_strategy(named, "multigrid", 6)


@pytest.mark.parametrize(
    ("method", "batch_size", "taken"),
    [("multigrid", 6, 3), ("multigrid", 8, 4), ("multigrid", 7, 1), ("pcd", 8, 1), ("wgan", 8, 1)],
)
def test_auto_takes_as_many_gpus_as_can_share_the_work(method, batch_size, taken, monkeypatch):
    gpus, named = ["/GPU:0"] * 4, []
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: gpus)
    monkeypatch.setattr(tf.config.experimental, "set_memory_growth", lambda gpu, grows: None)
    alone = tf.distribute.get_strategy()
    monkeypatch.setattr(devices, "_strategy", lambda names: named.extend(names) or alone)
    make_strategy("auto", method, batch_size)
    assert named == [f"GPU:{index}" for index in range(taken)]


CLUSTER = {"chief": ["a:1"], "worker": ["b:1", "c:1"]}


@pytest.mark.parametrize(
    ("text", "folder"),
    [
        ("", "run"),
        ("{}", "run"),
        (
            json.dumps({"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 0}}),
            "run",
        ),
        (json.dumps({"cluster": CLUSTER, "task": {"type": "chief", "index": 0}}), "run"),
        (json.dumps({"cluster": CLUSTER, "task": {"type": "worker", "index": 0}}), "run/worker-1"),
        (json.dumps({"cluster": CLUSTER, "task": {"type": "worker", "index": 1}}), "run/worker-2"),
    ],
)
def test_every_worker_has_a_folder_of_its_own(monkeypatch, text, folder):
    monkeypatch.setenv("TF_CONFIG", text)
    assert devices.own_folder("run") == Path(folder)


@pytest.mark.parametrize(
    "text",
    [
        '{"cluster": {"wor', "[]", "3", '"x"', '{"cluster": {}, "task": {}}', '{"cluster": 5}',
        json.dumps({"cluster": CLUSTER}),
        json.dumps({"cluster": CLUSTER, "task": {"type": "worker", "index": 2}}),
        json.dumps({"cluster": CLUSTER, "task": {"type": "worker", "index": -1}}),
        json.dumps({"cluster": CLUSTER, "task": {"type": "worker", "index": "one"}}),
        json.dumps({"cluster": CLUSTER, "task": {"type": "ps", "index": 0}}),
    ],
)  # fmt: skip
def test_a_tf_config_that_joins_nothing_is_named(monkeypatch, text):
    monkeypatch.setenv("TF_CONFIG", text)
    for function in (devices.own_folder, lambda folder: devices.set_up()):
        assert refused(function, "run").startswith("Cannot use TF_CONFIG: ")
