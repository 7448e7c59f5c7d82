"""Networks that measure samples: a table of them, a file each."""
