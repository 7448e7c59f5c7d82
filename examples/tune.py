"""Optuna searches settings of a training; the guard prunes what diverges.

pip install optuna && python examples/tune.py
"""

import numpy as np
import optuna
from sklearn.datasets import load_digits

import mgconv
from mgconv.evaluation.metrics import frechet_distance
from mgconv.training.guard import DivergenceError

IMAGES = (load_digits().images[..., np.newaxis] / 8 - 1).astype(np.float32)  # [1797, 8, 8, 1]


def objective(trial: optuna.Trial, num_updates: int = 150) -> float:
    """Frechet distance of samples to the images, in pixels: the lower, the better."""
    settings = {
        "learning_rate": trial.suggest_float("learning_rate", 1e-4, 1e-1, log=True),
        "drift": trial.suggest_float("drift", 3e-3, 0.3, log=True),
        "num_langevin_steps": trial.suggest_int("num_langevin_steps", 2, 10),
    }
    try:
        model = mgconv.train(
            IMAGES, grids=(1, 4, 8), width=0.25, num_updates=num_updates,
            on_divergence="stop", **settings,
        )  # fmt: skip
    except DivergenceError as error:
        raise optuna.TrialPruned(str(error)) from None
    samples = model.synthesize(500, seed=0)
    return frechet_distance(samples.reshape(500, -1), IMAGES.reshape(len(IMAGES), -1))


if __name__ == "__main__":
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))
    study.optimize(objective, n_trials=10)
    print(f"best: {study.best_params}, Frechet distance {study.best_value:.2f}")
