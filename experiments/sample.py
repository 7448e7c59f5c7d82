"""Forwards to `mgconv sample`: saved runs print this command."""

import runpy

if __name__ == "__main__":
    runpy.run_module("mgconv.cli.sample", run_name="__main__")
