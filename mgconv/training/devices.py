"""Several devices that share every batch: GPUs of this machine, its CPU in parts, many machines."""

import contextlib
import functools
import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import tensorflow as tf

from mgconv.energy import EnergyNet
from mgconv.errors import UserError, brief
from mgconv.langevin import fold_in
from mgconv.multigrid import MultigridLearner
from mgconv.recipes import METHODS

REMEDY = "Give auto, cpu:2, gpu:all or gpu:2."
WORKERS = ("of TF_CONFIG",)
KINDS = ("chief", "worker")  # of tasks that train
ChangeGradients = Callable[[EnergyNet, list[tf.Tensor]], list[tf.Tensor]]


def set_up(devices: str = "auto") -> list[str]:
    """Tells TensorFlow what it must know before it uses any device; calling it again is no harm.

    Memory of GPUs grows by need; a CPU is cut in parts; workers of TF_CONFIG find one another.

    Args:
        devices: "auto" stands for all GPUs, else the CPU; "gpu:all", "gpu:N"; "cpu:N" cuts the CPU
            into N logical devices.

    Returns:
        The devices, as tf.distribute names them; WORKERS where TF_CONFIG is set.

    Raises:
        UserError: another word, more GPUs than there are, or TensorFlow was used before.
    """
    match = re.fullmatch(r"auto|gpu:all|(cpu|gpu):([1-9]\d*)", devices)
    if not match:
        raise UserError("--devices says nothing known", f'"{devices}"', REMEDY)
    gpus = tf.config.list_physical_devices("GPU")
    kind, number = match[1], int(match[2] or len(gpus))
    if kind != "cpu" and (number > len(gpus) or (devices == "gpu:all" and not gpus)):
        raise UserError(f"--devices={devices}, GPUs there", len(gpus), REMEDY)
    with contextlib.suppress(RuntimeError):  # TensorFlow was used before: it has what it has
        for gpu in gpus:
            tf.config.experimental.set_memory_growth(gpu, True)
    try:
        if kind == "cpu":
            tf.config.set_visible_devices([], "GPU")  # else they would be used all the same
            _cut_cpu(number)
        if place_among_workers() is not None:
            _strategy(WORKERS)
            return list(WORKERS)
    except RuntimeError as error:
        remedy = "Call mgconv.devices.set_up before everything else."
        found = str(error).split("\n")[0]
        raise UserError(
            "TensorFlow was used before its devices were set up", found, remedy
        ) from None
    return [f"{'CPU' if kind == 'cpu' else 'GPU'}:{index}" for index in range(number)]


def make_strategy(devices: str, method: str, batch_size: int) -> tf.distribute.Strategy:
    """The strategy that --devices names.

    Args:
        devices: as `set_up` takes them; "auto" takes as many GPUs as can share the work. Where
            TF_CONFIG is set, each of its workers does so.
        method: of Config. A pool of persistent chains and a baseline's nets are not shared.
        batch_size: what is shared, evenly.

    Raises:
        UserError: as `set_up`, or what these devices cannot share.
    """
    names = set_up(devices)
    if devices == "auto":
        names = names[: _largest_share(method, batch_size, len(names))]
    strategy = _strategy(tuple(names))
    shared_by = strategy.num_replicas_in_sync
    if shared_by > 1 and not _is_shared(method):
        remedy = "Give --devices=cpu:1 or gpu:1."
        raise UserError("Several devices cannot share the training of", method, remedy)
    if batch_size % shared_by:
        found = f"{batch_size} images, {shared_by} devices"
        raise UserError("A batch cannot be shared evenly", found, "Give another --batch_size.")
    return strategy


def _is_shared(method):
    return METHODS[method].chain_start not in (None, "persistent")


def _largest_share(method, batch_size, number):
    """How many of a number of GPUs can share the work."""
    most = number if _is_shared(method) else min(1, number)
    return max((n for n in range(1, most + 1) if batch_size % n == 0), default=0)


@functools.cache  # the collectives of two strategies in one process take each other's keys
def _strategy(names: tuple[str, ...]) -> tf.distribute.Strategy:
    if names == WORKERS:
        return tf.distribute.MultiWorkerMirroredStrategy()
    if len(names) > 1:
        return tf.distribute.MirroredStrategy(names)
    return tf.distribute.get_strategy()


def _cut_cpu(number):
    cpu = tf.config.list_physical_devices("CPU")[0]
    parts = tf.config.get_logical_device_configuration(cpu)
    if number > 1 and len(parts or [0]) != number:
        parts = [tf.config.LogicalDeviceConfiguration() for _ in range(number)]
        tf.config.set_logical_device_configuration(cpu, parts)


