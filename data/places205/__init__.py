"""Places205 as a tfds data set."""

from .places205 import Places205 as Places205
