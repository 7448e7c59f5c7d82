"""A shim: everything stands in pyproject.toml."""

from setuptools import setup

setup()
