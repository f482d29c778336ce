"""Run the benchmarks: `python -m bench [NAME …] [--rounds N] [--list]`.

A module of this folder that has a function `comparisons() -> list[Comparison]` is found by itself.
Results are printed and written to bench/results/NAME.json. A missed target is reported, not hidden,
and does not make the run fail: figures depend on the machine, so they are no test.
"""

from __future__ import annotations

import argparse
import pkgutil
import sys
from importlib import import_module
from typing import TYPE_CHECKING

import bench
from bench.harness import Comparison, compare, save, table

if TYPE_CHECKING:
    from collections.abc import Iterator


def found() -> Iterator[Comparison]:
    """Yield every comparison of this folder, module by module."""
    for module in sorted(pkgutil.iter_modules(bench.__path__), key=lambda one: one.name):
        if module.name.startswith("__"):
            continue
        make = getattr(import_module(f"bench.{module.name}"), "comparisons", None)
        if make is not None:
            yield from make()


def main(arguments: list[str]) -> int:
    """Run what was asked for; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="comparisons, or beginnings of their names")
    parser.add_argument("--rounds", type=int, help="instead of each comparison's own number")
    parser.add_argument("--list", action="store_true", help="only list what there is")
    options = parser.parse_args(arguments)
    wanted = [
        one
        for one in found()
        if not options.names or any(one.name.startswith(name) for name in options.names)
    ]
    if not wanted:
        print("error: no comparison has such a name; --list shows them", file=sys.stderr)
        return 2
    for comparison in wanted:
        if options.list:
            print(f"{comparison.name:32} {comparison.title}")
            continue
        outcome = compare(comparison, rounds=options.rounds, say=sys.stderr)
        print(table(outcome), flush=True)
        print(f"  written to {save(outcome)}\n", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
