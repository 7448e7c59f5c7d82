"""Cost of data: decoding into the store, waiting for batches, memory, the time to a first batch.

python -m benchmarks.data
python -m benchmarks.data --num_images=200000 --num_updates=20
"""

import io
import os
import tempfile
import time
import zipfile
from pathlib import Path

from absl import flags

from benchmarks import turns
from mgconv.cli.shared.flags import config_for
from mgconv.cli.shared.program import main, start_tensorflow


def define_flags(values) -> None:
    """Flags of this program."""
    flags.DEFINE_integer("num_decoded", 2000, "JPEGs to decode", 1, flag_values=values)
    flags.DEFINE_integer("num_images", 200_000, "64 x 64 images in a store", 64, flag_values=values)
    flags.DEFINE_integer("num_updates", 20, "updates at width 1/4", 2, flag_values=values)


def run(values) -> None:
    """Prints a line a quantity."""
    start_tensorflow()
    with tempfile.TemporaryDirectory() as folder:
        _decoding(Path(folder), values["num_decoded"].value)
        _learning(Path(folder), values["num_images"].value, values["num_updates"].value)


def _decoding(folder: Path, num: int) -> None:
    """Images a second from a zip of JPEGs of CelebA's size into the store at 64 x 64."""
    import numpy as np
    from PIL import Image

    from mgconv.datasets.table import load_images

    path = folder / "faces.zip"
    rng = np.random.default_rng(0)
    with zipfile.ZipFile(path, "w") as archive:
        for index in range(num):
            coarse = Image.fromarray(rng.integers(0, 256, [28, 23, 3], np.uint8))
            buffer = io.BytesIO()
            coarse.resize((178, 218), Image.Resampling.BICUBIC).save(buffer, "JPEG")
            archive.writestr(f"{index:06}.jpg", buffer.getvalue())
    start = time.perf_counter()
    load_images("celeb_a", "train", 64, image_dir=str(path), cache_dir=str(folder), crop=140)
    seconds = time.perf_counter() - start
    print(
        f"decoding 178 x 218 JPEGs to 64 x 64: {num / seconds:.0f} images/s, {os.cpu_count()} cores"
    )


def _learning(folder: Path, num: int, num_updates: int) -> None:
    """First batch, share of an update spent waiting, peak memory, on `num` images of 64 x 64."""
    import numpy as np
    import tensorflow as tf

    from mgconv.datasets.batches import batches
    from mgconv.datasets.image_set import ImageSet
    from mgconv.training.build import build_learner

    config = config_for(dataset="photos", scale="cpu")
    shape = (num, 64, 64, 3)
    pixels = np.memmap(folder / "pixels", np.uint8, "w+", shape=shape)
    block = np.random.default_rng(0).integers(0, 256, [1000, 64, 64, 3], np.uint8)
    for first in range(0, num, 1000):
        pixels[first : first + 1000] = block[: num - first]
    pixels.flush()
    del pixels
    start = time.perf_counter()
    stored = np.memmap(folder / "pixels", np.uint8, "r", shape=shape)
    images = ImageSet(stored, np.zeros(num, np.int64), ("all",))
    stream = iter(batches(images, config.batch_size, 0, 0))
    batch = next(stream)
    print(f"first batch of a ready store of {num} images: {time.perf_counter() - start:.2f} s")
    learner = build_learner(config, images.colors, batch.numpy(), num)
    learner.train_step(batch)  # traces
    waited = learned = 0.0
    for _ in range(num_updates):
        start = time.perf_counter()
        batch = next(stream)
        middle = time.perf_counter()
        tf.nest.map_structure(float, learner.train_step(batch))
        waited, learned = waited + middle - start, learned + time.perf_counter() - middle
    share = waited / (waited + learned)
    print(f"waiting for data at width {config.width}: {share:.2%} of {num_updates} updates")
    print(f"peak memory: {turns.peak_memory() / 2**30:.2f} GiB")


if __name__ == "__main__":
    main(run, define_flags, __doc__)
