"""Forwards to `mgconv evaluate`: saved runs print this command."""

import sys

from mgconv.__main__ import main

if __name__ == "__main__":
    main(["evaluate", *sys.argv[1:]])
