"""Experiment 1: synthesis and diagnosis."""
