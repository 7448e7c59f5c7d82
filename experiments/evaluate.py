"""Forwards to `mgconv evaluate`: saved runs print this command."""

import runpy

if __name__ == "__main__":
    runpy.run_module("mgconv.cli.evaluate", run_name="__main__")
