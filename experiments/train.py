"""Forwards to `mgconv train`: saved runs print this command."""

import sys

from mgconv.__main__ import main

if __name__ == "__main__":
    main(["train", *sys.argv[1:]])
