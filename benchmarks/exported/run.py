"""Train by exported steps, with JAX and NumPy alone: no TensorFlow, no mgconv.

python benchmarks/exported/run.py FOLDER --seconds=480
python benchmarks/exported/run.py FOLDER --updates=20 --chains=0

Measures the chains of each grid against a matrix product, trains until the time or the updates are
over, and writes into FOLDER: trained.npz (the state), metrics.jsonl, samples.npy, speed.json.
"""

import argparse
import json
import time
from pathlib import Path

import jax
import numpy as np
from jax.extend import backend
from jax.interpreters import mlir
from jaxlib import _jax
from jaxlib.mlir import ir
from jaxlib.mlir.dialects import stablehlo

PRODUCT = 4096  # rows and columns of the matrices
REPEATS = 5

jax.config.update("jax_enable_x64", True)  # for the counters


class Program:
    """A compiled program: (state, *arguments) -> (new state, results); old state is given away.

    Args:
        path: of its StableHLO.
        about: `state`, how many of its arguments and results are state; `results`, how many follow
            (what comes after them is state again); `further`, which of the state come again after
            the arguments, where their values do not matter.
    """

    def __init__(self, path: Path, about: dict):
        client = backend.get_backend()
        self.device = client.local_devices()[0]
        self.num, self.further = about["state"], about["further"]
        self.end = self.num + about["results"]
        with mlir.make_ir_context() as context:
            module = stablehlo.deserialize_portable_artifact(context, path.read_bytes())
            donate(module, self.num)
            options = backend.get_compile_options(num_replicas=1, num_partitions=1)
            devices = _jax.DeviceList((self.device,))
            self.compiled = client.compile_and_load(module, devices, options)
        self.unread: list = []

    def __call__(self, state: list, *arguments) -> tuple[list, list]:
        """Arrays on the device."""
        if self.further and not self.unread:
            self.unread = [self.put(np.zeros(state[i].shape, state[i].dtype)) for i in self.further]
        placed = [*state, *map(self.put, arguments), *self.unread]
        results = self.compiled.execute_sharded(placed).disassemble_into_single_device_arrays()
        results = [one for [one] in results]
        return results[: self.num], results[self.num : self.end]

    def put(self, x):
        """Onto the device."""
        return jax.device_put(x, self.device)


def donate(module, num: int) -> None:
    """Lets the first arguments of a program's main function, and no others, be overwritten."""
    theirs = "mhlo.input_output_alias"  # of the further arguments, which are used again
    if theirs in module.operation.attributes:
        del module.operation.attributes[theirs]
    [entry] = [op for op in module.body.operations if op.attributes["sym_name"].value == "main"]
    number = ir.IntegerType.get_signless(32)
    marks = [
        {"tf.aliasing_output": ir.IntegerAttr.get(number, index)} if index < num else {}
        for index in range(len(entry.arguments))
    ]
    entry.attributes["arg_attrs"] = ir.ArrayAttr.get([ir.DictAttr.get(mark) for mark in marks])


def batches(images: np.ndarray, about: dict, first: int, num: int) -> np.ndarray:
    """Batches from number `first` on, uint8 [num, B, S, S, C]: of (seed, number) as in mgconv."""
    size, seed = about["batch_size"], about["seed"]
    per_epoch, found = len(images) // size, []
    for index in range(first, first + num):
        epoch, place = divmod(index, per_epoch)
        order = np.random.default_rng([seed, epoch]).permutation(len(images))
        rows = np.sort(order[place * size :][:size])
        pixels = images[rows]
        if about["flip"]:
            mirrored = np.random.default_rng([seed, epoch, 1]).random(len(images))[rows] < 0.5
            pixels = np.where(mirrored[:, None, None, None], pixels[:, :, ::-1], pixels)
        found.append(pixels)
    return np.stack(found)


