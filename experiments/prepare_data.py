"""Forwards to `mgconv prepare`: saved runs print this command."""

import runpy

if __name__ == "__main__":
    runpy.run_module("mgconv.cli.prepare", run_name="__main__")
