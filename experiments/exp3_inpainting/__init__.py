"""Experiment 3: inpainting."""
