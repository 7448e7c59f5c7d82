"""What the programs share: flags, the way they start and end, checks before TensorFlow."""
