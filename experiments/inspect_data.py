"""Forwards to `mgconv inspect`: saved runs print this command."""

import runpy

if __name__ == "__main__":
    runpy.run_module("mgconv.cli.inspect", run_name="__main__")
