"""The paper's experiments and the programs around them: python -m experiments.NAME --help."""
