"""Forwards to `mgconv inpaint`: saved runs print this command."""

import sys

from mgconv.__main__ import main

if __name__ == "__main__":
    main(["inpaint", *sys.argv[1:]])