def own_folder(folder: str | os.PathLike) -> Path:
    """Where this process keeps the run: the folder, of workers after the first one inside it."""
    place = place_among_workers()
    return Path(folder) / f"worker-{place}" if place else Path(folder)


def place_among_workers() -> int | None:
    """This process's place among those that TF_CONFIG joins, the chief first; None: it is alone.

    Raises:
        UserError: TF_CONFIG is no cluster with a task of it.
    """
    text = os.environ.get("TF_CONFIG", "").strip()
    if text in ("", "{}"):
        return None
    try:
        content = json.loads(text)
        cluster, task = content["cluster"], content["task"]
        members = [(kind, index) for kind in KINDS for index in range(len(cluster.get(kind, [])))]
        return members.index((task["type"], int(task["index"])))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        found = f"{brief(error) or type(error).__name__} in {text[:60]}"
        remedy = 'Give {"cluster": {"worker": [...]}, "task": {"type": "worker", "index": 0}}.'
        raise UserError("Cannot use TF_CONFIG", found, remedy) from None


def refuse_apart(update_count: tf.Variable, strategy: tf.distribute.Strategy) -> None:
    """Raises a UserError where the workers of TF_CONFIG are to resume from different updates."""
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return
    count = strategy.run(lambda: tf.reshape(update_count, [1]))
    counts = strategy.gather(count, axis=0).numpy().tolist()
    if len(set(counts)) > 1:
        remedy = "Put checkpoints/ of one worker in the place of the others'."
        raise UserError("Workers stand at different updates", counts, remedy)


class DistributedLearner(MultigridLearner):
    """Algorithm 1 with every batch, and every batch of samples, shared by the strategy's replicas.

    Weights are mirrored, gradients summed over replicas. With batch statistics each replica
    normalizes by its own part of the batch. Noise differs from replica to replica, so a run on two
    devices is not the run on one; both restore each other's checkpoints.
    """

    def __init__(self, grids, seed, colors, reference, strategy: tf.distribute.Strategy):
        super().__init__(grids, seed, colors, reference)
        self._strategy = strategy

    @tf.function(autograph=False)
    def train_step(self, images, visible=None) -> dict[str, tf.Tensor]:
        """As MultigridLearner; scalars are means over replicas, gradients the whole batch's."""
        seed = fold_in(self.seed, self.update_count)

        def update(images, visible):
            replica = _replica()
            parts = [_part(x, replica, self._num) for x in (images, visible)]
            return self.update_grids(*parts, fold_in(seed, replica))

        scalars = self._strategy.run(update, (images, visible))
        self.finish_update()
        mean = tf.distribute.ReduceOp.MEAN
        return {name: self._strategy.reduce(mean, x, axis=None) for name, x in scalars.items()}

    @tf.function(autograph=False)
    def sample(self, colors, seed, images=None, visible=None) -> list[tf.Tensor]:
        """As MultigridLearner; chains are shared by the replicas, which then have all of them."""

        def chains(*tensors):
            replica = _replica()
            colors, images, visible = (_part(x, replica, self._num) for x in tensors)
            return self.run_chains(colors, fold_in(seed, replica), images, visible)

        parts = self._strategy.run(chains, (colors, images, visible))
        return [self._strategy.gather(x, axis=0) for x in parts]

    @property
    def _num(self):
        return self._strategy.num_replicas_in_sync


def whole_batch(gradients: list[tf.Tensor]) -> list[tf.Tensor]:
    """Gradients of the mean over a batch, from those of each replica's equal part of it."""
    replicas = tf.distribute.get_replica_context()
    if replicas.num_replicas_in_sync == 1:
        return gradients
    return replicas.all_reduce(tf.distribute.ReduceOp.MEAN, gradients)


def replica_share(*changes: ChangeGradients) -> ChangeGradients:
    """What each replica gives to the sum of gradients that Keras makes: an equal part.

    Args:
        changes: (net, gradients of the whole batch) -> gradients, one after the other; they need
            not be linear.
    """

    def shared(net, gradients):
        for change in changes:
            gradients = change(net, gradients)
        num = tf.distribute.get_replica_context().num_replicas_in_sync
        return gradients if num == 1 else [gradient / num for gradient in gradients]

    return shared


def _replica():
    return tf.distribute.get_replica_context().replica_id_in_sync_group


def _part(x, replica, num):
    """This replica's rows of a tensor."""
    if x is None:
        return None
    size = x.shape[0] // num
    return tf.ensure_shape(x[replica * size : (replica + 1) * size], [size, *x.shape[1:]])
