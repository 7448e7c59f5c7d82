"""Training without TensorFlow: an exported step runs in JAX, and its state comes back as a run."""
