"""Forwards to `mgconv sample`: saved runs print this command."""

import sys

from mgconv.__main__ import main

if __name__ == "__main__":
    main(["sample", *sys.argv[1:]])
