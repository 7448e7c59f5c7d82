"""Forwards to `mgconv train`: saved runs print this command."""

import runpy

if __name__ == "__main__":
    runpy.run_module("mgconv.cli.train", run_name="__main__")
