"""Features of a trained model in scikit-learn: digits from few labels.

python examples/classify.py    # a minute of training, then errors beside those of raw pixels
"""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import RidgeClassifierCV
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import mgconv


def flat(maps: list[np.ndarray]) -> np.ndarray:
    """All maps of each image, [N, h, w, K] each, as a row of features."""
    return np.concatenate([x.reshape(len(x), -1) for x in maps], axis=1)


def errors(num_updates: int, num_labels: int = 100, seed: int = 0, **settings) -> dict[str, float]:
    """Test error in percent, by what the classifier sees: raw pixels, or the model's features."""
    digits = load_digits()
    images = (digits.images[..., np.newaxis] / 8 - 1).astype(np.float32)  # [1797, 8, 8, 1]
    known, test, labels, truth = train_test_split(images, digits.target, random_state=seed)
    settings |= {"grids": (1, 4, 8), "num_updates": num_updates, "seed": seed}
    model = mgconv.train(known, **settings)  # without labels
    found = {}
    for name, features in (("pixels", lambda x: x.reshape(len(x), -1)),
                           ("features", lambda x: flat(model.features(x)))):  # fmt: skip
        classifier = make_pipeline(StandardScaler(), RidgeClassifierCV(np.logspace(0, 6, 13)))
        classifier.fit(features(known[:num_labels]), labels[:num_labels])
        found[name] = 100 * (1 - classifier.score(features(test), truth))
    return found


if __name__ == "__main__":
    for name, error in errors(num_updates=300).items():
        print(f"{name}: {error:.1f} % of the test digits are wrong, by 100 labels")
