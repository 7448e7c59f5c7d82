"""Files, images on disk, processes."""
