"""Forwards to `mgconv sweep`: saved runs print this command."""

import sys

from mgconv.__main__ import main

if __name__ == "__main__":
    main(["sweep", *sys.argv[1:]])