class Training:
    """A state on the device, and the updates that change it.

    Args:
        folder: of the export.
    """

    def __init__(self, folder: Path):
        self.folder, self.about = folder, json.loads((folder / "about.json").read_text())
        self.images = np.load(folder / "images.npy", mmap_mode="r", allow_pickle=False)
        self.programs: dict[str, Program] = {}
        with np.load(folder / "state.npz", allow_pickle=False) as saved:
            self.state = [jax.device_put(saved[name]) for name in sorted(saved.files)]
        self.done = 0

    def program(self, name: str) -> Program:
        """Compiled when it is first asked for."""
        if name not in self.programs:
            path = self.folder / f"{name}.stablehlo"
            self.programs[name] = Program(path, self.about["programs"][name])
        return self.programs[name]

    def update(self, num: int) -> dict[str, float]:
        """That many updates in one call; scalars of the last."""
        images = batches(self.images, self.about, self.done, num)
        self.state, results = self.program(f"steps_{num}")(self.state, images)
        self.done += num
        return {k: float(x) for k, x in zip(self.about["scalars"], results, strict=True)}

    def train(self, seconds: float, updates: int) -> float:
        """Until either is over; a line of metrics a call. Returns seconds an update."""
        many, spent, timed = self.about["updates_a_call"], 0.0, 0
        begun = time.perf_counter()
        with (self.folder / "metrics.jsonl").open("w") as file:
            while self.done < updates and time.perf_counter() - begun < seconds:
                num = many if updates - self.done >= many else 1
                is_first = f"steps_{num}" not in self.programs  # it is compiled, and not counted
                start = time.perf_counter()
                scalars = self.update(num)
                if not is_first:
                    spent, timed = spent + time.perf_counter() - start, timed + num
                file.write(json.dumps({"update": self.done} | scalars) + "\n")
        return spent / max(1, timed)

    def sample(self, seed: int) -> np.ndarray:
        """A batch of samples, float32 [B, S, S, C]; the state is as before."""
        known = np.load(self.folder / "colors.npy", allow_pickle=False)
        rows = np.random.default_rng(seed).integers(0, len(known), self.about["batch_size"])
        draw = self.program("sample")
        self.state, results = draw(self.state, known[rows], np.array([seed, 1], np.int32))
        return np.asarray(results[0])

    def save(self) -> None:
        """Writes the state."""
        arrays = {f"{i:04d}": np.asarray(x) for i, x in enumerate(self.state)}
        np.savez(self.folder / "trained.npz", **arrays)


def seconds_of(run) -> float:
    """The median of a few calls, after one that compiles."""
    jax.block_until_ready(run())
    found = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        jax.block_until_ready(run())
        found.append(time.perf_counter() - start)
    return float(np.median(found))


def chains(training: Training) -> dict[str, float]:
    """GFLOP/s of each grid's chain, and of matrix products: TF32 where there is that; float32."""
    rates = {}
    for name, about in training.about["programs"].items():
        if name.startswith("chain_"):
            program, seed = training.program(name), np.array([0, 1], np.int32)
            x0 = np.random.default_rng(0).uniform(-1, 1, about["shape"]).astype(np.float32)
            x0, seed = program.put(x0), program.put(seed)
            rates[name] = about["gigaflop"] / seconds_of(
                lambda p=program, a=(x0, seed): p([], *a)[1]
            )
    a = jax.numpy.ones([PRODUCT, PRODUCT], jax.numpy.float32)
    for precision in ("default", "float32"):
        with jax.default_matmul_precision(precision):
            product = jax.jit(jax.numpy.matmul)
            rates[f"product_{precision}"] = (
                2e-9 * PRODUCT**3 / seconds_of(lambda f=product: f(a, a))
            )
    return rates


def main() -> None:
    """Measures, trains, writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--updates", type=int, default=2**31)
    parser.add_argument("--chains", type=int, default=1)
    given = parser.parse_args()
    training = Training(given.folder)
    speed = {"device": jax.devices()[0].device_kind, "jax": jax.__version__}
    speed |= {"gigaflops": chains(training)} if given.chains else {}
    print(json.dumps(speed), flush=True)
    speed["seconds_an_update"] = training.train(given.seconds, given.updates)
    speed["updates"] = training.done
    training.save()
    np.save(given.folder / "samples.npy", training.sample(0))
    (given.folder / "speed.json").write_text(json.dumps(speed, indent=1) + "\n")
    print(json.dumps(speed), flush=True)


if __name__ == "__main__":
    main()
