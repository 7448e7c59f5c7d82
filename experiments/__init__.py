"""The paper's three experiments: python -m experiments.NAME --help. The other files forward."""
