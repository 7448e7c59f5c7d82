"""Forwards to `mgconv inpaint`: saved runs print this command."""

import runpy

if __name__ == "__main__":
    runpy.run_module("mgconv.cli.inpaint", run_name="__main__")
