"""Contrastive training of the digits at equal wall time: mgconv, torchebm, ebmkit.

pip install 'mgconv[peers]'   # optional, for this program alone
python -m benchmarks.peer_training --seconds=60 --seeds=0,1,2

Each system has one model of all ten digits and its own trainer, loop and recommended settings
(libraries.py); mgconv the recipe `modern` at scale `quick`. The clock starts when a trainer is
called, so that the time in which our step is traced counts. As many samples as there are test
digits are scored by the classifier that the experiments use, beside the test digits.
"""

import time

import numpy as np
from absl import flags

from benchmarks import libraries, turns
from mgconv.cli.shared.flags import config_for
from mgconv.cli.shared.program import main, start_tensorflow


def define_flags(values) -> None:
    """Flags of this program."""
    turns.define_flags(values)
    flags.DEFINE_float("seconds", 60, "wall time of a training", 0, flag_values=values)
    flags.DEFINE_list("seeds", ["0", "1", "2"], "of the trainings", flag_values=values)


def run(values) -> None:
    """Prints a table: updates, classifier score and Frechet distance of each system and seed."""
    start_tensorflow()
    from mgconv.datasets.cache import cache_root
    from mgconv.datasets.table import load_images
    from mgconv.evaluation.scorers.table import make_scorer
    from mgconv.io.images import to_uint8

    train, test = (load_images("digits", split, 8) for split in ("train", "test"))
    scorer = make_scorer("classifier", images=train, folder=cache_root())
    known = {name: libraries.TRAIN[name] for name in libraries.installed()}
    systems = {"mgconv": train_ours} | known
    seconds, rows = values["seconds"].value, []
    for seed in map(int, values["seeds"].value):  # in turns: what slows the machine slows all
        for name, train_system in systems.items():
            sample, num_updates = train_system(train, seconds, seed)
            figures = scored(scorer, to_uint8(sample(len(test))), test.pixels)
            rows.append([name, str(seed), str(num_updates), *figures])
            print(rows[-1], flush=True)
    few = train.pixels[np.random.default_rng(0).permutation(len(train))[: len(test)]]
    real = ["training digits", "-", "-", *scored(scorer, few, test.pixels)]
    turns.report(
        values["out"].value,
        "peer_training",
        f"Digits of all classes, one model, {seconds:g} seconds of training each",
        ["system", "seed", "updates", "classifier score", "classifier Frechet distance"],
        [*sorted(rows), real],
    )


def train_ours(images, seconds: float, seed: int) -> libraries.Trained:
    """A model by the recipe `modern`, as `libraries.train_torchebm`."""
    from mgconv.datasets.batches import batches
    from mgconv.models import MultigridModel
    from mgconv.training.build import build_learner
    from mgconv.training.fit import describe, reference_images

    end = time.perf_counter() + seconds
    config = config_for(dataset="digits", scale="quick", seed=seed)
    reference = reference_images(images, config)
    learner = build_learner(config, images.colors, reference, len(images))
    for batch in batches(images, config.batch_size, seed, 0):
        learner.train_step(batch)
        if int(learner.update_count) and time.perf_counter() > end:
            break
    model = MultigridModel(learner, config, describe(images))
    return lambda num: model.synthesize(num, seed), int(learner.update_count)


def scored(scorer, samples: np.ndarray, test: np.ndarray) -> list[str]:
    """Classifier score, and Frechet distance to the test images, both uint8 [N, S, S, C]."""
    from mgconv.evaluation.metrics import frechet_distance, inception_score
    from mgconv.evaluation.scorers.table import predict

    found, real = (predict(scorer, pixels) for pixels in (samples, test))
    distance = frechet_distance(found.features, real.features)
    return [f"{inception_score(found.probabilities):.2f}", f"{distance:.1f}"]


if __name__ == "__main__":
    main(run, define_flags, __doc__)
