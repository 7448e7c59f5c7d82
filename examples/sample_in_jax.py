"""Draw from a model in JAX, without TensorFlow and without mgconv.

mgconv export --run=RUN --format=stablehlo --out=sampler
python examples/sample_in_jax.py sampler 0
"""

import json
import sys
from pathlib import Path

import jax
import numpy as np
from jax.extend import backend
from jaxlib import _jax


def load(folder):
    """The sampler in a folder: (colors [B, 1, 1, C], seed [2]) -> samples of every grid."""
    client = backend.get_backend()
    device = client.local_devices()[0]
    options = backend.get_compile_options(num_replicas=1, num_partitions=1)
    program = (Path(folder) / "sampler.stablehlo").read_bytes()
    compiled = client.compile_and_load(program, _jax.DeviceList((device,)), options)

    def sample(*arguments):
        placed = [jax.device_put(x, device) for x in arguments]
        results = compiled.execute_sharded(placed).disassemble_into_single_device_arrays()
        return [np.asarray(one) for [one] in results]

    return sample


def main(folder, seed):
    """Writes a batch of samples, float32 [B, S, S, C] in [-1, 1], to samples.npy beside it."""
    about = json.loads((Path(folder) / "sampler.json").read_text())
    colors = np.load(Path(folder) / "colors.npy", allow_pickle=False)
    batch = about["inputs"]["colors"][1][0]
    rows = np.random.default_rng(seed).integers(0, len(colors), batch)
    samples = load(folder)(colors[rows], np.array([seed, 0], np.int32))[-1]
    np.save(Path(folder) / "samples.npy", samples)
    print(f"{Path(folder) / 'samples.npy'}: {samples.shape}")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
