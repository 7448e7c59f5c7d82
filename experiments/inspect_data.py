"""Forwards to `mgconv inspect`: saved runs print this command."""

import sys

from mgconv.__main__ import main

if __name__ == "__main__":
    main(["inspect", *sys.argv[1:]])
