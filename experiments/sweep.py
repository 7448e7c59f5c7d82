"""Forwards to `mgconv sweep`: saved runs print this command."""

import runpy

if __name__ == "__main__":
    runpy.run_module("mgconv.cli.sweep", run_name="__main__")
