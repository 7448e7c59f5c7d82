"""Experiment 2: features for classification."""
