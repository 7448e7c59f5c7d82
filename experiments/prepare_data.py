"""Forwards to `mgconv prepare`: saved runs print this command."""

import sys

from mgconv.__main__ import main

if __name__ == "__main__":
    main(["prepare", *sys.argv[1:]])
