"""Packaging of mgconv."""

from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = next(
    line.split('"')[1]
    for line in (HERE / "mgconv" / "__init__.py").read_text().splitlines()
    if line.startswith("__version__")
)

setup(
    name="mgconv",
    version=VERSION,
    description="Learning generative ConvNets by multi-grid modeling and sampling (CVPR 2018)",
    long_description=(HERE / "README.md").read_text(),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=find_packages(include=["mgconv", "mgconv.*"]),
    install_requires=[  # lower bounds: the versions that were tested
        "tensorflow>=2.21",
        "keras>=3.15",
        "tensorboard>=2.20",
        "tensorflow-datasets>=4.9.10",
        "importlib_resources>=6",  # tfds imports it and does not say so (tfds issue 11212)
        "numpy>=2.2",
        "scipy>=1.15",
        "scikit-learn>=1.7",
        "joblib>=1.4",
        "pillow>=11",
        "matplotlib>=3.10",
        "absl-py>=2.1",
        "tqdm>=4.66",
    ],
    extras_require={
        "gpu": ["tensorflow[and-cuda]>=2.21"],
        "lsun": ["lmdb>=1.4"],
        "fidelity": ["torch-fidelity>=0.3"],
        "controls": ["scikit-image>=0.25"],  # of experiments 2 and 3
        "peers": ["torch>=2.9"],  # of benchmarks/peers.py
        # tfds.testing needs dill and does not say so
        "dev": [
            "pytest>=8",
            "pytest-xdist>=3.6",
            "hypothesis>=6.100",
            "ruff>=0.12",
            "lmdb>=1.4",
            "dill>=0.3.8",
        ],
    },
)
