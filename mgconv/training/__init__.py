"""From a config and images to a finished run."""
