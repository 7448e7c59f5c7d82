"""Systems that are not one of our energy-based models: one file each."""
